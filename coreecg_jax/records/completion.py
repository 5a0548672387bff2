"""From finished shards to a data set: manifest, description, settings and digests are added."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coreecg_jax.records.checksums import write_sums
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.manifest import Manifest, refusals
from coreecg_jax.records.one_shard import DATA, Work, Written, lines_of, new_file
from coreecg_jax.records.plan import Shard
from coreecg_jax.records.refusals import NothingReadable
from coreecg_jax.records.schema import MANIFEST_FILE, PREPROCESSING_FILE
from coreecg_jax.records.shards import write_description
from coreecg_jax.records.spill import Spill
from coreecg_jax.records.stored_label_sets import LABEL_SETS_FILE, as_text


def complete(
    work: Work,
    listing: Listing,
    shards: Sequence[Shard],
    written: Mapping[str, Written],
    recorded: dict[str, Any],
) -> dict[str, Any]:
    """Adds to the shards all that makes them a data set; returns the manifest's summary.

    Args:
      work: with the folder of the shards.
      listing: what they were made of.
      shards: all, in order.
      written: what became of each, by its file.
      recorded: settings, for the manifest.

    Raises:
      NothingReadable: when no recording could be read.
    """
    data, preprocessing = work.folder / DATA, work.settings.preprocessing
    splits: dict[str, list[Shard]] = {}
    for shard in shards:
        splits.setdefault(shard.split, []).append(shard)
    lengths = {split: [written[shard.file].lengths for shard in found] for split, found in splits.items()}
    held = {split: counts for split, counts in lengths.items() if any(count.examples for count in counts)}
    with new_file(data / MANIFEST_FILE) as file:
        manifest = Manifest(file)
        for split in sorted(splits, key=lambda split: split in held):  # those without examples come first
            _add(manifest, work.folder, splits[split])
        summary = manifest.finish(listing.missing_count, recorded)
    if not held:
        told = "; ".join(
            f"{reason} {one.count}, the first {one.file}: {one.sentence}"
            for reason, one in refusals(data / MANIFEST_FILE).items()
        )
        raise NothingReadable(
            f"{listing.name}: expected a recording that can be read, got {summary['refused']} refused ones"
            f"{told and f' ({told})'}"
        )
    for split in held:
        for shard in splits[split]:
            (data / shard.file).touch()  # one without examples is an empty file
    write_description(data, listing.name, preprocessing.window_samples, held)
    (data / PREPROCESSING_FILE).write_text(preprocessing.to_json(), encoding="utf-8")
    if listing.label_sets:
        (data / LABEL_SETS_FILE).write_text(as_text(listing.label_sets), encoding="utf-8")
    write_sums(data, {done.file: done.sha256 for done in written.values()})
    return summary


def _add(manifest: Manifest, folder: Path, shards: Sequence[Shard]) -> None:
    """Adds the recordings of a split in the order of the listing; their lines come shard by shard."""
    with Spill(folder) as spill:
        for shard in shards:
            with lines_of(folder, shard).open("rb") as lines:
                for place, line in zip(shard.places, lines, strict=True):
                    spill.add(place, line)
        for line in spill.in_order():
            manifest.add(shards[0].split, line)
