"""An evaluation tells of each fit, prediction and source before it is made, and while it lasts."""

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coreecg_jax.downstream.fits import Fitted
from coreecg_jax.downstream.judged import Judged
from coreecg_jax.downstream.methods import Methods, Run
from coreecg_jax.records.schema import Preprocessing
from launch import telling_fits
from launch.telling_fits import Embedded, told_methods, told_sources

PREPROCESSING = Preprocessing(sampling_rate=100.0)
JUDGED = Judged(np.zeros((1, 1)), np.ones((1, 1), bool), np.zeros(1), None)


def recordings(*names: str) -> Any:
    return SimpleNamespace(source=np.full(len(names), "made"), recording_id=np.array(names))


def fit(train: Any, validation: Any) -> Fitted:
    return Fitted(lambda asked: np.full((len(train), 1), 0.5), {"C": 1.0}, JUDGED)


def made_methods(preprocessing: Preprocessing) -> Methods:
    assert preprocessing == PREPROCESSING
    return {"one": (Run("run", fit),), "two": (Run("a", fit), Run("b", fit))}


def test_each_fit_and_prediction_is_told_before_it_is_made() -> None:
    said: list[str] = []
    methods = told_methods(made_methods, said.append, nested=False)(PREPROCESSING)
    fitted = methods["one"][0].fit([0] * 5, None)
    assert said == ["one, run: fitted on 5 recordings"]
    assert (fitted.chosen, fitted.judged) == ({"C": 1.0}, JUDGED)
    assert fitted.predict(recordings("r1", "r1", "r2")).tolist() == [[0.5]] * 5
    methods["two"][1].fit([0] * 5, [0] * 3)
    assert said[1:] == [
        "one, run: predicts 2 recordings",
        "two, b (2 of 2): fitted on 5 recordings, chosen by 3",
    ]


@pytest.mark.parametrize("nested", [True, False])
def test_folds_are_counted(nested: bool) -> None:
    said: list[str] = []
    run = told_methods(made_methods, said.append, nested=nested)(PREPROCESSING)["two"][0]
    for size in (7, 8):
        run.fit([0] * size, None)
    folds = ["fold 1 of 5: ", "fold 2 of 5: "] if nested else ["", ""]
    assert said == [
        f"two, a (1 of 2): {fold}fitted on {size} recordings" for fold, size in zip(folds, (7, 8))
    ]


def test_a_long_fit_says_that_it_lasts_and_stops_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling_fits, "EVERY", 0.01)
    said, twice = [], threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            twice.set()

    def long(train: Any, validation: Any) -> Fitted:
        assert twice.wait(60)
        raise ValueError("cannot be fitted")

    run = told_methods(lambda about: {"one": (Run("run", long),)}, tell, nested=False)(PREPROCESSING)
    before = threading.active_count()
    with pytest.raises(ValueError, match="cannot be fitted"):
        run["one"][0].fit([0] * 5, None)
    assert said[:3] == [
        "one, run: fitted on 5 recordings",
        *["one, run: fitted on 5 recordings: 0.0 min so far"] * 2,
    ]
    assert threading.active_count() == before


def test_how_many_recordings_are_embedded_is_said_while_a_stage_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling_fits, "EVERY", 0.01)
    said, enough, embedded = [], threading.Event(), Embedded()

    def tell(line: str) -> None:
        said.append(line)
        if line.endswith("recordings embedded") or ("second" in line and "so far" in line):
            enough.set()

    def first(train: Any, validation: Any) -> Fitted:
        embedded(640, 2163)
        assert enough.wait(60)
        return fit(train, validation)

    def second(train: Any, validation: Any) -> Fitted:  # which embeds nothing
        enough.clear()
        assert enough.wait(60)
        return fit(train, validation)

    methods = {"one": (Run("first", first),), "two": (Run("second", second),)}
    runs = told_methods(lambda about: methods, tell, nested=False, embedded=embedded)(PREPROCESSING)
    runs["one"][0].fit([0] * 5, None)
    runs["two"][0].fit([0] * 5, None)
    assert "one, first: fitted on 5 recordings: 0.0 min so far, 640 of 2,163 recordings embedded" in said
    assert said[-1] == "two, second: fitted on 5 recordings: 0.0 min so far"


def test_a_source_is_told_before_it_is_asked_about() -> None:
    happened: list[str] = []
    answers = ((source, happened.append(source)) for source in ("a", "b"))
    found = [source for source, _ in told_sources(answers, ["a", "b"], happened.append)]  # ty: ignore
    assert found == ["a", "b"]
    assert happened == ["source a (1 of 2)", "a", "source b (2 of 2)", "b"]
