"""Results of other data or folds are not of one table; of other code they are, and it is said."""

import re

import numpy as np
import pytest

from coreecg_jax.downstream.methods import PRETRAINED, RIVAL
from coreecg_jax.downstream.origins import (
    Origin,
    differing_origins,
    require_one_division,
    require_one_origin,
)
from coreecg_jax.downstream.predictions import Predictions

RULE = "samples"
HIGH = {"test": None, "methods": {PRETRAINED: [{"validation_macro_auroc": 0.8}]}}
NESTED = {"test": None, "methods": {PRETRAINED: [{"validation_macro_auroc": None}]}}


def made(row="full", question="q", repeat=0, seed=0, **numbers):
    return Origin(row, question, repeat, f"{row}_{question}_seed{seed}_repeat{repeat}", numbers)


def with_data(rule=RULE, **data):
    return {"digests": {"data": data, "data_rule": rule}}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (made(**with_data(train="a")), made("x", **with_data(train="a")), ""),
        (made(**with_data(train="a")), made("x", **with_data(train="b")), "data (train)"),
        (made(**with_data(train="a")), made(repeat=1, **with_data(train="b")), ""),  # others are fitted
        (made(**with_data(test="a")), made(repeat=1, **with_data(test="b")), "data (test)"),
        (made(**with_data(test="a")), made(question="r", **with_data(test="b")), ""),
        (made(**with_data(train="a")), made("x", **with_data(None, train="b")), ""),  # not by one rule: told
        (made(**with_data(train="a")), made("x"), ""),
        (
            made(encoders=[{"data_digests": {"ludb": "a"}}]),
            made(seed=1, encoders=[{"data_digests": {"ludb": "b"}}]),
            "pretraining data (ludb)",
        ),
        (
            made(encoders=[{"data_digests": {"ludb": "a"}}]),
            made("x", encoders=[{"data_digests": {"ludb": "b"}}]),
            "",
        ),
        (made(**HIGH), made("x", **NESTED), "rule by which settings were chosen"),
        (made(**HIGH), made("x", question="r", **NESTED), ""),
        (made(**HIGH), made("x", **HIGH), ""),
    ],
)
def test_results_of_other_data_are_refused(one, other, said):
    if not said:
        require_one_origin([one, other])
        return
    what = f"cell {other.name}: expected the {said} of {one.name}, got others"
    with pytest.raises(ValueError, match=re.escape(what)) as raised:
        require_one_origin([one, other])
    assert ("remove the run and cells" in str(raised.value)) == said.startswith("pretraining")


def test_results_out_of_other_folds_are_refused():
    def predicted(own, rival=None):
        names = np.array([f"r{number}" for number in range(8)])
        folds = {PRETRAINED: {"run": own}, RIVAL: {"run": rival}}
        return Predictions(("a",), names, names, np.arange(8), folds, np.ones((8, 1), bool), {})

    fold, other = np.arange(8) % 4, np.arange(8) % 2
    require_one_division([(made(), predicted(fold)), (made("x"), predicted(None, fold))])
    require_one_division([(made(), predicted(fold)), (made("x", repeat=1), predicted(other))])
    for second in (predicted(other), predicted(fold, other)):
        with pytest.raises(
            ValueError, match=r"cell x_q_.*: expected the folds of full_q_.*, got others, dealt"
        ):
            require_one_division([(made(), predicted(fold)), (made("x"), second)])


def of_code(digest, commit=""):
    return {"digests": {"code": {"digest": digest * 16, "commit": commit}, "data_rule": RULE}}


def test_versions_of_the_code_are_told_by_row():
    first, second = of_code("aaaa", "1" * 40), of_code("bbbb", "2" * 40 + "+")
    results = [made(**first), made(seed=1, **second), made("x", **second)]
    assert differing_origins(results) == [
        "**These results are not of one version of the code**: code aaaaaaaa, commit 11111111: full "
        "(1 of 2); code bbbbbbbb, commit 22222222+: full (1 of 2), x."
    ]
    same = [made(**first), made("x", **of_code("aaaa", "3" * 40))]  # another commit, as of docs
    assert not differing_origins(same)
    assert not differing_origins([])
    (told,) = differing_origins([*same, made("y", digests={"data_rule": RULE})])
    assert told.endswith(": full, x; not said (results of before): y.")


@pytest.mark.parametrize(
    ("numbers", "other", "said"),
    [
        (
            {"f1_thresholds": "one"},
            {"f1_thresholds": "two"},
            "F1 thresholds were not chosen by one rule** (q): one",
        ),
        ({"f1_thresholds": "one"}, {}, "(q): one: full; not said (results of before): x."),
        (with_data(), with_data(None), "**Whether all are of the same data cannot be told"),
        (
            {"manifests": {"ludb": "a" * 64}},
            {"manifests": {"ludb": "b" * 64, "ptbxl": "c" * 64}},
            "of other data of the name ludb**: manifest aaaaaaaa: full; manifest bbbbbbbb: x.",
        ),
        (
            {"encoders": [{"data_digests": {"ludb": "a" * 64}}]},
            {"encoders": [{"data_digests": {"ludb": "b" * 64, "ptbxl": "c" * 64}}]},
            "other data of the name ludb**: manifest aaaaaaaa: full; manifest bbbbbbbb: x.",
        ),
    ],
)
def test_whatever_else_may_be_in_the_numbers_is_told(numbers, other, said):
    (told,) = differing_origins([made(**numbers), made("x", **other)])
    assert said in told
    assert not differing_origins([made(**numbers), made("x", **numbers)])
    if "(q)" in said:  # questions have rules of their own
        assert not differing_origins([made(**numbers), made("x", question="r", **other)])


def test_scores_that_are_too_high_are_told_whether_all_are_or_some():
    def developed(score):
        return {"test": None, "methods": {PRETRAINED: [{"validation_macro_auroc": score}]}}

    high, nested = developed(0.8), developed(None)
    said = "**Settings were chosen by the recordings that are scored, so scores are too high** (q): "
    assert differing_origins([made(**high), made("x", **high)]) == [f"{said}full, x."]
    mixed = [made(**high), made(seed=1, **nested), made("x", **nested)]
    assert differing_origins(mixed) == [f"{said}full (1 of 2)."]
    assert not differing_origins([made(**nested), made(**(high | {"test": {}}))])
