"""Whether what a launcher is to write can be written: asked before minutes go into it."""

import contextlib
import os
import tempfile
from pathlib import Path


def require_writable(flag: str, path: str | Path, *, is_file: bool = False) -> None:
    """Refuses a file or folder, there already or not, that cannot be written; nothing is left behind.

    Raises:
      OSError: with a sentence that names the flag.
    """
    if why := _taken(Path(path), is_file) or unwritable(path):
        raise OSError(f"{flag}={path} cannot be written ({why}): choose another {flag}")


def unwritable(path: str | Path) -> str:
    """Why nothing can be made in a folder, or beside a file, that may not be there yet; '' where it can.

    A file is made, without a name where the system can: what permissions say is not all, as root may do all
    and a file system may be mounted read-only, or be none that takes files (/proc).
    """
    folder = Path(path)
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if folder == Path(path) and not folder.is_dir():
        folder = folder.parent  # a file that is there is replaced
    try:
        with contextlib.closing(tempfile.TemporaryFile(dir=folder)):
            return ""
    except OSError as error:
        return f"{folder}: {(error.strerror or str(error)).lower()}"


def _taken(path: Path, is_file: bool) -> str:
    if path.exists() and path.is_dir() == is_file:
        return "a folder is there" if is_file else "a file is there"
    return ""
