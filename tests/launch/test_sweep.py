"""A sweep goes on cell by cell, shows what is missing, and compares on the same recordings."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from made_sweeps import FOLD, GROUPS, LABELS, predicted, sealed

from coreecg_jax.downstream.bootstrap import bootstrap_macro, paired_difference, patient_resamples
from coreecg_jax.downstream.methods import PRETRAINED, RIVAL
from coreecg_jax.downstream.predictions import read_predictions, write_predictions
from coreecg_jax.downstream.refusals import AlreadyOpened, NotFitted, Unfinished
from coreecg_jax.downstream.scores import TooFewRecordings
from coreecg_jax.locks import locked
from coreecg_jax.training.only_run import LOCK, only_run
from coreecg_jax.training.skipping import NotFinite
from launch import sweeping
from launch.sweeping import run_sweep


def test_cells_are_run_once_and_missing_ones_are_shown(sweep):
    sweep, done = sweep
    first = run_sweep(sweep, only=["full"], seeds=[0])
    assert done == [("train", "full_0", "learned", 0), ("ask", "full", 0)]
    question = "ptbxl_superclass_two_folds, 12 leads, 1 of labels"
    assert f"| fda_off | {question} | 70 | 300 | 9,600 | 0 of 2 | missing | – |" in first
    text = run_sweep(sweep)
    assert ("train", "fda_off_1", "off", 1) in done
    assert done.count(("ask", "full", 0)) == 1
    counts = patient_resamples(GROUPS)
    own, other = predicted(0.5, 0), predicted(1.0, 0)
    (auroc,) = bootstrap_macro([own], LABELS, counts).intervals()
    difference = paired_difference([own], [other], LABELS, counts)  # seed 1 of this row is not there
    shown = f"1 of 2 | {auroc.value:.3f} [{auroc.low:.3f}, {auroc.high:.3f}] | {difference.value:+.3f} ["
    assert shown in text
    done.clear()
    run_sweep(sweep)
    assert done == [("train", "fda_off_1", "off", 1), ("ask", "fda_off", 1)]  # the missing one only
    suffixes = {path.suffix for path in sweep.workdir.iterdir() if path.is_file()}
    assert suffixes == {".md", ".csv", ".png"}
    with sweep.workdir.joinpath("ablation.csv").open() as file:
        full, fda_off = csv.DictReader(file)
    assert (fda_off["tokens_kept"], fda_off["steps"], fda_off["recordings"]) == ("70", "300", "9600")
    assert float(fda_off["auroc_value"]) == pytest.approx(auroc.value)
    seeds = [{"seed": 0}, {"seed": 1}]
    both = bootstrap_macro([predicted(1.0, seed) for seed in (0, 1)], LABELS, counts, drawn=seeds)
    (interval,) = both.intervals()
    assert float(full["auroc_low"]) == pytest.approx(interval.low)
    assert (full["cells"], full["difference_value"]) == ("2", "")


def test_what_stands_beside_is_asked_once_and_has_rows(sweep):
    sweep, _ = sweep
    sweep = dataclasses.replace(sweep, table=sweep.table | {"beside": ("rival",), "seeds": (0,)})
    text = run_sweep(sweep)
    assert list(read_predictions(next(sweep.workdir.glob("cells/fda_off*.parquet"))).methods) == [PRETRAINED]
    rival, counts = [predicted(0.2, 10), predicted(0.2, 20)], patient_resamples(GROUPS)
    folds = [FOLD, FOLD]
    drawn = [{"kernels": f"run {number}"} for number in (1, 2)]
    (auroc,) = bootstrap_macro(rival, LABELS, counts, strata=folds, drawn=drawn).intervals()
    difference = paired_difference(
        rival, [predicted(1.0, 0)], LABELS, counts, strata=(folds, None), drawn=(drawn, None)
    )
    assert difference.value < 0
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {RIVAL} |")]
    shown = f"{auroc.value:.3f} [{auroc.low:.3f}, {auroc.high:.3f}] | {difference.value:+.3f} ["
    assert f"| – | – | – | 1 of 1 (2 kernels) | {shown}" in row
    (own,) = [line for line in text.splitlines() if line.startswith("| fda_off |")]
    assert "kernels" not in own
    said = f"of what stands beside ({RIVAL}) it is minus the advantage of full, whose sign is the other one"
    assert said in text
    assert "its mean is over the kernels named." in text


def test_cells_of_other_settings_are_refused(sweep):
    sweep, done = sweep
    run_sweep(sweep, only=["full"], seeds=[0])
    done.clear()
    sweep.pretraining.base.run.steps = 9999
    with pytest.raises(ValueError, match=r"cells of full, seed 0.*; run\.steps: 300 there, 9999 asked"):
        run_sweep(sweep)
    assert not done


def test_cells_of_other_questions_or_recordings_are_refused(sweep):
    sweep, _ = sweep
    run_sweep(sweep, only=["full"], seeds=[0])
    file = next(sweep.workdir.glob("cells/full*.parquet"))
    result = file.with_suffix(".json")
    numbers = json.loads(result.read_text())
    result.write_text(json.dumps({"asked": numbers["asked"] | {"rival_seeds": [7]}}))
    with pytest.raises(
        ValueError, match=r"cells of full, seed 0.*; rival_seeds: \[7\] there, \[0, 1, 2\] ask"
    ):
        run_sweep(sweep)
    result.write_text(json.dumps(numbers))
    cell = read_predictions(file)
    second = file.with_name(file.name.replace("seed0", "seed1"))
    second.with_suffix(".json").write_bytes(file.with_suffix(".json").read_bytes())
    write_predictions(cell._replace(recordings=cell.recordings[::-1]), second)
    with pytest.raises(ValueError, match=r"cell full_.*seed1_repeat0: expected the recordings and labels of"):
        run_sweep(sweep)


def test_versions_of_the_code_are_told_below_the_table_and_other_data_are_refused(sweep):
    sweep, _ = sweep
    assert "version of the code" not in run_sweep(sweep, seeds=[0])
    for cell, file in sweep.files().items():
        if file.is_file():
            digests = {"code": {"digest": cell.row * 8, "commit": ""}, "data": {"train": "a"}}
            file.write_text(json.dumps({"digests": digests}))
    said = (
        "**These results are not of one version of the code**: code fullfull: full; code fda_offf: fda_off."
    )
    text = run_sweep(sweep, only=["full"], seeds=[0])
    of_seed = (
        "Intervals hold patients and the scatter of seeds and of draws of labels; of one seed alone, of "
    )
    told = text.split("\n\n")[1].split("  \n")
    assert told == [said, f"{of_seed}whose scatter they say nothing: full, fda_off."]
    assert (sweep.workdir / "ablation.md").read_text() == text + "\n"
    other = sweep.files()[next(cell for cell in sweep.files() if (cell.row, cell.seed) == ("fda_off", 0))]
    other.write_text(json.dumps({"digests": digests | {"data": {"train": "b"}}}))
    with pytest.raises(
        ValueError, match=r"cell fda_off_.*: expected the data \(train\) of full_.*, got others"
    ):
        run_sweep(sweep)


def test_what_must_be_known_of_rows_is_told_below_the_table_and_in_its_lines(sweep):
    sweep, _ = sweep
    sweep = dataclasses.replace(sweep, table=sweep.table | {"beside": ("rival",)})
    run_sweep(sweep)
    seen = {"runs/x": {"recordings": 3}}
    for cell, file in sweep.files().items():
        if file.is_file():
            opening = {"number_by_run": 2 if (cell.row, cell.seed) == ("full", 1) else 1}
            file.write_text(json.dumps({"opening": opening, "pretrained_on_test": seen}))
    again, saw = (
        "The labels of the test were opened 2 times by the run",
        "The encoder saw 3 recordings of the test in pretraining, unlabelled",
    )
    text = run_sweep(sweep, only=["full"])
    assert text.split("\n\n")[1].split("  \n")[:-2] == [
        f"**{again}**: full (1 of 2).",
        f"**{saw}**: full, fda_off.",
        "Intervals hold patients and the scatter of seeds and of draws of labels; of one seed alone, of "
        "whose scatter they say nothing: fda_off.",
    ]
    with sweep.workdir.joinpath("ablation.csv").open() as file:
        marks = {line["row"]: line["marks"] for line in csv.DictReader(file)}
    assert marks == {"full": f"{again}. {saw}.", "fda_off": f"{saw}.", RIVAL: f"{again}."}


def test_a_mistake_ends_the_sweep(sweep, monkeypatch):
    def refusing(asked, encoders, *, out):
        raise ValueError("data_root: expected")

    monkeypatch.setattr(sweeping, "evaluated", refusing)
    with pytest.raises(ValueError, match="data_root: expected"):
        run_sweep(sweep[0])


@pytest.mark.parametrize(
    "error", [NotFitted("loss is nan"), AlreadyOpened("once before"), Unfinished("not reported yet")]
)
def test_what_fails_of_one_cell_leaves_it_missing_and_the_others_are_asked(sweep, monkeypatch, error):
    sweep, _ = sweep
    asked_of = sweeping.evaluated

    def evaluated(asked, encoders, *, out):
        if encoders[0].endswith("/full_0"):
            raise error
        asked_of(asked, encoders, out=out)

    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    text = run_sweep(sweep, seeds=[0])
    assert "| 0 of 2 | missing |" in text
    assert "| 1 of 2 |" in text
    (why,) = sweep.workdir.glob("cells/*.missing.json")
    told = {"missing": str(error), "opened": isinstance(error, AlreadyOpened)}
    assert json.loads(why.read_text()) == told


def test_a_training_that_is_not_finite_leaves_its_cells_missing(sweep, monkeypatch):
    sweep, done = sweep
    trained = sweeping.train

    def train(config, run):
        if run.name == "full_0":
            raise NotFinite("step 7: expected a finite loss")
        trained(config, run)

    monkeypatch.setattr(sweeping, "train", train)
    assert "| 0 of 2 | missing |" in run_sweep(sweep, seeds=[0])
    assert [what for what, *_ in done] == ["train", "ask"]  # of the other row
    (why,) = sweep.workdir.glob("cells/full*.missing.json")
    assert json.loads(why.read_text()) == {"missing": "step 7: expected a finite loss", "opened": False}


def test_a_run_that_another_sweep_trains_is_left_and_the_others_are_made(sweep, monkeypatch, capsys):
    sweep, done = sweep
    run, trained = sweep.workdir / "runs" / "full_0", sweeping.train

    def train(config, run):
        with only_run(run):
            trained(config, run)

    monkeypatch.setattr(sweeping, "train", train)
    with locked(run / LOCK, str):
        text = run_sweep(sweep, seeds=[0])
    assert "| 0 of 2 | missing |" in text
    assert "| 1 of 2 |" in text
    assert "held their runs**: full, seed 0. The same command again" in text
    assert text + "\n" == (sweep.workdir / "ablation.md").read_text()
    told = capsys.readouterr().err
    assert told.startswith(f"warning: full, seed 0 is left: {run} is locked: expected no other run there")
    assert [row for _, row, *_ in done] == ["fda_off_0", "fda_off"]
    assert not list(sweep.workdir.glob("cells/*.missing.json"))  # the other makes them
    assert "held their runs" not in run_sweep(sweep, seeds=[0])
    assert done[-1] == ("ask", "full", 0)


def test_a_test_that_could_not_be_scored_is_not_opened_again(sweep, monkeypatch, tmp_path):
    sweep, done = sweep

    def evaluated(asked, encoders, *, out):
        done.append("opened")
        with asked.openings.open("a") as log:
            log.write("an opening\n")
        raise TooFewRecordings("too few")

    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    sweep = sealed(sweep, tmp_path)
    assert run_sweep(sweep).count("| 0 of 1 | missing |") == 2
    run_sweep(sweep)
    assert done.count("opened") == 2
    run_sweep(dataclasses.replace(sweep, allow_retest=True))
    assert done.count("opened") == 4


def test_what_failed_before_its_test_was_opened_is_asked_again(sweep, monkeypatch, tmp_path):
    sweep, done = sealed(sweep[0], tmp_path), sweep[1]

    def evaluated(asked, encoders, *, out):
        done.append("fitted")
        asked.openings.write_text('{"kind": "development"}\n' * len(done))  # of another process: no opening
        raise TooFewRecordings("too few to fit")

    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    run_sweep(sweep)
    run_sweep(sweep)
    assert done.count("fitted") == 4


def test_a_line_without_scores_is_missing_and_leaves_the_others(sweep):
    sweep, _ = sweep
    run_sweep(sweep, seeds=[0])
    file = next(sweep.workdir.glob("cells/fda_off*seed0*.parquet"))
    for each in sweep.workdir.glob("cells/full*seed0*.parquet"):  # one test: the same for both
        write_predictions(read_predictions(each)._replace(labels=np.zeros_like(LABELS)), each)
    write_predictions(read_predictions(file)._replace(labels=np.zeros_like(LABELS)), file)
    assert run_sweep(sweep, only=["full"], seeds=[0]).count("| 0 of 2 | missing | – |") == 2


def test_settings_that_cannot_be_read_are_named(sweep):
    sweep, done = sweep
    run_sweep(sweep, only=["full"], seeds=[0])
    done.clear()
    sweep.workdir.joinpath("cells", "full_seed0.settings.json").write_text('{"seed"')
    with pytest.raises(ValueError, match=r"full_seed0\.settings\.json: expected JSON .*; remove it"):
        run_sweep(sweep)
    assert not done


def test_a_row_that_is_not_there_is_told(sweep):
    with pytest.raises(
        ValueError, match=r"--only: expected some of full, fda_off, got 'fda' \(did you mean fda_off\?\)$"
    ):
        run_sweep(sweep[0], only=["fda"])
    with pytest.raises(ValueError, match=r"--seeds: expected some of 0, 1, got '7'$"):
        run_sweep(sweep[0], seeds=[7])
