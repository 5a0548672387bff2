"""From a source folder to a data set: `out/<name>/<version>/` with shards, settings and manifest.

A data set comes into being by the rename of a finished folder. A run that fails or is killed leaves at most a
folder named `.incomplete-…` beside it, which nothing reads.
"""

import collections
import contextlib
import dataclasses
import functools
import multiprocessing
import multiprocessing.pool
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from coreecg_jax.records.databases.listing import Listed, Listing
from coreecg_jax.records.manifest import Manifest, read_summary
from coreecg_jax.records.one_recording import Outcome, Settings, process
from coreecg_jax.records.policy import policy_of_before
from coreecg_jax.records.schema import MANIFEST_FILE, PREPROCESSING_FILE, OtherSettings, Preprocessing
from coreecg_jax.records.shards import VERSION, write_shards

_CHUNK = 16  # recordings handed to a worker at a time
_AHEAD = 4  # chunks a worker is ahead of the writing: none waits, and the memory is bounded
Run = Callable[[Sequence[Listed]], Iterator[Outcome]]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A complete data set."""

    folder: Path
    summary: dict[str, Any]  # the last line of the manifest
    was_there: bool  # it had been prepared before, with the same settings

    def report(self) -> str:
        """Two lines: where it is; how many recordings were read, missing and refused, and why."""
        counts = self.summary
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts["refused_by_reason"].items())
        return (
            f"{'was there already' if self.was_there else 'prepared'}: {self.folder}\n"
            f"read {counts['read']} recordings ({counts['windows']} windows), missing {counts['missing']}, "
            f"refused {counts['refused']}" + (f" ({reasons})" if reasons else "")
        )


def prepare(
    listing: Listing,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = False,
) -> Prepared:
    """Writes the data set of a source, or finds it already written.

    Raises:
      ValueError: when the folder holds a data set with other settings and
        `overwrite` is false, or when no recording can be read.
    """
    folder = out / listing.name / VERSION
    if folder.exists() and not overwrite:
        return Prepared(folder, _summary_of_same(folder, listing, settings), was_there=True)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".incomplete-{listing.name}-", dir=out) as staging:
        summary = _write(listing, settings, Path(staging), workers, progress)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            folder.rename(Path(staging) / "replaced")
        (Path(staging) / listing.name / VERSION).rename(folder)
    return Prepared(folder, summary, was_there=False)


def _write(
    listing: Listing, settings: Settings, staging: Path, workers: int, progress: bool
) -> dict[str, Any]:
    """Writes the complete data set below `staging`; returns the manifest's summary."""
    manifest_file = staging / MANIFEST_FILE
    bar = tqdm(total=len(listing.recordings), unit="recording", desc=listing.name, disable=not progress)
    with manifest_file.open("w", encoding="utf-8") as file, bar, _runner(listing, settings, workers) as run:
        manifest = Manifest(file)

        def on_outcome(outcome: Outcome) -> None:
            manifest.add(outcome)
            bar.update()

        outcomes = {split: run(found) for split, found in _by_split(listing).items()}
        window_samples = settings.preprocessing.window_samples
        folder = write_shards(staging, listing.name, window_samples, outcomes, on_outcome)
        summary = manifest.finish(listing.missing_count, _recorded(listing, settings))
    manifest_file.rename(folder / MANIFEST_FILE)
    (folder / PREPROCESSING_FILE).write_text(settings.preprocessing.to_json(), encoding="utf-8")
    return summary


@contextlib.contextmanager
def _runner(listing: Listing, settings: Settings, workers: int) -> Generator[Run]:
    """Processes recordings, in order, here or in `workers` processes."""
    one = functools.partial(process, read=listing.read, source_name=listing.name, settings=settings)
    if workers == 1:
        yield functools.partial(map, one)
        return
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    # Ctrl-C reaches them too, and is for this process to answer: it ends them.
    deaf = signal.signal, (signal.SIGINT, signal.SIG_IGN)
    with multiprocessing.get_context("spawn").Pool(workers, *deaf) as pool:
        yield functools.partial(_by_pool, pool, one, _AHEAD * workers)


def _by_pool(
    pool: multiprocessing.pool.Pool, one: Callable[[Listed], Outcome], ahead: int, found: Sequence[Listed]
) -> Iterator[Outcome]:
    """The outcomes in order; up to `ahead` chunks are under way, so the workers go on during the writing."""
    under_way: collections.deque[multiprocessing.pool.MapResult[Outcome]] = collections.deque()
    for start in range(0, len(found), _CHUNK):
        chunk = found[start : start + _CHUNK]
        under_way.append(pool.map_async(one, chunk, chunksize=_CHUNK))
        if len(under_way) == ahead:
            yield from under_way.popleft().get()
    while under_way:
        yield from under_way.popleft().get()


def _by_split(listing: Listing) -> dict[str, list[Listed]]:
    splits: dict[str, list[Listed]] = {}
    for listed in listing.recordings:
        splits.setdefault(listed.split, []).append(listed)
    return splits


def _recorded(listing: Listing, settings: Settings) -> dict[str, Any]:
    """What must agree for a data set to be the same, besides the preprocessing."""
    return {
        "max_windows": settings.max_windows,
        **settings.policy.recorded(),
        "recordings_listed": len(listing.recordings),
        "listing": listing.digest(),
    }


def _summary_of_same(folder: Path, listing: Listing, settings: Settings) -> dict[str, Any]:
    """The summary of the data set that is there, when it was made with the same settings."""
    needed = (PREPROCESSING_FILE, MANIFEST_FILE, "dataset_info.json")
    lacking = [name for name in needed if not (folder / name).is_file()]
    if lacking:
        raise ValueError(f"{folder} holds no complete data set (no {', '.join(lacking)}): use --overwrite")
    there = Preprocessing.from_json((folder / PREPROCESSING_FILE).read_text(encoding="utf-8"))
    summary = read_summary(folder / MANIFEST_FILE)
    old = dataclasses.asdict(there) | policy_of_before(summary["settings"]) | summary["settings"]
    new = dataclasses.asdict(settings.preprocessing) | _recorded(listing, settings)
    differing = [
        f"{key} is {old.get(key)}, asked for {value}" for key, value in new.items() if old.get(key) != value
    ]
    if differing:
        raise OtherSettings(
            f"{folder} was prepared with other settings ({'; '.join(differing)}): "
            "use --overwrite to replace it, or another --out"
        )
    return summary
