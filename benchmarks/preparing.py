"""Recordings a second from WFDB files to shards."""

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.recordings import write_folder
from benchmarks.table import Row, measured
from coreecg_jax.records.databases import wfdb_folder
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.local_runs import local
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.prepare import prepare
from coreecg_jax.records.schema import Preprocessing

NAME = "prepare"
FILES, REPEATS = 200, 5
RECORDINGS = 3000  # of a whole run: the files again and again, so that starting the workers weighs little


def conditioning(source: str) -> Iterator[Row]:
    """Reading, checking, resampling and filtering on one core; nothing is written."""
    with _listing(source) as listing:
        for rate in (250.0, 100.0):
            settings = Settings(Preprocessing(sampling_rate=rate))
            rates = [_conditioning_rate(listing, settings) for _ in range(REPEATS)]
            yield measured(NAME, f"read and condition to {rate:g} Hz, one core", rates, "recordings/s")


def whole(source: str) -> Iterator[Row]:
    """`prepare` with one worker and with all cores: also writes the shards, starts the workers."""
    with _listing(source) as listing, tempfile.TemporaryDirectory() as out:
        many = tuple(
            dataclasses.replace(one, recording_id=f"{one.recording_id}-{copy}")
            for copy in range(-(-RECORDINGS // len(listing.recordings)))
            for one in listing.recordings
        )
        listing = dataclasses.replace(listing, recordings=many)
        for workers in dict.fromkeys((1, cores())):
            start = time.perf_counter()
            prepare(listing, Path(out), Settings(), run=local(workers), overwrite=True)
            rate = len(many) / (time.perf_counter() - start)
            setting = f"to shards at 250 Hz, --workers={workers}, {len(many)} recordings"
            yield measured(NAME, setting, [rate], "recordings/s")


def _conditioning_rate(listing: Listing, settings: Settings) -> float:
    start = time.perf_counter()
    for listed in listing.recordings:
        process(listed, listing.read, listing.name, settings)
    return len(listing.recordings) / (time.perf_counter() - start)


@contextlib.contextmanager
def _listing(source: str) -> Generator[Listing]:
    """The recordings below `source`, or synthetic ones where it is empty."""
    with tempfile.TemporaryDirectory() as made:
        if not source:
            write_folder(Path(made), FILES)
        yield wfdb_folder.list_recordings(Path(source or made), "measured")
