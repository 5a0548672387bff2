"""Every prediction of a result, as a Parquet table that another program can score again.

One row a recording, run and method: `recording`, `patient`, `group`, `fold`, `method`, `run`, and for each
class `label: NAME`, `probability: NAME` and `threshold: NAME`, above which the probability counts as yes, in
the order of the label set, which the metadata name with its version.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

_LABEL, _PROBABILITY, _THRESHOLD = "label: ", "probability: ", "threshold: "
_LABEL_SET = b"label_set"  # in the metadata of the table


class Predictions(NamedTuple):
    """Of the runs of some methods on n recordings for C classes."""

    classes: tuple[str, ...]
    recordings: np.ndarray  # str (n,), source and id
    patients: np.ndarray  # str (n,)
    groups: np.ndarray  # int (n,), equal for recordings of one patient
    folds: Mapping[str, Mapping[str, np.ndarray | None]]  # as `methods`: int (n,), None where not out of fold
    labels: np.ndarray  # bool (n, C)
    methods: Mapping[str, Mapping[str, np.ndarray]]  # method -> run -> float (n, C)
    label_set: str = ""  # name and version; classes are in its order
    thresholds: Mapping[str, Mapping[str, np.ndarray]] | None = (
        None  # as `methods`; tables of before have none
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Writes the table whole or not at all.

    Raises:
      OSError: when the folder cannot be written.
    """
    parts = [
        _table(predictions, method, run, probabilities)
        for method, runs in predictions.methods.items()
        for run, probabilities in runs.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".predictions-") as staging:
        new = Path(staging) / path.name
        parquet.write_table(pa.concat_tables(parts), new)
        os.replace(new, path)


def read_predictions(path: Path) -> Predictions:
    """What `write_predictions` wrote.

    Raises:
      FileNotFoundError: when there is no such file.
      ValueError: when it is another table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no predictions at {path}: launch.evaluate writes them beside its result")
    try:
        table = parquet.read_table(path)
        classes = [name.removeprefix(_LABEL) for name in table.column_names if name.startswith(_LABEL)]
        method, run = (np.array(table[name].to_pylist()) for name in ("method", "run"))
        keys = list(dict.fromkeys(zip(method.tolist(), run.tolist(), strict=True)))
        first = table.filter(pa.array((method == keys[0][0]) & (run == keys[0][1])))
        methods: dict[str, dict[str, np.ndarray]] = {}
        thresholds: dict[str, dict[str, np.ndarray]] = {}
        folds: dict[str, dict[str, np.ndarray | None]] = {}
        has_thresholds = any(name.startswith(_THRESHOLD) for name in table.column_names)
        for name, seed in keys:
            rows = table.filter(pa.array((method == name) & (run == seed)))
            methods.setdefault(name, {})[seed] = _matrix(rows, _PROBABILITY, classes)
            fold = rows["fold"].to_numpy()
            folds.setdefault(name, {})[seed] = None if (fold < 0).all() else fold
            if has_thresholds:
                thresholds.setdefault(name, {})[seed] = _matrix(rows, _THRESHOLD, classes)
        return Predictions(
            classes=tuple(classes),
            recordings=np.array(first["recording"].to_pylist()),
            patients=np.array(first["patient"].to_pylist()),
            groups=first["group"].to_numpy(),
            folds=folds,
            labels=_matrix(first, _LABEL, classes).astype(bool),
            methods=methods,
            label_set=(table.schema.metadata or {}).get(_LABEL_SET, b"").decode(),
            thresholds=thresholds or None,
        )
    except (pa.ArrowException, KeyError, IndexError) as error:
        raise ValueError(
            f"{path}: expected the Parquet table that launch.evaluate writes ({error}); evaluate again"
        ) from error


def _table(predictions: Predictions, method: str, run: str, probabilities: np.ndarray) -> pa.Table:
    count, fold = len(predictions.recordings), predictions.folds[method][run]
    columns = {
        "recording": predictions.recordings,
        "patient": predictions.patients,
        "group": predictions.groups,
        "fold": np.full(count, -1) if fold is None else fold,
        "method": [method] * count,
        "run": [run] * count,
    }
    for number, name in enumerate(predictions.classes):
        columns[_LABEL + name] = predictions.labels[:, number]
        columns[_PROBABILITY + name] = probabilities[:, number]
        if predictions.thresholds is not None:
            columns[_THRESHOLD + name] = predictions.thresholds[method][run][:, number]
    return pa.table(columns).replace_schema_metadata({_LABEL_SET: predictions.label_set.encode()})


def _matrix(table: pa.Table, prefix: str, classes: Sequence[str]) -> np.ndarray:
    """(n, C)."""
    return np.stack([table[prefix + name].to_numpy() for name in classes], axis=1)
