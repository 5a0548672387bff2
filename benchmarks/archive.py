"""Preparing and auditing an archive, measured: the parts of `benchmarks.at_size`.

Each time is told by the clock and, beside it, as CPU time: on a busy machine that says more.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from benchmarks import machine
from benchmarks.long_listing import finished_shards, long_listing
from benchmarks.table import Row

NAME, SOURCE, OUT = "at_size", "wfdb", "data"
LISTED = 800_000  # recordings of `listed`, of which no signal is read


class _Watch:
    """Time since it was made."""

    def __init__(self) -> None:
        self._clock, self._cpu = time.perf_counter(), machine.cpu_seconds()

    def row(self, benchmark: str, setting: str, size: float = 0.0, unit: str = "") -> Row:
        """The time, or the size a second; and the CPU time."""
        took, cpu = time.perf_counter() - self._clock, machine.cpu_seconds() - self._cpu
        result = f"{size / took:,.0f} {unit}/s" if unit else f"{took:,.1f} s"
        return Row(benchmark, setting, result, f"{took:,.0f} s, {cpu:,.1f} s of CPU")


def prepared(folder: str, workers: str) -> Iterator[Row]:
    """Recordings a second and peak memory of `prepare`, from files to a data set."""
    from coreecg_jax.records.databases import wfdb_folder
    from coreecg_jax.records.local_runs import local
    from coreecg_jax.records.one_recording import Settings
    from coreecg_jax.records.prepare import prepare

    watch, asked = _Watch(), f"--workers={workers}"
    listing = wfdb_folder.list_recordings(Path(folder, SOURCE), NAME)
    prepare(listing, Path(folder, OUT), Settings(), run=local(int(workers)), overwrite=True, progress=True)
    count = len(listing.recordings)
    yield watch.row("prepare", f"{count} recordings, {asked}", count, "recordings")
    yield Row("prepare", f"{asked}, peak memory of the main process", machine.peak_memory())
    if workers != "1":
        yield Row("prepare", f"{asked}, of the largest worker", machine.peak_memory(children=True))


def verified(folder: str) -> Iterator[Row]:
    """Reading all files of the data set and comparing their SHA-256."""
    from coreecg_jax.records.checksums import damaged, read_sums

    (data,) = Path(folder, OUT, NAME).iterdir()
    size, watch = sum(path.stat().st_size for path in data.iterdir()) / 1e6, _Watch()
    found = list(damaged(data, read_sums(data)))
    yield watch.row("verify", f"{size:,.0f} MB, {len(found)} files damaged", size, "MB")


def audited(folder: str) -> Iterator[Row]:
    """Fingerprints, and the comparison of the data set with itself."""
    from coreecg_jax.downstream import audit, overlaps
    from coreecg_jax.records.fingerprint import candidates

    watch = _Watch()
    with tqdm(desc="fingerprints") as bar:
        windows = overlaps.windows_in(Path(folder, OUT), NAME, bar.update)
    yield watch.row("audit", f"reading and fingerprints of {len(windows.names)} windows")
    watch = _Watch()
    found = len(candidates(windows.prints).first)
    yield watch.row("audit", f"candidates: {found} pairs")
    watch = _Watch()
    (row,) = audit.audited({NAME: windows})["compared"]
    yield watch.row("audit", f"candidates and comparison: {row['near']} pairs alike")
    yield Row("audit", "peak memory", machine.peak_memory())


def listed(folder: str) -> Iterator[Row]:
    """What grows with the listing alone: the plan, and the manifest from the lines of all shards."""
    from coreecg_jax.records.completion import complete
    from coreecg_jax.records.plan import planned

    listing = long_listing(LISTED)
    watch = _Watch()
    shards = planned(listing, 2500)
    yield watch.row("listing", f"plan: {LISTED} recordings in {len(shards)} shards")
    with finished_shards(Path(folder), listing, shards) as (work, written):
        watch = _Watch()
        complete(work, listing, shards, written, {})
        yield watch.row("listing", "manifest, description, digests")
    yield Row("listing", "peak memory of the main process", machine.peak_memory())
