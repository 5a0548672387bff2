"""A folder that one process at a time works in: a lock of the system on a file in it.

The system lets go of it when the process ends, however it ends; what a killed one leaves is a file that holds
nobody up.
"""

import contextlib
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Callable, Generator
from pathlib import Path

# As file systems say it that have no locks, or none between hosts.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
_HOLDER_BYTES = 400
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Held(BlockingIOError):
    """A lock that another holds.

    Attributes:
      holder: 'process 7 on host', or '' where it is not known.
      elsewhere: whether the file says that the holder is on another machine; on a network file system the
        lock of one that is gone stays until the server lets go of it.
    """

    def __init__(self, message: str, holder: str, elsewhere: bool) -> None:
        super().__init__(message)
        self.holder = holder
        self.elsewhere = elsewhere


@contextlib.contextmanager
def locked(path: Path, refusal: Callable[[str], str]) -> Generator[None]:
    """Holds the lock of a file, made with its folder where it is not there, and removed at the end; so are
    the folders that were made for it, where nothing was put in.

    Where the file system has no locks it goes on without, and says so.

    Args:
      path: of the file, which says who holds it.
      refusal: what to say where another holds it, given ' (process 7 on host)', or '' where it is not known.

    Raises:
      Held: with `refusal`, where another process, or this one elsewhere, holds it.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    descriptor = _taken(path, refusal)
    try:
        yield
    finally:
        if _is_at(path, descriptor):  # who holds it may have removed its folder, and another begun anew
            path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # not empty, or gone
            for folder in made:
                folder.rmdir()


def _taken(path: Path, refusal: Callable[[str], str]) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # who held it has just removed the folder
            continue
        try:
            _lock(path, descriptor, refusal)
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it may have removed the file between the opening and the lock.
        if _is_at(path, descriptor):
            with contextlib.suppress(OSError):  # a full disk: who holds it is then not known
                os.ftruncate(descriptor, 0)
                holder = f"process {os.getpid()} on {socket.gethostname()}\nmachine {machine()}\n"
                os.pwrite(descriptor, holder.encode(), 0)
                os.fsync(descriptor)  # other hosts of a network file system read it now
            return descriptor
        os.close(descriptor)


def _lock(path: Path, descriptor: int, refusal: Callable[[str], str]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, _HOLDER_BYTES, 0).decode(errors="replace")
        holder, _, rest = said.strip().partition("\n")
        raise Held(refusal(f" ({holder})" if holder else ""), holder, _is_elsewhere(rest)) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        sys.stderr.write(
            f"warning: the file system of {path.parent} has no locks ({error.strerror}): see to it that "
            "nothing else works in this folder at the same time\n"
        )


def machine() -> str:
    """What tells this machine, since it was started, from others: a container that is started again elsewhere
    may have the name of the one before."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):  # not Linux
        return socket.gethostname()


def _is_elsewhere(said: str) -> bool:
    """Whether the line 'machine …' names another; where there is none it may as well be this one."""
    word, _, named = said.strip().partition(" ")
    return word == "machine" and named not in ("", machine())


def _is_at(path: Path, descriptor: int) -> bool:
    return path.is_file() and os.path.samestat(os.fstat(descriptor), path.stat())
