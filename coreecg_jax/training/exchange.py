"""A checkpoint that takes the place of another of its step.

The new one is written beside, and two renames put it there; between them neither is where it is looked for.
A run that was killed at that moment left both beside, and its next start ends what was begun.
"""

import shutil
from pathlib import Path


def place_beside(folder: Path) -> Path:
    """Where the new one is written, for checkpoints of a folder."""
    return folder.with_name(f"{folder.name}_new")


def exchange(folder: Path, step: int) -> None:
    """Puts the new one of a step, whole beside, in the place of the old one, which is removed."""
    name, old = str(step), _place_of_old(folder)
    old.mkdir()
    (folder / name).rename(old / name)
    (place_beside(folder) / name).rename(folder / name)
    forget(folder)


def forget(folder: Path) -> None:
    """Removes what a run that was killed left beside."""
    for place in (place_beside(folder), _place_of_old(folder)):
        shutil.rmtree(place, ignore_errors=True)


def finish(folder: Path) -> str:
    """Ends an exchange that was cut off; the name of the step that is in its place again, '' where none was
    away from it. Nothing is left beside."""
    # Only what is whole is named by its step alone.
    left = [
        path
        for place in (place_beside(folder), _place_of_old(folder))
        for path in place.glob("*")
        if path.name.isdecimal() and not (folder / path.name).exists()
    ]
    if left:
        left[0].rename(folder / left[0].name)
    forget(folder)
    return left[0].name if left else ""


def _place_of_old(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}_old")
