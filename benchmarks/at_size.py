"""What preparing and auditing cost at the size of an archive: rate and memory, one Markdown table.

python -m benchmarks.at_size --recordings=20000 --folder=/tmp/at_size
The folder is written once with WFDB files of simulated recordings (120 kB each); they and the data set stay.
"""

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from tqdm import tqdm

from benchmarks import machine
from benchmarks.archive import SOURCE
from benchmarks.recordings import write_record
from benchmarks.table import HEAD, isolated, printed

PARTS = ("prepare", "verify", "audit", "listing")

_RECORDINGS = flags.DEFINE_integer("recordings", 20_000, "WFDB files to prepare.", lower_bound=1)
_FOLDER = flags.DEFINE_string("folder", None, "Where files and data set lie.", required=True)
_WORKERS = flags.DEFINE_list("workers", ["1", "2"], "Numbers of workers, one run of each.")
_ONLY = flags.DEFINE_list("only", list(PARTS), f"Which of {', '.join(PARTS)}.")


def _write_files(folder: Path, count: int) -> None:
    """Writes the WFDB files that are not there yet."""
    from coreecg_jax.records.databases import simulated

    folder.mkdir(parents=True, exist_ok=True)
    for place, listed in enumerate(tqdm(simulated.list_recordings(count).recordings, desc="WFDB files")):
        # A folder a thousand, as the archives have them.
        below = folder / f"{place // 1000:03}"
        if not (below / f"{listed.file}.hea").is_file():
            below.mkdir(exist_ok=True)
            microvolts_LT = np.rint(1000 * simulated.read(listed.file).ecg_LT)
            patient = listed.about.patient_id if listed.about else None
            write_record(below, listed.file, microvolts_LT.astype(np.int64), [f"patient_id: {patient}"])


def main(argv: Sequence[str]) -> None:
    """Prints each row as it comes."""
    del argv
    if unknown := set(_ONLY.value) - set(PARTS):
        sys.exit(f"error: --only: expected of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    folder = Path(_FOLDER.value)
    if "prepare" in _ONLY.value:
        _write_files(folder / SOURCE, _RECORDINGS.value)
    print(f"{datetime.date.today()}, {machine.describe('none used')}\n\n{HEAD}", flush=True)
    runs = [("prepare", "prepared", workers) for workers in _WORKERS.value]
    failed = False
    others = [("verify", "verified"), ("audit", "audited"), ("listing", "listed")]
    for part, function, *arguments in (*runs, *others):
        if part in _ONLY.value:
            setting = " ".join(arguments)
            failed |= printed(isolated(part, setting, "archive", function, str(folder), *arguments))
    sys.exit(failed)


if __name__ == "__main__":
    app.run(main)
