"""Compares every file of prepared data sets with its SHA-256; what was damaged or changed is named.

python -m launch.verify --data_root=data
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from coreecg_jax.records.checksums import damaged, read_sums
from coreecg_jax.records.spelling import with_guess
from launch.shell import run_main

_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_DATA = flags.DEFINE_multi_string("data", [], "Name of a data set, may be repeated; default: all.")


def _folders() -> list[Path]:
    """The folders of the data sets that the flags name, all versions."""
    root = Path(_DATA_ROOT.value)
    if not root.is_dir():
        raise FileNotFoundError(f"--data_root: expected a folder of data sets, {root} is none")
    found = sorted(path.parent for path in root.glob("*/*.*.*/preprocessing.json"))
    there = sorted({folder.parent.name for folder in found})
    if unknown := sorted(set(_DATA.value) - set(there)):
        named = ", ".join(with_guess(name, there) for name in unknown)
        raise ValueError(f"--data: no data set {named} in {root}; there are {', '.join(there) or 'none'}")
    if not found:
        raise ValueError(f"--data_root: {root} holds no data set: expected what launch.prepare --out wrote")
    return [folder for folder in found if not _DATA.value or folder.parent.name in _DATA.value]


def main(argv: Sequence[str]) -> None:
    """Reads all, says for each data set that it is whole, or names what is not."""
    del argv
    faults: list[str] = []
    for folder in _folders():
        try:
            sums = read_sums(folder)
        except (FileNotFoundError, ValueError) as error:
            faults.append(str(error))
            continue
        size = sum((folder / name).stat().st_size for name in sums if (folder / name).is_file())
        with tqdm(total=size, unit="B", unit_scale=True, desc=folder.parent.name) as bar:
            found = list(damaged(folder, sums, bar.update))
        faults += found
        verdict = f"{len(found)} of {len(sums)} files are not" if found else f"all {len(sums)} files are"
        print(f"{folder}: {verdict} as they were written", flush=True)
    if faults:
        raise ValueError(f"{'; '.join(faults)}: copy again, or prepare with --overwrite")


if __name__ == "__main__":
    run_main(main)
