"""One's own recordings: a tree of WFDB, EDF, DICOM, HL7 aECG, GE MUSE, CSV, NPY and HDF5 files, also mixed.

What is known of patients is what the files say, or `recordings.csv` in the folder: a column `file` (relative
to the folder) and any of `patient_id`, `age`, `sex` (F, M), `labels` (`;` between them).
"""

import collections
import re
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_age
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import SPLIT
from coreecg_jax.records.databases.tables import read_table
from coreecg_jax.records.databases.wfdb_folder import check_name
from coreecg_jax.records.formats.files import SUFFIXES, folder_reader, recordings_below

TABLE = "recordings.csv"
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


def list_recordings(source: Path, name: str | None = None) -> Listing:
    """Every file below `source` that may be a recording; ids are paths relative to it, without the suffix.

    Where two files differ in their suffix only, ids keep it.

    Args:
      source: the folder.
      name: of the data set; the folder's own name where None.

    Raises:
      FileNotFoundError: when the folder is not there or holds no recording.
      ValueError: when the name cannot be a data set's, or the table cannot be read.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"expected a folder of recordings, {source} is none: check --source")
    told = _table(source / TABLE) if (source / TABLE).is_file() else {}
    found = [path.relative_to(source).as_posix() for path in recordings_below(source)]
    files = [file for file in found if Path(file).name != TABLE]
    if not files:
        raise FileNotFoundError(
            f"expected files of {', '.join(SUFFIXES)} below {source} (arrays and tables with an ecg.yaml), "
            "found none: check --source"
        )
    stems = [re.sub(r"\.[^./]+$", "", file) for file in files]
    times = collections.Counter(stems)
    ids = [file if times[stem] > 1 else stem for file, stem in zip(files, stems)]
    recordings = tuple(Listed(one, file, SPLIT, told.get(file)) for one, file in zip(ids, files))
    missing = tuple(sorted(set(told) - set(files)))
    return Listing(check_name(name or source.resolve().name), folder_reader(source), recordings, missing)


def _table(table: Path) -> dict[str, About]:
    """File -> what is told of it."""
    told: dict[str, About] = {}
    for row in read_table(table, ("file",)):
        file = row["file"].strip()
        if file in told:
            raise ValueError(f"{TABLE}: expected each file once, {file} stands there twice")
        texts = {key: (row.get(key) or "").strip() for key in ("patient_id", "age", "sex", "labels")}
        labels = tuple(dict.fromkeys(label.strip() for label in texts["labels"].split(";") if label.strip()))
        told[file] = About(
            patient_id=texts["patient_id"] or None,
            labels=labels,
            likelihoods=(float("nan"),) * len(labels),
            age=parse_age(texts["age"]),
            sex=_SEX.get(texts["sex"].lower(), ""),
        )
    return told
