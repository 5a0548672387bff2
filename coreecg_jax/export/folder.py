"""The folder of a bundle: written whole or not at all, and read only as it was written.

`SHA256SUMS` has a digest of every file, in the format of sha256sum: `sha256sum -c SHA256SUMS` checks a bundle
without us. It finds damage and careless changes. Whoever can change a file and its digest is not stopped
by it: get bundles from whom you trust. What the readers check holds for such a bundle too: no code is run and
nothing is allocated that the files do not hold.
"""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path

from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.records.checksums import SUMS, digest_of_file

CONFIG = "config.json"
TENSORS = "model.safetensors"
VECTORS = "test_vectors.npz"
CARD = "MODEL_CARD.md"
README = "README.md"  # the card again, by the name that model hubs read
LICENCE = "LICENSE"  # what the front matter of the card links to
ONNX = "model.onnx"
STABLEHLO = "model.stablehlo"
NEEDED = (CONFIG, TENSORS)
# The largest that each may be, bytes.
FILES = {
    CONFIG: 1 << 20,
    TENSORS: 1 << 36,
    VECTORS: 1 << 28,
    CARD: 1 << 20,
    README: 1 << 20,
    LICENCE: 1 << 20,
    ONNX: 1 << 31,  # what a protocol buffer can hold
    STABLEHLO: 1 << 36,
}
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


@contextlib.contextmanager
def new_folder(out: Path) -> Generator[Path]:
    """A folder beside `out` to write into; it becomes `out`, with its digests, when all went well.

    Raises:
      FileExistsError: when `out` is there.
    """
    require_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        yield staging
        names = sorted(path.name for path in staging.iterdir())
        lines = [f"{digest_of_file(staging / name)}  {name}\n" for name in names]
        (staging / SUMS).write_text("".join(lines), encoding="utf-8")
        staging.chmod(0o755)  # a temporary folder is its owner's alone
        os.rename(staging, out)  # an empty folder made meanwhile is replaced, any other stays and this raises
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def require_free(out: Path) -> None:
    """Raises FileExistsError when `out` is there."""
    if out.exists() or out.is_symlink():
        raise FileExistsError(f"--out: {out} is there already: choose another, or remove it")


def read_sums(folder: Path) -> dict[str, str]:
    """File -> digest, as `SHA256SUMS` has them.

    Raises:
      FileNotFoundError: when there is no such folder, or it has no such file.
      BundleRefused: when it names anything but the files of a bundle, one twice, or lacks one that is needed.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no bundle {folder}: expected a folder that launch.export wrote")
    text = _checked_file(folder, SUMS, 1 << 16).read_bytes().decode("ascii", errors="replace")
    *lines, end = text.split("\n")
    found = [_LINE.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in found if match}
    if end or not all(found) or len(sums) < len(lines) or not set(NEEDED) <= set(sums) <= set(FILES):
        raise BundleRefused(
            f"{SUMS}: expected one line of digest and name for each file, among them {', '.join(NEEDED)}, "
            f"and no others than {', '.join(FILES)}; got {[line[:120] for line in lines[:8]]}"
        )
    return sums


def intact(folder: Path, name: str, sums: Mapping[str, str]) -> Path:
    """The path of a file of the bundle that is as it was written.

    Raises:
      FileNotFoundError: when it is not there.
      BundleRefused: when it is no plain file, too large, or its digest another.
    """
    if name not in sums:
        raise FileNotFoundError(f"{folder} has no {name}: export with it (launch.export --formats)")
    path = _checked_file(folder, name, FILES[name])
    if digest_of_file(path) != sums[name]:
        raise BundleRefused(
            f"{path}: its SHA-256 is not that of {SUMS}: it was damaged or changed after it was written; "
            "copy the bundle again"
        )
    return path


def require_intact(folder: Path | str) -> list[str]:
    """Looks at every file of a bundle, as `sha256sum -c SHA256SUMS` does: also at those that others read.

    Returns:
      The names of the files.

    Raises:
      FileNotFoundError, BundleRefused: as `read_sums` and `intact`.
    """
    sums = read_sums(Path(folder))
    return [intact(Path(folder), name, sums).name for name in sums]


def _checked_file(folder: Path, name: str, largest: int) -> Path:
    path = folder / name
    try:
        about = path.lstat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder} lacks {name}: no bundle, or not copied whole") from None
    if not stat.S_ISREG(about.st_mode):
        raise BundleRefused(
            f"{path}: expected a plain file; copy the bundle with `cp -rL` where it has links"
        )
    if about.st_size > largest:
        raise BundleRefused(f"{path}: expected at most {largest} bytes, got {about.st_size}")
    return path
