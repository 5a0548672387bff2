"""CPSC2018 = ICBEB2018 (Liu et al. 2018, doi:10.1166/jmihi.2018.2442): WFDB of the PhysioNet challenges, or
the contest's own MATLAB files (`A0001.mat`, where there is no header).

Labels are the SNOMED CT codes after `Dx:`. In some copies that is empty in headers, and the contest's files
have none: then they stand in `REFERENCE.csv`, as numbers 1 to 9, which become the codes that the challenge
gives them. What a header says counts more than the table.
"""

import dataclasses
import functools
from pathlib import Path

from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.published import (
    SPLIT,
    Database,
    header_about,
    headers_below,
    list_wfdb,
)
from coreecg_jax.records.databases.tables import read_table
from coreecg_jax.records.formats.contest_mat import read_contest_mat
from coreecg_jax.records.recording import Recording

NAME = "cpsc2018"
TABLE = "REFERENCE.csv"
_RECORD = "A[0-9][0-9][0-9][0-9]"
_COLUMNS = ("Recording", "First_label", "Second_label", "Third_label")
# Number in the table -> SNOMED CT: normal, AF, I-AVB, LBBB, RBBB, PAC, PVC, STD, STE.
CODES = {
    "1": "426783006",
    "2": "164889003",
    "3": "270492004",
    "4": "164909002",
    "5": "59118001",
    "6": "284470004",
    "7": "164884008",
    "8": "429622005",
    "9": "164931005",
}


def list_recordings(source: Path) -> Listing:
    """Every `Annnn.hea` below the source, or `Annnn.mat`, in whatever folders; `REFERENCE.csv` of the source
    where it is.

    Raises:
      FileNotFoundError: when there is none, or the contest's files are without their table.
      ValueError: when the table cannot be read, or a record is there twice.
    """
    table = source / TABLE
    contest = sorted(source.rglob(f"{_RECORD}.mat")) if not any(source.rglob(f"{_RECORD}.hea")) else []
    if contest:
        return _list_contest(source, contest, _labels(table))
    files = headers_below(source, f"{_RECORD}.hea", "CPSC2018")
    labels = _labels(table) if table.is_file() else {}
    about = functools.partial(_about, source, labels)
    return list_wfdb(NAME, source, files, DATABASE.records, DATABASE.label_sets, about=about)


def _list_contest(source: Path, files: list[Path], labels: dict[str, tuple[str, ...]]) -> Listing:
    """The contest's own files."""
    named = {path.stem: path.relative_to(source).as_posix() for path in files}
    if len(named) < len(files):
        raise ValueError(f"{NAME}: expected each record once: give the folder of one copy as --source")
    listed = tuple(Listed(record, file, SPLIT) for record, file in named.items())
    reader = functools.partial(_read, source, labels)
    return Listing(NAME, reader, listed, published=DATABASE.records, label_sets=DATABASE.label_sets)


def _read(source: Path, labels: dict[str, tuple[str, ...]], file: str) -> Recording:
    """With the labels of the table as a header would have them."""
    raw = read_contest_mat(source / file)
    codes = ",".join(labels.get(Path(file).stem, ()))
    return dataclasses.replace(raw, comments=(*raw.comments, f"Dx: {codes}"))


def _about(source: Path, labels: dict[str, tuple[str, ...]], file: str) -> About | None:
    """The labels of the table where the header has none; else None, what the header says."""
    found = labels.get(Path(file).stem)
    if found is None or (said := header_about(source / file)).labels:
        return None
    return dataclasses.replace(said, labels=found, likelihoods=(float("nan"),) * len(found))


def _labels(table: Path) -> dict[str, tuple[str, ...]]:
    """Record -> SNOMED CT codes."""
    labels = {}
    for row in read_table(table, _COLUMNS):
        numbers = [row[column].strip() for column in _COLUMNS[1:]]
        unknown = [number for number in numbers if number and number not in CODES]
        if unknown or not numbers[0]:
            raise ValueError(f"{TABLE}: {row['Recording']}: expected labels 1 to 9, got {', '.join(numbers)}")
        labels[row["Recording"].strip()] = tuple(dict.fromkeys(CODES[number] for number in numbers if number))
    return labels


DATABASE = Database(
    name=NAME,
    title="CPSC2018 (ICBEB2018)",
    release="challenge-2021 1.0.3; the contest's own",
    records=6_877,
    sampling_rate="500, 6 to 144 s",
    labels="SNOMED CT; `REFERENCE.csv` where `Dx:` is empty",
    label_sets=("cpsc2018", "cinc2021"),
    patients="unknown: each recording its own",
    folds="none: made here, `fold1` to `fold10`",
    licence="CC BY 4.0",
    citation="10.13026/34va-7q14, 10.1166/jmihi.2018.2442",
    list_recordings=list_recordings,
)
