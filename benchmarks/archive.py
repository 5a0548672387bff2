"""Preparing and auditing an archive, measured: the parts of `benchmarks.at_size`."""

import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from benchmarks import machine
from benchmarks.long_listing import finished_shards, long_listing
from benchmarks.table import Row

NAME, SOURCE, OUT = "at_size", "wfdb", "data"
LISTED = 800_000  # recordings of `listed`, of which no signal is read


def prepared(folder: str, workers: str) -> Iterator[Row]:
    """Recordings a second and peak memory of `prepare`, from files to a data set."""
    from coreecg_jax.records.databases import wfdb_folder
    from coreecg_jax.records.local_runs import local
    from coreecg_jax.records.one_recording import Settings
    from coreecg_jax.records.prepare import prepare

    start = time.perf_counter()
    listing = wfdb_folder.list_recordings(Path(folder, SOURCE), NAME)
    listed = time.perf_counter() - start
    prepare(listing, Path(folder, OUT), Settings(), run=local(int(workers)), overwrite=True, progress=True)
    took = time.perf_counter() - start
    count = len(listing.recordings)
    setting = f"{count} recordings of 10 s, 500 to 250 Hz, --workers={workers}"
    yield Row(
        "prepare", setting, f"{count / took:,.0f} recordings/s", f"{took:,.0f} s, listing {listed:.0f} s", "1"
    )
    yield Row("prepare", f"peak memory of the main process, --workers={workers}", machine.peak_memory())
    if workers != "1":
        yield Row(
            "prepare", f"peak memory of a worker, --workers={workers}", machine.peak_memory(children=True)
        )


def verified(folder: str) -> Iterator[Row]:
    """Reading all files of the data set and comparing their SHA-256."""
    from coreecg_jax.records.checksums import damaged, read_sums

    (data,) = Path(folder, OUT, NAME).iterdir()
    size, start = sum(path.stat().st_size for path in data.iterdir()), time.perf_counter()
    found = list(damaged(data, read_sums(data)))
    took = time.perf_counter() - start
    yield Row(
        "verify",
        f"{size / 1e9:.2f} GB, {len(found)} damaged",
        f"{size / took / 1e6:,.0f} MB/s",
        f"{took:.1f} s",
        "1",
    )


def audited(folder: str) -> Iterator[Row]:
    """Fingerprints, and the comparison of the data set with itself."""
    from coreecg_jax.downstream import audit, overlaps
    from coreecg_jax.records.fingerprint import candidates

    start = time.perf_counter()
    with tqdm(desc="fingerprints") as bar:
        windows = overlaps.windows_in(Path(folder, OUT), NAME, bar.update)
    took, count = time.perf_counter() - start, len(windows.names)
    yield Row(
        "audit",
        f"reading and fingerprints of {count} windows",
        f"{took:.1f} s",
        f"{1000 * took / count:.2f} ms each",
    )
    start = time.perf_counter()
    found = len(candidates(windows.prints).first)
    yield Row("audit", f"candidates: {found} pairs", f"{time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    (row,) = audit.audited({NAME: windows})["compared"]
    yield Row(
        "audit",
        f"candidates and comparison: {row['near']} pairs alike",
        f"{time.perf_counter() - start:.1f} s",
    )
    yield Row("audit", "peak memory", machine.peak_memory())


def listed(folder: str) -> Iterator[Row]:
    """What grows with the listing alone: the plan, and the manifest from the lines of all shards."""
    from coreecg_jax.records.completion import complete
    from coreecg_jax.records.plan import planned

    listing = long_listing(LISTED)
    start = time.perf_counter()
    shards = planned(listing, 2500)
    yield Row(
        "listing", f"{LISTED} recordings to {len(shards)} shards", f"{time.perf_counter() - start:.1f} s"
    )
    with finished_shards(Path(folder), listing, shards) as (work, written):
        start = time.perf_counter()
        complete(work, listing, shards, written, {})
        yield Row("listing", "manifest, description, digests", f"{time.perf_counter() - start:.1f} s")
    yield Row("listing", "peak memory of the main process", machine.peak_memory())
