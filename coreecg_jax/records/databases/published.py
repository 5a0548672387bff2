"""What a publisher says of a database, beside how its folder is listed."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from coreecg_jax.records.databases.header_comments import parse_comments
from coreecg_jax.records.databases.listing import About, Listed, Listing
from coreecg_jax.records.refusals import RecordingRefused
from coreecg_jax.records.wfdb_files import wfdb_reader
from coreecg_jax.records.wfdb_headers import read_comments

SPLIT = "recordings"  # of a database without a published split; "all" is reserved by tensorflow-datasets


@dataclasses.dataclass(frozen=True)
class Database:
    """One public database. The sentences are those of the table in docs/data.md."""

    name: str  # of the data set, and of --database
    title: str
    release: str  # whose files the layout is
    records: int  # published
    sampling_rate: str  # Hz, and how long
    labels: str
    label_sets: tuple[str, ...]  # of `records.label_sets`
    patients: str  # where the patient's id comes from
    folds: str
    licence: str
    citation: str  # DOI of the data, then of the paper
    list_recordings: Callable[[Path], Listing]


def list_wfdb(
    name: str,
    source: Path,
    files: Sequence[str],
    published: int,
    label_sets: tuple[str, ...],
    *,
    about: Callable[[str], About | None] = lambda file: None,
    split: Callable[[str], str] = lambda file: SPLIT,
) -> Listing:
    """Those WFDB records of a database that are there; ids are the names of the records.

    Args:
      name: of the database.
      source: its folder.
      files: headers, relative to it.
      published: how many the whole database has.
      label_sets: of the database.
      about: what is known of a record besides what its header's comments say; None: nothing.
      split: that a record belongs to.

    Raises:
      ValueError: when two folders hold a record of one name.
    """
    by_name: dict[str, str] = {}
    for file in sorted(files):
        record = Path(file).stem
        if record in by_name:
            raise ValueError(
                f"{name}: expected each record once, {record} is in {by_name[record]} and {file}: "
                "give the folder of one copy as --source"
            )
        by_name[record] = file
    listed = tuple(Listed(record, file, split(file), about(file)) for record, file in by_name.items())
    return Listing(name, wfdb_reader(source), listed, published=published, label_sets=label_sets)


def challenge_database(
    *, name: str, title: str, records: int, sampling_rate: str, label_sets: tuple[str, ...], pattern: str
) -> Database:
    """A database that came out with the PhysioNet challenges: every header that fits, in whatever folders."""

    def list_recordings(source: Path) -> Listing:
        files = headers_below(source, pattern, title)
        return list_wfdb(name, source, files, records, label_sets)

    return Database(
        name=name,
        title=title,
        release="challenge-2021 1.0.3",
        records=records,
        sampling_rate=sampling_rate,
        labels="SNOMED CT",
        label_sets=label_sets,
        patients="unknown: each recording its own",
        folds="none: made here, `fold1` to `fold10`",
        licence="CC BY 4.0",
        citation="10.13026/34va-7q14",
        list_recordings=list_recordings,
    )


def headers_below(source: Path, pattern: str, what: str) -> list[str]:
    """Headers below `source`, relative to it, whose name the glob pattern fits.

    Raises:
      FileNotFoundError: when the folder is not there or holds none.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"expected the folder of {what}, {source} is none: check --source")
    files = [path.relative_to(source).as_posix() for path in source.rglob(pattern)]
    if not files:
        raise FileNotFoundError(
            f"expected headers {pattern} of {what} below {source}, found none: check --source"
        )
    return files


def header_about(header: Path) -> About:
    """What the comments of a header say; nothing where it cannot be read, for then its record is refused."""
    try:
        return parse_comments(read_comments(header))
    except RecordingRefused:
        return About()
