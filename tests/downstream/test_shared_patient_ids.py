"""Patient ids of two data sets on two sides are counted, but for those of recordings without a patient."""

from coreecg_jax.downstream.shared_patient_ids import SharedIds, shared_ids_text, shared_patient_ids
from coreecg_jax.records.schema import unknown_patient


def of(source, *ids):
    return [f"{source}/{each}" for each in ids]


def test_ids_are_counted_by_two_data_sets_on_two_sides():
    train = of("a", "p1", "p1", "7", "p/2") + of("b", "p9")
    test = of("c", "7", "p1", "p3", "p/2") + of("b", "p1", "p9") + of("a", "p9", "7")
    found = shared_patient_ids(train, test)
    # 'p1' of a and b and 'p9' of b and a are of one two; 'p9' of b twice is one patient, who is known.
    assert set(found) == {SharedIds("a", "c", 3, 1), SharedIds("a", "b", 2, 0)}
    assert not shared_patient_ids(train, of("c", "p10"))
    assert not shared_patient_ids([], test)


def test_within_one_side_each_two_data_sets_are_counted_once():
    both = of("a", "1", "2", "3") + of("b", "2", "3")
    assert shared_patient_ids(both, both) == (SharedIds("a", "b", 2, 2),)


def test_recordings_without_a_patient_are_nobody():
    known, asked = (of(source, unknown_patient("r1"), unknown_patient("r2")) for source in ("a", "b"))
    assert not shared_patient_ids(known, asked)


def test_plain_numbers_are_called_so():
    said = "3 patient ids are in both a and b{}: if they are the same people, prepare them as one data set"
    assert shared_ids_text(SharedIds("a", "b", 3, 0)).startswith(said.format(""))
    all_of_them = " (all plain numbers, which others have too)"
    assert shared_ids_text(SharedIds("a", "b", 3, 3)).startswith(said.format(all_of_them))
    some = " (2 plain numbers, which others have too)"
    assert shared_ids_text(SharedIds("a", "b", 3, 2)).startswith(said.format(some))
