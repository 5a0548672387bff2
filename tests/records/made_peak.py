"""How much memory WFDB recordings take from file to windows: a program for test_memory.py.

    python made_peak.py SHARE SIGNALSxSAMPLES@RATE …

It writes each into a temporary folder, prepares it at 250 Hz and prints one JSON line: status, reason,
sentence, and the megabytes at the peak beyond those before. SHARE scales the limit of samples, so that the
largest allowed recording need not be as large; 1 is the limit itself.
"""

import importlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from made_damage import peak_mb
from made_recordings import LEADS

from coreecg_jax.records.databases.listing import Listed
from coreecg_jax.records.formats import limits
from coreecg_jax.records.one_recording import Settings, process
from coreecg_jax.records.wfdb_files import wfdb_reader


def main() -> None:
    importlib.import_module("scipy.signal")  # as it is when first used: no part of what a recording takes
    limits.MAX_VALUES = round(limits.MAX_VALUES * float(sys.argv[1]))
    for case in sys.argv[2:]:
        signals, samples, rate = re.split("[x@]", case)
        print(json.dumps(_prepared(int(signals), int(samples), float(rate))))


def _prepared(signals: int, samples: int, rate: float) -> dict[str, Any]:
    """Of one recording. What the one before took at its peak is forgotten (man 5 proc, clear_refs)."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), signals, samples, rate)
        Path("/proc/self/clear_refs").write_text("5")
        before = peak_mb()
        read = wfdb_reader(Path(folder))
        line = process(Listed("r", "r.hea", "recordings"), read, "large", Settings()).line
    said = {key: line.get(key) for key in ("status", "reason", "sentence")}
    return said | {"mb": round(peak_mb() - before, 1)}


def _write(folder: Path, signals: int, samples: int, rate: float) -> None:
    """Piece by piece, so that writing takes no memory that reading is then thought not to."""
    lines = [f"r {signals} {rate:g} {samples}"]
    lines += (f"r.dat 16 1000(0)/mV 16 0 0 0 0 {name}" for name in LEADS[:signals])
    (folder / "r.hea").write_text("\n".join(lines) + "\n")
    piece_TS = np.rint(1000 * np.sin(np.arange(10_000)[:, None] / 50 + np.arange(signals))).astype("<i2")
    with (folder / "r.dat").open("wb") as file:
        for start in range(0, samples, len(piece_TS)):
            file.write(piece_TS[: samples - start].tobytes())


if __name__ == "__main__":
    main()
