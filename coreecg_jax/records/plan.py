"""Which recordings go to which shard: known from the listing, before any of them is read."""

import collections
import dataclasses

from coreecg_jax.records.databases.listing import Listed, Listing
from coreecg_jax.records.shards import file_name, hash_of, number_of_shards, shard_of


@dataclasses.dataclass(frozen=True)
class Shard:
    """One shard to be: its recordings in the order of the listing, and their places in it."""

    file: str
    split: str
    recordings: tuple[Listed, ...]
    places: tuple[int, ...]


def planned(listing: Listing, window_samples: int) -> tuple[Shard, ...]:
    """The shards of every split, in order, the splits as they first come in the listing.

    A recording belongs to a shard by the hash of its id: who is beside it, or how many read, changes nothing.
    All windows of a recording are in one shard.

    Raises:
      ValueError: when an id is there twice, in one split or in two.
    """
    _check_once(listing)
    splits: dict[str, list[int]] = {}
    for place, listed in enumerate(listing.recordings):
        splits.setdefault(listed.split, []).append(place)
    shards: list[Shard] = []
    for split, places in splits.items():
        number, hashed = number_of_shards(len(places), window_samples), hash_of(split)
        members: list[list[int]] = [[] for _ in range(number)]
        for place in places:
            members[shard_of(hashed(listing.recordings[place].recording_id), number)].append(place)
        shards += (
            Shard(
                file_name(listing.name, split, index, number),
                split,
                tuple(listing.recordings[place] for place in found),
                tuple(found),
            )
            for index, found in enumerate(members)
        )
    return tuple(shards)


def _check_once(listing: Listing) -> None:
    ids = [listed.recording_id for listed in listing.recordings]
    if len(set(ids)) < len(ids):
        twice = collections.Counter(ids).most_common(1)[0][0]
        splits = ", ".join(listed.split for listed in listing.recordings if listed.recording_id == twice)
        raise ValueError(
            f"{listing.name}: expected each recording once, {twice!r} is there twice (splits {splits}): "
            "correct the table that names it, or give the folder of one copy as --source"
        )
