"""One function that reads a file of any kind; the suffix says which."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from coreecg_jax.records.formats.arrays import read_csv, read_described_hdf5, read_npy
from coreecg_jax.records.formats.described import described_by
from coreecg_jax.records.formats.dicom import read_dicom
from coreecg_jax.records.formats.edf import read_edf
from coreecg_jax.records.formats.xml_files import read_xml
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.wfdb_files import read_wfdb

_WFDB = ".hea"
_SELF_DESCRIBED: dict[str, Callable[[Path], Recording]] = {
    _WFDB: read_wfdb,
    ".edf": read_edf,
    ".dcm": read_dicom,
    ".dicom": read_dicom,
    ".xml": read_xml,
}
DESCRIBED: dict[str, Callable[[Path, Path | None], Recording]] = {
    ".csv": read_csv,
    ".npy": read_npy,
    ".h5": read_described_hdf5,
    ".hdf5": read_described_hdf5,
}
SUFFIXES = (*_SELF_DESCRIBED, *DESCRIBED)


def read_recording(path: Path, top: Path | None = None) -> Recording:
    """The recording of a file: WFDB (its header), EDF, DICOM, HL7 aECG, GE MUSE, CSV, NPY or HDF5.

    Args:
      path: the file.
      top: the folder up to which an `ecg.yaml` is looked for, and that no signal file of WFDB may be
        outside of; the file's own where None.

    Raises:
      RecordingRefused: when it cannot be read, with the reason.
      MissingPackage: when a package for its format is not there.
    """
    suffix = path.suffix.lower()
    if suffix == _WFDB:
        return read_wfdb(path, top)
    if suffix in _SELF_DESCRIBED:
        return _SELF_DESCRIBED[suffix](path)
    if suffix in DESCRIBED:
        return DESCRIBED[suffix](path, top)
    raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: expected one of {', '.join(SUFFIXES)}")


def folder_reader(source: Path) -> functools.partial[Recording]:
    """A function that reads the recording of a file named relative to `source`."""
    return functools.partial(_read_below, source)


def _read_below(source: Path, file: str) -> Recording:
    return read_recording(source / file, source)


def recordings_below(folder: Path) -> list[Path]:
    """Files below a folder that may be recordings, sorted: arrays only where they are described."""
    return sorted(walk_recordings(folder))


def walk_recordings(folder: Path) -> Iterator[Path]:
    """The same as they are found; those of the folder itself come first."""
    for here, _, files in os.walk(folder):
        for path in (Path(here) / name for name in files):
            suffix = path.suffix.lower()
            if suffix in _SELF_DESCRIBED or (suffix in DESCRIBED and described_by(path, folder)):
                yield path
