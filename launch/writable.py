"""Whether what a launcher is to write can be written: asked before minutes go into it."""

import contextlib
import os
import tempfile
from pathlib import Path


def require_writable(flag: str, path: str | Path, *, is_file: bool = False) -> None:
    """Refuses a file or folder, there already or not, that cannot be written; nothing is left behind.

    Raises:
      OSError: with a sentence that names the flag.
      ValueError: for an address, which would be taken for a folder below this one.
    """
    if "://" in str(path):
        raise ValueError(
            f"{flag}: expected a path of a file system, got {path}: mount the bucket, or write to a disk and "
            "copy"
        )
    if why := _taken(Path(path), is_file) or unwritable(path):
        raise OSError(f"{flag}={path} cannot be written ({why}): choose another {flag}")


def require_picture(flag: str, path: str | Path) -> None:
    """Refuses what cannot be written as a PNG, or would be another format by its name."""
    _require_named(flag, path, ".png")
    require_writable(flag, path, is_file=True)


def require_page(flag: str, path: str | Path) -> None:
    """Refuses what cannot be written as a page, or is none by its name."""
    _require_named(flag, path, ".html")
    require_writable(flag, path, is_file=True)


def in_its_folder(path: str | Path) -> Path:
    """The path itself, whose folder is made where it is not there: when it is written, not before."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


def unwritable(path: str | Path) -> str:
    """Why nothing can be made in a folder, or beside a file, that may not be there yet; '' where it can.

    A file is made, without a name where the system can: what permissions say is not all, as root may do all
    and a file system may be mounted read-only, or be none that takes files (/proc).
    """
    folder = wanted = Path(path)  # `wanted`: the first of the path that is to be made
    while not os.path.lexists(folder) and folder != folder.parent:
        folder, wanted = folder.parent, folder
    if folder == Path(path) and not folder.is_dir():
        folder = folder.parent  # a file that is there is replaced
    try:
        with contextlib.closing(tempfile.TemporaryFile(dir=folder)):
            return ""
    except FileNotFoundError as error:
        # Where the folder is there, what the system says of the file would be said of the folder.
        return _takes_none(folder, wanted) if folder.is_dir() else _said(folder, error)
    except OSError as error:
        return _said(folder, error)


def _require_named(flag: str, path: str | Path, suffix: str) -> None:
    if Path(path).suffix.lower() != suffix:
        raise ValueError(f"{flag}: expected a file named {suffix}, got {path}")


def _takes_none(folder: Path, wanted: Path) -> str:
    made = "" if wanted == folder else f"{wanted} cannot be made, "
    return f"{made}{folder} takes no files"


def _said(folder: Path, error: OSError) -> str:
    return f"{folder}: {(error.strerror or str(error)).lower()}"


def _taken(path: Path, is_file: bool) -> str:
    if path.exists() and path.is_dir() == is_file:
        return "a folder is there" if is_file else "a file is there"
    return ""
