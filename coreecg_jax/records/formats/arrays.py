"""Plain numbers with an `ecg.yaml`: CSV (a column a lead), NPY, and HDF5.

The axis as long as there are leads is the one of the leads. Nothing is unpickled; shapes are looked at before
memory is asked for.
"""

import dataclasses
import warnings
from pathlib import Path

import numpy as np

from coreecg_jax.records.formats.csv_cells import MAX_LINE, is_number, odd_cell
from coreecg_jax.records.formats.described import Description, describe
from coreecg_jax.records.formats.hdf5 import read_matrix
from coreecg_jax.records.formats.limits import check_file, check_values
from coreecg_jax.records.formats.placing import placed
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import Reason, RecordingRefused

_MAX_TEXT = 100_000_000  # bytes: no more numbers than half of that, 400 MB, before they are counted


def read_npy(path: Path, top: Path | None = None) -> Recording:
    """An array of numbers, leads along either axis.

    Raises:
      RecordingRefused: when it, or what is said of it, cannot be read.
    """
    about = describe(path, top)
    check_file(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "iuf":
            raise ValueError("expected a two-dimensional array of numbers")
        check_values(path.name, *sorted(array.shape))  # the longer axis may be the first
        numbers = np.array(array, np.float64)
    except RecordingRefused:
        raise
    except Exception as error:  # numpy raises whatever its parser of headers stumbles over
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {type(error).__name__}: {error}") from error
    return _recording(path.name, numbers, about)


def read_described_hdf5(path: Path, top: Path | None = None) -> Recording:
    """The data set that the description names, leads along either axis.

    Raises:
      RecordingRefused: when it, or what is said of it, cannot be read.
      MissingPackage: without h5py.
    """
    about = describe(path, top)
    if not about.dataset:
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: expected dataset: in its description")
    return _recording(path.name, read_matrix(path, about.dataset), about)


def read_csv(path: Path, top: Path | None = None) -> Recording:
    """Columns with commas between them, names in the first line, or in the description.

    Raises:
      RecordingRefused: when it, or what is said of it, cannot be read.
    """
    about = describe(path, top)
    check_file(path, _MAX_TEXT)
    try:
        with path.open(encoding="utf-8-sig") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy warns of a file without numbers
            first = file.readline(MAX_LINE)
            _require_commas(path.name, first)
            names = [name.strip().strip('"') for name in first.split(",")]
            numbers = [is_number(name) for name in names]
            if not any(numbers):
                about = _named(path.name, names, about)
            else:
                file.seek(0)
            table_TS = np.loadtxt(file, np.float64, delimiter=",", comments=None, ndmin=2)
    except RecordingRefused:
        raise
    except Exception as error:  # not UTF-8, or what numpy stumbles over
        said = odd_cell(path, about.leads) or f"{type(error).__name__}: {error}"
        raise RecordingRefused(Reason.UNREADABLE, f"{path.name}: {said}") from error
    _require_leads(path.name, about)
    if table_TS.shape[1] != len(about.leads):
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{path.name}: expected {len(about.leads)} columns, one a lead, got {table_TS.shape[1]}",
        )
    check_values(path.name, *table_TS.T.shape)
    return _placed(path.name, table_TS.T, about)


def _require_commas(name: str, line: str) -> None:
    """Refuses what spreadsheets write in many countries; a single column has no separator at all."""
    other = next((mark for mark in ";\t" if mark in line), None)
    if other and ("," not in line or other == ";"):
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: expected commas between columns, got {'semicolons' if other == ';' else 'tabs'} "
            "(and maybe decimal commas): write it with commas and decimal points",
        )


def _named(name: str, header: list[str], about: Description) -> Description:
    """With the names of the header line, which may not be others than those of the description."""
    if about.leads and [one.lower() for one in about.leads] != [one.lower() for one in header]:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: the description names the columns {', '.join(about.leads)}, the header line "
            f"{', '.join(header)[:200]}: leave one of them out",
        )
    return dataclasses.replace(about, leads=tuple(header))


def _recording(name: str, numbers: np.ndarray, about: Description) -> Recording:
    _require_leads(name, about)
    rows, columns = (length == len(about.leads) for length in numbers.shape)
    if rows == columns:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: expected one axis of {len(about.leads)} leads as its description says, got shape "
            f"{numbers.shape}",
        )
    return _placed(name, numbers if rows else numbers.T, about)


def _require_leads(name: str, about: Description) -> None:
    if not about.leads:
        raise RecordingRefused(
            Reason.UNREADABLE,
            f"{name}: its description lacks leads: [I, II, …], the names of its signals in their order (of "
            "a CSV file's columns, where it has no header line)",
        )


def _placed(name: str, signals_ST: np.ndarray, about: Description) -> Recording:
    return placed(name, about.leads, signals_ST, [about.millivolts] * len(about.leads), about.sampling_rate)
