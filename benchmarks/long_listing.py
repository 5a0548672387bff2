"""A listing as long as the largest archive's, its shards as if they were written: no signal is read."""

import contextlib
import json
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

from coreecg_jax.records.databases import simulated
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.one_recording import Settings
from coreecg_jax.records.one_shard import DATA, PARTS, Work, Written, lines_of
from coreecg_jax.records.plan import Shard
from coreecg_jax.records.shards import Lengths


def long_listing(count: int) -> Listing:
    """Listed as MIMIC-IV-ECG is: ids of eight digits, paths, a patient of five, three labels a recording."""

    def one(number: int) -> Listed:
        patient = f"{10_000_000 + number // 5}"
        file = f"files/p{patient[:4]}/p{patient}/s{40_000_000 + number}/{40_000_000 + number}"
        labels = (f"Sinus rhythm {number}", f"Low QRS voltages {number}", f"Abnormal ECG {number}")
        about = About(patient, labels=labels, likelihoods=(float("nan"),) * 3)
        return Listed(f"{40_000_000 + number}", file, "recordings", about)

    return Listing("listed", simulated.read, tuple(map(one, range(count))))


@contextlib.contextmanager
def finished_shards(
    folder: Path, listing: Listing, shards: Sequence[Shard]
) -> Generator[tuple[Work, dict[str, Written]]]:
    """Lines of the manifest for every recording, in a folder that is removed; the shards are empty files."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        work = Work(listing.name, listing.read, Settings(), Path(place))
        (work.folder / DATA).mkdir()
        (work.folder / PARTS).mkdir()
        for shard in shards:
            lines = (_line(listed, place) for listed, place in zip(shard.recordings, shard.places))
            lines_of(work.folder, shard).write_text("".join(lines), encoding="utf-8")
        count = {shard.file: len(shard.recordings) for shard in shards}
        yield work, {file: Written(file, n, Lengths(n, 60_300 * n), 0, "0" * 64) for file, n in count.items()}


def _line(listed: Listed, number: int) -> str:
    """A line as that of a recording that was read."""
    measured = {
        "baseline_uv": 312.4,
        "noise_uv": 6.4,
        "relation_uv": 0.5,
        "axis": [0.1] * 12,
        "nan": {},
        "suspected": [],
    }
    line = {
        "recording_id": listed.recording_id,
        "file": listed.file,
        "status": "read",
        "windows": 1,
        "dropped_seconds": 0.0,
        "flags": [0] * 12,
        "masked": [0] * 12,
        "ignored_signals": [],
        "signal_hash": f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "measured": measured,
    }
    return json.dumps(line) + "\n"
