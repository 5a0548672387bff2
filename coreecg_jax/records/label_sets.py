"""Label sets: which published code belongs to which class. The mappings are CSV files in `labels/`.

A file has the columns `code`, `class` and `source`: the table or publication that the code, and its class
where that is not this project's, stems from. Some have `meaning`, for people: what a code stands for;
`records`: how many recordings of the whole database have the code, as published; `above_zero`: of these, at a
likelihood above zero. A code may stand in several rows. Classes are in the order in which they first appear.
Codes match exactly, as published ('AF' is not found in 'AFIB'); a code that no row names belongs to no class.
"""

import collections
import csv
import dataclasses
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence

import numpy as np

from coreecg_jax.records.spelling import with_guess


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """A classification task: its classes in their fixed order and the codes that mean them."""

    name: str
    classes: tuple[str, ...]
    code_to_class: Mapping[str, tuple[str, ...]]
    source: str  # where codes and classes were published
    version: str
    complete: bool = False  # every recording was asked for every class: one without any is a negative
    records: Mapping[str, int] = dataclasses.field(default_factory=dict)  # code -> published recordings
    above_zero: Mapping[str, int] = dataclasses.field(default_factory=dict)  # at a likelihood above zero

    def digest(self) -> str:
        """16 hex digits that change with the classes, their order, and the codes that mean them.

        What a file says of a code for people (meaning, source, counts) is not in them.
        """
        codes = sorted((code, sorted(classes)) for code, classes in self.code_to_class.items())
        text = json.dumps([self.classes, codes, self.complete])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


CODES = "codes"  # no published set: the codes of the data themselves, as `codes_as_classes` has them

# In these a recording without any class is a negative: it was asked for all of them.
_COMPLETE = ("code15",)

# The six sets of PTB-XL are the tasks of Strodthoff et al. 2020 (doi:10.1109/JBHI.2020.3022989).
_VERSIONS = {
    "ptbxl_all": "1.0.1",
    "ptbxl_diagnostic": "1.0.1",
    "ptbxl_subclass": "1.0.1",
    "ptbxl_superclass": "1.0.1",
    "ptbxl_form": "1.0.1",
    "ptbxl_rhythm": "1.0.1",
    "cpsc2018": "1.0.3",
    "cinc2021": "1.0.3",  # the 26 scored classes; codes that are scored as one are one class
    "chapman": "1.0.3",
    "ningbo": "1.0.3",
    "georgia": "1.0.3",
    "code15": "1.0.0",
    "sph": "1",  # every primary statement, of which SPH uses 44
    "ludb_rhythm": "1.0.1",
    "shared_findings": "1",
    "ludb_findings": "1.0.1",
    "simulated_conditions": "1",
}
NAMES = tuple(_VERSIONS)  # of all label sets


def load_label_set(name: str) -> LabelSet:
    """Reads `labels/<name>.csv`.

    Raises:
      ValueError: when there is no such label set.
    """
    if name not in NAMES:
        raise ValueError(f"label set: expected one of {', '.join(NAMES)}, got {with_guess(name, NAMES)}")
    table = importlib.resources.files("coreecg_jax.records.labels").joinpath(f"{name}.csv")
    code_to_class: dict[str, tuple[str, ...]] = {}
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        code_to_class[row["code"]] = (*code_to_class.get(row["code"], ()), row["class"])
    classes = tuple(dict.fromkeys(name for names in code_to_class.values() for name in names))
    source = "; ".join(dict.fromkeys(row["source"] for row in rows))
    counts = (
        {row["code"]: int(row[column]) for row in rows if row.get(column)}
        for column in ("records", "above_zero")
    )
    return LabelSet(name, classes, code_to_class, source, _VERSIONS[name], name in _COMPLETE, *counts)


def codes_as_classes(labels: Sequence[Sequence[str]], least: int) -> LabelSet:
    """Each code of a data set as a class of its own, where enough recordings have it and enough do not.

    A recording without any code is unknown, no negative: it is neither counted nor fitted.

    Raises:
      ValueError: when no code is in `least` recordings or more, and absent from as many that have another.
    """
    counts = collections.Counter(code for codes in labels for code in set(codes))
    coded = sum(bool(codes) for codes in labels)
    classes = tuple(sorted(code for code, n in counts.items() if least <= n <= coded - least))
    if not classes:
        raise ValueError(
            f"codes as classes: expected a code that at least {least} of {coded} recordings with a code have "
            f"and as many have not, got {dict(counts.most_common(3)) or 'no code at all'}; a recording "
            f"without a code ({len(labels) - coded} of {len(labels)}) is unknown: give negatives a code of "
            "their own, such as none"
        )
    return LabelSet(CODES, classes, {code: (code,) for code in classes}, "the data set's own codes", "")


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
      likelihoods: per cent, one a code. PTB-XL gives 0 where the likelihood is not known (form and rhythm
        statements have none), and its published benchmark counts those codes; so does the default.
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
