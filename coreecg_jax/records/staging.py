"""The folder of a data set that is being prepared: `.incomplete-NAME`, one run at a time, gone on with.

What it holds is of no use to a reader. It has the settings it was begun with, finished shards, and a lock.
"""

import contextlib
import functools
import json
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from coreecg_jax.locks import locked
from coreecg_jax.records.databases.listing import NOT_DIVIDED
from coreecg_jax.records.one_shard import DATA, PARTS, TEMPORARY
from coreecg_jax.records.refusals import NothingReadable
from coreecg_jax.records.schema import OtherSettings

_SETTINGS, _LOCK = "settings.json", "lock"


@contextlib.contextmanager
def staging(out: Path, name: str, asked: Mapping[str, Any], overwrite: bool) -> Generator[Path]:
    """The folder, with the shards that an earlier run with the same settings finished.

    Kept on a failure when it has finished shards.

    Raises:
      BlockingIOError: when another run prepares the data set.
      OtherSettings: when it was begun with other settings and `overwrite` is false.
    """
    folder = out / f".incomplete-{name}"
    out.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK, functools.partial(_refusal, folder, name)):
        _begin(folder, json.loads(json.dumps(asked)), overwrite)
        try:
            yield folder
        except NothingReadable:
            shutil.rmtree(folder)
            raise
        except BaseException as error:
            _sweep(folder)
            finished = len(list((folder / PARTS).glob("*.json")))
            if not finished:
                shutil.rmtree(folder)
            elif isinstance(error, KeyboardInterrupt):
                told = f"interrupted; the same command goes on, with {finished} shards finished"
                raise KeyboardInterrupt(told) from error
            raise
        shutil.rmtree(folder)


def _refusal(folder: Path, name: str, holder: str) -> str:
    return (
        f"{folder} is locked: another run{holder} prepares {name} there; wait for it, or choose another --out"
    )


def _begin(folder: Path, asked: dict[str, Any], overwrite: bool) -> None:
    """Makes what is not there. What a killed run had half written goes."""
    path = folder / _SETTINGS
    began = NOT_DIVIDED | json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if began is not None and began != asked:
        differing = [
            f"{key} was {began.get(key)}, asked for {value}"
            for key, value in asked.items()
            if began.get(key) != value
        ]
        if not overwrite:
            raise OtherSettings(
                f"{folder} is a data set that was begun with other settings ({'; '.join(differing)}): go on "
                "with those, start anew with --overwrite, or choose another --out"
            )
    if began != asked:
        for left in (DATA, PARTS):
            shutil.rmtree(folder / left, ignore_errors=True)
        temporary = folder / f"{TEMPORARY}settings"
        temporary.write_text(json.dumps(asked), encoding="utf-8")
        temporary.replace(path)
    for needed in (DATA, PARTS):
        (folder / needed).mkdir(exist_ok=True)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Removes what has a temporary name."""
    for place in (folder, folder / DATA, folder / PARTS):
        for path in place.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)
