"""What data sets a folder holds: for those who only have a folder."""

import re
from pathlib import Path

from coreecg_jax.records.databases import folder as own
from coreecg_jax.records.databases import ptbxl
from coreecg_jax.records.databases.listing import Listing
from coreecg_jax.records.databases.tables import require_no_near_name
from coreecg_jax.records.formats.described import FILE
from coreecg_jax.records.formats.files import SUFFIXES, walk_recordings

# A folder of more subfolders than this is one data set cut into pieces (MIMIC's p1000, p1001, …).
MOST_DATA_SETS = 20


def discover(folder: Path) -> list[Listing]:
    """The data sets of a folder: itself, or each subfolder that holds recordings; PTB-XL by its table.

    Recordings are the files that `databases/folder.py` reads. A folder with recordings of its own, or with a
    description of those below it, is one data set.

    Raises:
      FileNotFoundError: when the folder is not there or holds no recording.
      ValueError: when two subfolders would have one name, or a table cannot be read or has another name.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of ECGs, {folder} is none: check the path")
    require_no_near_name(folder / own.TABLE, "file")  # it would span the subfolders
    first = next(walk_recordings(folder), None)
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and any(walk_recordings(path)))
    spanning = any((folder / name).is_file() for name in (ptbxl.TABLE, own.TABLE, FILE))
    alone = first is not None and (spanning or first.parent == folder or len(subfolders) > MOST_DATA_SETS)
    folders = [folder] if alone else subfolders
    if not folders:
        raise FileNotFoundError(
            f"expected recordings ({', '.join(SUFFIXES)}; arrays and tables with an {FILE}) in {folder} or "
            "its subfolders, found none: check the path"
        )
    listings = [_list(path) for path in folders]
    names = [listing.name for listing in listings]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{folder}: two subfolders give one name ({', '.join(repeated)}): rename one")
    return listings


def _list(folder: Path) -> Listing:
    if (folder / ptbxl.TABLE).is_file():
        return ptbxl.list_recordings(folder)
    return own.list_recordings(folder, _name_of(folder))


def _name_of(folder: Path) -> str:
    """The folder's name as a data set may have it."""
    name = re.sub(r"\W+", "_", folder.resolve().name.lower(), flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"ecg_{name}"
