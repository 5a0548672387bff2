"""Embeds recordings, any number of them, and writes a Parquet file.

python -m launch.embed [--bundle=bundles/x] --out=embeddings.parquet FILE_OR_FOLDER …
FILE: WFDB (.hea, or without suffix), EDF, DICOM, HL7 aECG, GE MUSE, CSV, NPY, HDF5; a FOLDER: all below it.
What cannot be read or used is a row without embedding that says why. Bad leads are masked and flagged, unless
refused. Signals that are none of the twelve leads are ignored, and named in the row.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.export.loading import RELEASED, load
from coreecg_jax.export.recordings import BAD_LEADS
from coreecg_jax.export.streaming import embedded, write_parquet
from launch.embedding import Counted, recordings_of
from launch.shell import run_main
from launch.writable import require_writable

_BUNDLE = flags.DEFINE_string(
    "bundle", None, "Folder that launch.export wrote; default: the encoder that comes with the package."
)
_OUT = flags.DEFINE_string("out", None, "Parquet file; must not be there yet.", required=True)
_BAD_LEADS = flags.DEFINE_enum("bad_leads", "mask", BAD_LEADS, "What is done with flat or invalid leads.")


def main(argv: Sequence[str]) -> None:
    """Writes the file, whole or not at all, and counts what became of the recordings."""
    out = Path(_OUT.value)
    if out.suffix != ".parquet":
        raise ValueError(f"--out: expected a name that ends in .parquet, got {out}")
    if out.exists():
        raise FileExistsError(f"--out: {out} is there already: choose another, or remove it")
    require_writable("--out", out, is_file=True)
    named, bundle = recordings_of(argv[1:]), load(_BUNDLE.value or RELEASED)
    out.parent.mkdir(parents=True, exist_ok=True)
    recordings = ((one.id, one.read) for one in named)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".embed-") as staging:
        counts = Counted(embedded(bundle, recordings, bad_leads=_BAD_LEADS.value), len(named))
        write_parquet(Path(staging) / out.name, counts, bundle)
        os.replace(Path(staging) / out.name, out)
    print(counts.summary())
    for line in counts.unseen_sets(bundle.known_accuracy):
        print(line)
    print(f"embeddings: {out}")


if __name__ == "__main__":
    run_main(main, files=True)
