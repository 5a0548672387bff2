"""Patient ids that two data sets have in common: whether they are the same people, no id tells.

Patients are named within a data set, as hospitals count theirs from 1: equal ids of two data sets count as
two people. Two folders of one hospital that were prepared apart are not known to be of one, so it is said.
"""

import collections
from collections.abc import Iterable
from typing import NamedTuple

from coreecg_jax.records.schema import unknown_patient

_NOBODY = unknown_patient("")  # what begins so is the id of a recording


class SharedIds(NamedTuple):
    """Of two data sets, one on each side."""

    one: str
    other: str
    patient_ids: int  # that both have
    plain_numbers: int  # of these


def shared_patient_ids(ones: Iterable[str], others: Iterable[str]) -> tuple[SharedIds, ...]:
    """Of each two data sets: the patient ids that one has among the ones, and the other among the others.

    Args:
      ones, others: 'source/patient_id' of all that is on one side (`overlaps.names_of`), in any number; equal
        where recordings of one side are asked about by the others of it, as in cross-validation.
    """
    sides = _by_source(ones), _by_source(others)
    found: dict[frozenset[str], tuple[str, str, set[str]]] = {}
    for one, ids in sides[0].items():
        for other, other_ids in sides[1].items():
            if one != other and (both := ids & other_ids):
                found.setdefault(frozenset((one, other)), (one, other, set()))[2].update(both)
    return tuple(
        SharedIds(one, other, len(ids), sum(each.isdecimal() for each in ids))
        for one, other, ids in found.values()
    )


def _by_source(names: Iterable[str]) -> dict[str, set[str]]:
    """Source -> the ids of its patients, without recordings of which no patient is known."""
    ids = collections.defaultdict[str, set[str]](set)
    for name in dict.fromkeys(names):
        source, _, patient = name.partition("/")
        if not patient.startswith(_NOBODY):
            ids[source].add(patient)
    return ids


def shared_ids_text(shared: SharedIds, of_ones: str = "") -> str:
    """'60 patient ids are in both mine_train and mine_test: …', with what the first is of."""
    count = f"{shared.patient_ids} patient {'id is' if shared.patient_ids == 1 else 'ids are'} in both"
    many = "all" if shared.plain_numbers == shared.patient_ids else str(shared.plain_numbers)
    plain = f" ({many} plain numbers, which others have too)" if shared.plain_numbers else ""
    return (
        f"{count} {shared.one}{of_ones} and {shared.other}{plain}: if they are the same people, prepare them "
        "as one data set (docs/data.md)"
    )
