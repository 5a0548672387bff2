"""What data sets a folder holds: for those who only have a folder."""

import re
from pathlib import Path

from coreecg_jax.records.databases import ptbxl, wfdb_folder
from coreecg_jax.records.databases.listing import Listing

# A folder of more subfolders than this is one data set cut into pieces (MIMIC's p1000, p1001, …).
MOST_DATA_SETS = 20


def discover(folder: Path) -> list[Listing]:
    """The data sets of a folder: itself, or each subfolder that holds WFDB headers; PTB-XL by its table.

    Raises:
      FileNotFoundError: when the folder is not there or holds no WFDB header.
      ValueError: when two subfolders would have one name, or PTB-XL's table cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of ECGs, {folder} is none: check the path")
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and _holds_headers(path))
    alone = (folder / ptbxl.TABLE).is_file() or any(folder.glob("*.hea")) or len(subfolders) > MOST_DATA_SETS
    folders = [folder] if alone else subfolders
    if not folders:
        raise FileNotFoundError(
            f"expected WFDB headers (*.hea) in {folder} or its subfolders, found none: check the path"
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
    return wfdb_folder.list_recordings(folder, _name_of(folder))


def _name_of(folder: Path) -> str:
    """The folder's name as a data set may have it."""
    name = re.sub(r"\W+", "_", folder.resolve().name.lower(), flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"ecg_{name}"


def _holds_headers(folder: Path) -> bool:
    return next(folder.rglob("*.hea"), None) is not None
