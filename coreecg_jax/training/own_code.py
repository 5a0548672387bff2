"""Which code this is: a commit, or where nobody knows it a digest of the files."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import coreecg_jax

COMMIT_VARIABLE = "COREECG_COMMIT"  # set where an image is built: there is no git in it
PACKAGE = "coreecg_jax"
_CODE = (".py", ".csv")


def root() -> Path:
    """Where the package lies, and what is installed beside it."""
    return Path(str(resources.files(coreecg_jax))).parent


def version_of_code() -> str:
    """The commit of the package (`commit_of`), or 'digest 0123…' of its files."""
    return commit_of(root(), (PACKAGE,)) or f"digest {digest_of_code((PACKAGE,))[:40]}"


def commit_of(folder: Path, parts: Sequence[str]) -> str:
    """The git commit that parts of a folder are of, with '+' where their code differs from it; without git,
    or where git does not know them, what `COREECG_COMMIT` says, '' without that too.

    A repository that the folder happens to lie in, as site-packages may, says nothing of files that it does
    not track.
    """
    tracked = _git(folder, "ls-files", "--error-unmatch", "--", *parts)
    commit = _git(folder, "rev-parse", "HEAD") if tracked else None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=all", "--", *parts) if commit else None
    if changed is None:
        return os.environ.get(COMMIT_VARIABLE, "").strip()
    return f"{commit}+" if any(map(_is_code, changed.splitlines())) else f"{commit}"


def digest_of_code(folders: Sequence[str] = (PACKAGE,)) -> str:
    """SHA-256 of the files of the package, or of what lies beside it, too."""
    total = hashlib.sha256()
    files = (path for name in folders for path in (root() / name).rglob("*") if path.suffix in _CODE)
    for file in sorted(files):
        total.update(str(file.relative_to(root())).encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _git(folder: Path, *command: str) -> str | None:
    """What git answers; None where it is not there, or refuses."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *command], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def _is_code(line: str) -> bool:
    """Whether a line of `git status` is of a file that was changed, or of a module that git does not know."""
    return not line.startswith("??") or line.strip('"').endswith(_CODE)
