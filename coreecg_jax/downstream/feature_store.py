"""Features are computed once: for each recording as it is, by each frozen representation."""

import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

from coreecg_jax.downstream.features import Extract, recording_rows
from coreecg_jax.downstream.recording_digests import recording_digests
from coreecg_jax.inputs.reader import Recordings


class FeatureStore:
    """An extractor that remembers; on disk too, where it is given a file.

    A recording is known by all that is read of it (`recording_digests`), so that subsets of labels, folds and
    tasks share features, and subsets of leads, or data that were prepared again, do not. Files of versions
    that knew recordings by less hold none that is known.

    Attributes:
      extract: from recordings to float32 (R, F).
    """

    def __init__(self, extract: Extract, file: Path | None = None):
        """Remembers in `file`, an .npz, too."""
        self.extract = extract
        self._file = file
        self._known: dict[str, np.ndarray] = _read(file) if file else {}

    def __call__(self, recordings: Recordings) -> np.ndarray:
        """float32 (R, F), recordings in the order of first appearance."""
        owner, keys = recording_rows(recordings), recording_digests(recordings)
        missing = np.array([key not in self._known for key in keys])
        if missing.any():
            new = self.extract(recordings.take(missing[owner]))
            self._known.update(zip(np.array(keys)[missing].tolist(), new, strict=True))
            if self._file:
                _keep(self._file, self._known)
        return np.stack([self._known[key] for key in keys])


def _read(file: Path) -> dict[str, np.ndarray]:
    """What the file holds; nothing where it is not there or not whole: features can be computed again."""
    try:
        # numpy does not close a file that it opened itself and cannot read.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            return dict(zip(stored["keys"].tolist(), stored["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _keep(file: Path, known: dict[str, np.ndarray]) -> None:
    """Writes what is known; where that cannot be, as of a run that is read only, it warns."""
    try:
        _write(file, known)
    except OSError as error:
        why = error.strerror or str(error)
        warnings.warn(
            f"{file}: features are not kept ({why}): they are computed again next time", stacklevel=3
        )


def _write(file: Path, known: dict[str, np.ndarray]) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".features-") as staging:
        new = Path(staging) / file.name
        np.savez(new, keys=np.array(list(known)), features=np.stack(list(known.values())))
        os.replace(new, file)
