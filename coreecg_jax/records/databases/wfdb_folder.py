"""Any folder tree of WFDB records: what each header says is all that is known."""

import re
from pathlib import Path

from coreecg_jax.records.databases.listing import Listed, Listing
from coreecg_jax.records.databases.other_files import not_looked_at
from coreecg_jax.records.wfdb_files import wfdb_reader

SPLIT = "recordings"  # "all" is reserved by tensorflow-datasets


def list_recordings(source: Path, name: str | None = None) -> Listing:
    """Every `.hea` below `source`, sorted; ids are paths relative to it, without suffix.

    Args:
      source: the folder.
      name: of the data set; the folder's own name where None.

    Raises:
      FileNotFoundError: when the folder is not there or holds no header.
      ValueError: when the name cannot be a data set's.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"expected a folder of WFDB records, {source} is none: check --source")
    files = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.hea"))
    if not files:
        raise FileNotFoundError(f"expected WFDB headers (*.hea) below {source}, found none: check --source")
    recordings = tuple(Listed(file.removesuffix(".hea"), file, SPLIT) for file in files)
    named, others = check_name(name or source.resolve().name), not_looked_at(source, files, arrays=False)
    return Listing(named, wfdb_reader(source), recordings, not_looked_at=others)


def check_name(name: str) -> str:
    """The name, when it can be a data set's: it becomes a folder and part of file names.

    Raises:
      ValueError: otherwise.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(
            f"data set name: expected lower-case letters, digits and '_', a letter first, got {name!r}: "
            "give one by --name"
        )
    return name
