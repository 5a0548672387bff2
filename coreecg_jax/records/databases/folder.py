"""One's own recordings: a tree of WFDB, EDF, DICOM, HL7 aECG, GE MUSE, CSV, NPY and HDF5 files, also mixed.

What is known of patients is what `recordings.csv` in the folder says: a column `file` (relative to the
folder) and any of `patient_id`, `age`, `sex` (F, M), `labels` (`;` between them); what it leaves
empty the files say.
"""

import collections
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_age
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.databases.other_files import not_looked_at
from coreecg_jax.records.databases.published import SPLIT
from coreecg_jax.records.databases.tables import read_lines, require_no_near_name
from coreecg_jax.records.databases.wfdb_folder import check_name
from coreecg_jax.records.formats.files import SUFFIXES, folder_reader, recordings_below

TABLE = "recordings.csv"
COLUMNS = ("file", "patient_id", "age", "sex", "labels")
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}
_NO_VALUE = ("", "unknown", "nan", "n/a", "na", "none")  # as programs write that nothing is known
_NO_LABEL = ("nan", "n/a", "na")  # "none" and "unknown" may be what a reader of the recording said
_EXPECTED = {
    "age": "no number of years such as 67.5",
    "sex": "none of F, female, M, male",
    "patient_id": "no patient's",
    "labels": "no label",
}
_LONGEST = 50  # characters of a value that are shown

# Column -> values that cannot be read, each with the number of its line.
_Unread = dict[str, list[tuple[str, int]]]


def list_recordings(source: Path, name: str | None = None) -> Listing:
    """Every file below `source` that may be a recording; ids are paths relative to it, without the suffix.

    Where two files differ in their suffix only, ids keep it.

    Args:
      source: the folder.
      name: of the data set; the folder's own name where None.

    Raises:
      FileNotFoundError: when the folder is not there or holds no recording.
      ValueError: when the name cannot be a data set's, or the table cannot be read, is of other files or
        has another name (`Recordings.csv`).
    """
    if not source.is_dir():
        raise FileNotFoundError(f"expected a folder of recordings, {source} is none: check --source")
    require_no_near_name(source / TABLE, "file")
    found = [path.relative_to(source).as_posix() for path in recordings_below(source)]
    files = [file for file in found if Path(file).name != TABLE]
    if not files:
        others = not_looked_at(source, (), (TABLE,)).replace("\n", "; ")
        raise FileNotFoundError(
            f"expected files of {', '.join(SUFFIXES)} below {source} (arrays and tables with an ecg.yaml), "
            f"found none: check --source{others and f' ({others})'}"
        )
    told, unread = _table(source / TABLE, files) if (source / TABLE).is_file() else ({}, {})
    times = collections.Counter(map(_stem, files))
    ids = [file if times[_stem(file)] > 1 else _stem(file) for file in files]
    recordings = tuple(Listed(one, file, SPLIT, told.get(file), True) for one, file in zip(ids, files))
    missing = tuple(sorted(set(told) - set(files)))
    named, reader = check_name(name or source.resolve().name), folder_reader(source)
    others = not_looked_at(source, files, (TABLE,))
    note = "\n".join(_astray(told, files) + _left_empty(unread) + _in_one(told, set(files)))
    return Listing(named, reader, recordings, missing, note=note, not_looked_at=others)


def _table(table: Path, files: Sequence[str]) -> tuple[dict[str, About], _Unread]:
    """File -> what is told of it, as the table names it where it is none of `files`; what cannot be read."""
    told: dict[str, About] = {}
    unread: _Unread = {column: [] for column in _EXPECTED}
    known = {file: file for file in files}
    meant = _by_stem(files) | known
    for line, row in read_lines(table, ("file",), only=COLUMNS):
        file = _file(row["file"].strip(), meant)
        if file in told:
            raise ValueError(f"{TABLE}: expected each file once, {file} stands there twice")
        about = told[file] = _about(row)
        for column, value in _counts_as_empty(row, about) if file in known else ():
            unread[column].append((value, line))
    if told and not set(told) & set(files):
        raise ValueError(
            f"{TABLE}: expected file to name files below {table.parent}, such as {files[0]!r}; none of its "
            f"{len(told)} rows does, the first says {next(iter(told))[:200]!r}"
        )
    return told, unread


def _about(row: Mapping[str, str]) -> About:
    texts = _texts(row)
    labels = tuple(dict.fromkeys(label for label in _labels(texts) if label.lower() not in _NO_LABEL))
    return About(
        # One name for all who are not known would make one patient of them.
        patient_id=None if texts["patient_id"].lower() in _NO_VALUE else texts["patient_id"],
        labels=labels,
        likelihoods=(float("nan"),) * len(labels),
        age=parse_age(texts["age"]),
        sex=_SEX.get(texts["sex"].lower(), ""),
    )


def _texts(row: Mapping[str, str]) -> dict[str, str]:
    return {key: (row.get(key) or "").strip() for key in COLUMNS[1:]}


def _labels(texts: Mapping[str, str]) -> list[str]:
    return [label.strip() for label in texts["labels"].split(";") if label.strip()]


def _counts_as_empty(row: Mapping[str, str], about: About) -> Iterator[tuple[str, str]]:
    """(column, value) of what stands in a row and is worth telling that it counts as nothing."""
    texts = _texts(row)
    for column, lacking in (("age", math.isnan(about.age)), ("sex", not about.sex)):
        if lacking and texts[column].lower() not in _NO_VALUE:
            yield column, texts[column]
    if texts["patient_id"] and about.patient_id is None:
        yield "patient_id", texts["patient_id"]
    nothing = [label for label in _labels(texts) if label.lower() in _NO_LABEL]
    if nothing:
        yield "labels", nothing[0]


def _stem(file: str) -> str:
    return re.sub(r"\.[^./]+$", "", file)


def _by_stem(files: Sequence[str]) -> dict[str, str]:
    """Name without suffix -> file, where only one file has it."""
    times = collections.Counter(map(_stem, files))
    return {_stem(file): file for file in files if times[_stem(file)] == 1}


def _file(named: str, meant: Mapping[str, str]) -> str:
    r"""The file that is meant: also without its suffix, as WFDB names records, or with Windows' `\`."""
    return meant.get(named) or meant.get(named.replace("\\", "/").removeprefix("./"), named)


def _astray(told: Mapping[str, About], files: Sequence[str]) -> list[str]:
    """What a table says of files that are not there, while there are some of which it says nothing."""
    astray, silent = sorted(set(told) - set(files)), sorted(set(files) - set(told))
    if not (astray and silent):
        return []
    return [
        f"{TABLE}: {len(astray)} of {len(told)} rows name no file that is there (the first: {astray[0]!r}), "
        f"and {len(silent)} files have no row (the first: {silent[0]!r}): check the column file"
    ]


def _left_empty(unread: _Unread) -> list[str]:
    """Values of recordings that cannot be read, which count as if nothing stood there."""
    notes = []
    for column, values in unread.items():
        if values:
            value, line = values[0]
            count = "1 recording" if len(values) == 1 else f"{len(values)} recordings"
            first = "the first: " * (len(values) > 1) + f"{value[:_LONGEST]!r}, line {line}"
            notes.append(f"{TABLE}: {column} of {count} is {_EXPECTED[column]} ({first}): left empty")
    return notes


def _pieces(label: str) -> set[str]:
    """What stands between its commas; nothing where there is none."""
    return {piece.strip() for piece in label.split(",")} if "," in label else set()


def _in_one(told: Mapping[str, About], files: Collection[str]) -> list[str]:
    """Labels that are several, as it seems: lists of Python, or with a comma between labels of others."""
    alone = {label for about in told.values() for label in about.labels}
    found = [
        (file, label)
        for file, about in told.items()
        for label in about.labels
        if file in files and (label.startswith("[") or _pieces(label) & alone)
    ]
    if not found:
        return []
    file, label = found[0]
    count = len({file for file, _ in found})
    return [
        f"{TABLE}: labels of {count} recording{'s' * (count > 1)} seem to be several in one (the first: "
        f"{label[:_LONGEST]!r} of {file}); taken as they stand: write ; between labels"
    ]
