"""What must be known of the results of a table is told by row, in the words of one result."""

import pytest

from coreecg_jax.downstream.marks import marks, marks_by_row
from coreecg_jax.downstream.origins import Origin, other_code

REST = {"incomplete_without": [], "methods": {}, "test": {}}
ONCE = {"number_by_run": 1, "number_by_all": 4}


def made(row="full", question="q", seed=0, opening=ONCE, seen=None, **numbers):
    about = {"opening": opening, "pretrained_on_test": {f"runs/{row}_{seed}": seen}, **REST, **numbers}
    return Origin(row, question, 0, f"{row}_{question}_seed{seed}", about)


NOTHING = {"recordings": 0}


def test_nothing_is_told_where_nothing_is_to_be_known():
    assert not marks_by_row(
        [made(seen=NOTHING), made("x", seen=NOTHING), made("y", opening=None, seen=NOTHING)]
    )
    assert not marks_by_row([Origin("of before", "q", 0, "of before", {})])


def test_rows_whose_test_was_opened_again_or_counted_elsewhere_are_named():
    twice, logged = ONCE | {"number_by_run": 2}, ONCE | {"log": "other.jsonl"}
    results = [
        made(opening=twice, seen=NOTHING),
        made(seed=1, seen=NOTHING),
        made("x", opening=twice | logged, seen=NOTHING),
    ]
    again, elsewhere = marks_by_row(results)
    assert again == "**The labels of the test were opened 2 times by the run**: full (1 of 2)."
    assert elsewhere.startswith("**Counted in other.jsonl, not in the log beside the data")
    assert elsewhere.endswith("**: x.")
    assert elsewhere.removesuffix("**: x.") + ".**" in marks(results[2].numbers)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"recordings": 80}, "The encoder saw 80 recordings of the test in pretraining, unlabelled"),
        (None, "The encoder: its pretraining data are not at hand: cannot tell whether it saw the test"),
        (
            {"changed": True},
            "The encoder: the data of that name are not those that it was trained on; it may",
        ),
        (
            {"unknown": ["ludb"]},
            "The encoder: ludb of its pretraining data are not at hand, or may be others",
        ),
        ({"named": ["ludb"]}, "The encoder was pretrained on ludb, which the test names too, known by"),
        (
            {"ids_in_both": [{"one": "a", "other": "b", "patient_ids": 1, "plain_numbers": 1}]},
            "The encoder: 1 patient id is in both a of its pretraining data and b (all plain numbers, which",
        ),
    ],
)
def test_rows_whose_encoder_saw_the_test_or_may_have_are_named(seen, said):
    results = [
        made(seen=seen),
        made("x", seed=1, seen=seen),
        made("y", seen=NOTHING),
        made("y", "r", seen=seen),
    ]
    (told,) = marks_by_row(results)
    assert told.startswith(f"**{said}")
    assert told.endswith("**: full, x, y (1 of 2).")
    (own,) = (mark for mark in marks(results[0].numbers) if "runs/full_0" in mark)  # one way to say a thing
    assert told.startswith(f"**{own[:-1].replace('runs/full_0', 'The encoder')}**")
    (told,) = marks_by_row([*results[:3], made("y", "r", seen=NOTHING)])
    assert told.endswith("** (q): full, x.")


def test_results_of_one_version_that_is_not_this_one_are_told():
    one, other = ({"digests": {"code": {"digest": each * 16, "commit": ""}}} for each in ("aaaa", "bbbb"))
    said = "**These results are of another version of the code than this one**: code aaaaaaaa; this one "
    assert other_code([made(**one), made("x", **one)], "c" * 64) == f"{said}cccccccc."
    assert not other_code([made(**one)], "aaaa" * 16)
    assert not other_code([made(**one), made("x", **other)], "c" * 64)  # told by row
    assert not other_code([made()], "c" * 64)
    assert not other_code([], "c" * 64)
