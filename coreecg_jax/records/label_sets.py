"""Label sets: which published code belongs to which class. The mappings are CSV files in `labels/`.

A file has two columns, `code` and `class`; a code may stand in several rows. Codes match exactly, as
published; a code that no row names belongs to no class.
"""

import csv
import dataclasses
import importlib.resources
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """A classification task: its classes in their fixed order and the codes that mean them."""

    name: str
    classes: tuple[str, ...]
    code_to_class: Mapping[str, tuple[str, ...]]
    source: str  # where the mapping was published
    version: str


# Name: classes in order (None: as they first appear in the file), source, version.
_PUBLISHED = {
    "ptbxl_superclass": (
        ("NORM", "MI", "STTC", "CD", "HYP"),
        "PTB-XL, diagnostic statements of scp_statements.csv (doi:10.1038/s41597-020-0495-6)",
        "1.0.1",
    ),
    "ludb_findings": (
        None,
        "LUDB, findings in the header comments (doi:10.1109/ACCESS.2020.3029211), "
        "grouped by this project along the columns of ludb.csv",
        "1.0.1",
    ),
}


def load_label_set(name: str) -> LabelSet:
    """Reads `labels/<name>.csv`.

    Raises:
      ValueError: when there is no such label set.
    """
    if name not in _PUBLISHED:
        raise ValueError(f"label set: expected one of {', '.join(_PUBLISHED)}, got {name!r}")
    classes, source, version = _PUBLISHED[name]
    table = importlib.resources.files("coreecg_jax.records.labels").joinpath(f"{name}.csv")
    code_to_class: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        code_to_class[row["code"]] = (*code_to_class.get(row["code"], ()), row["class"])
    found = tuple(dict.fromkeys(name for names in code_to_class.values() for name in names))
    return LabelSet(name, classes or found, code_to_class, source, version)


def label_matrix(
    label_set: LabelSet,
    labels: Sequence[Sequence[str]],
    likelihoods: Sequence[Sequence[float]] | None = None,
    min_likelihood: float = 0.0,
) -> np.ndarray:
    """bool[recordings, classes]: which classes the codes of each recording mean.

    Args:
      label_set: the task.
      labels: the codes of each recording.
      likelihoods: per cent, one a code. PTB-XL gives 0 where the likelihood is not known, and its published
        benchmark counts those codes; so does the default.
      min_likelihood: codes below it do not count; a code whose likelihood is NaN (not given) does.

    Raises:
      ValueError: when likelihoods and labels differ in number, or are needed and not given.
    """
    if likelihoods is None and min_likelihood > 0:
        raise ValueError(f"min_likelihood is {min_likelihood:g}: expected likelihoods, got none")
    column = {name: index for index, name in enumerate(label_set.classes)}
    matrix = np.zeros((len(labels), len(label_set.classes)), bool)
    for row, codes in enumerate(labels):
        weights = likelihoods[row] if likelihoods is not None else [0.0] * len(codes)
        if len(weights) != len(codes):
            raise ValueError(f"recording {row}: expected {len(codes)} likelihoods, got {len(weights)}")
        for code, weight in zip(codes, weights):
            if not weight < min_likelihood:
                matrix[row, [column[name] for name in label_set.code_to_class.get(code, ())]] = True
    return matrix
