"""A sweep goes on cell by cell, shows what is missing, and compares on the same recordings."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from configs.ablation import pretraining, tables
from coreecg_jax.downstream.bootstrap import bootstrap_macro, paired_difference, patient_resamples
from coreecg_jax.downstream.methods import BESIDE, PRETRAINED, RIVAL
from coreecg_jax.downstream.predictions import Predictions, read_predictions, write_predictions
from coreecg_jax.downstream.scores import TooFewRecordings
from launch import sweeping
from launch.sweep_cells import Sweep
from launch.sweeping import run_sweep

FOLD = np.arange(60) // 2 % 3
GROUPS, LABELS = np.arange(60) // 2, np.random.default_rng(0).random((60, 2)) < 0.4


def predicted(quality, seed):
    noise = np.random.default_rng(seed).random(LABELS.shape)
    return (quality * LABELS + noise) / (1 + quality)


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Two rows, two seeds, one question; what is trained and asked is written down."""
    done = []
    quality = {"full": 1.0, "fda_off": 0.5}

    def train(config, run):
        done.append(("train", run.name, config.view.mode, config.seed))

    def evaluated(asked, encoders, *, out):
        row, seed = encoders[0].rsplit("/", 1)[1].rsplit("_", 1)
        assert asked.development or asked.openings.parent.is_dir()
        done.append(("ask", row, int(seed)))
        names = np.array([f"r{number}" for number in range(60)])
        methods = {PRETRAINED: {"run": predicted(quality[row], int(seed))}}
        for name in asked.beside:  # by two runs each
            methods[BESIDE[name]] = {f"run {n}": predicted(0.2, 10 * n + int(seed)) for n in (1, 2)}
        folds = {name: dict.fromkeys(runs) for name, runs in methods.items()}  # as neighbours have none
        folds |= {BESIDE[name]: dict.fromkeys(methods[BESIDE[name]], FOLD) for name in asked.beside}
        everything = Predictions(("a", "b"), names, names, GROUPS, folds, LABELS, methods)
        write_predictions(everything, out.with_suffix(".parquet"))
        if (row, seed) == ("fda_off", "1"):  # as launch.evaluating: predicted, then not scored
            raise TooFewRecordings("too few")
        out.write_text(json.dumps({"asked": asked.question()}))

    monkeypatch.setattr(sweeping, "train", train)
    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    monkeypatch.setattr(sweeping, "encoder_of", lambda run: run)
    monkeypatch.setattr(sweeping, "_tokens_kept", lambda config: 70)
    table = tables.get_config()["ablation"].to_dict() | {"rows": ("full", "fda_off"), "seeds": (0, 1)}
    return Sweep(table, pretraining.get_config(), tmp_path / "sweep", "ablation"), done


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
    assert (full["cells"], full["difference_value"]) == ("2", "")


def test_what_stands_beside_is_asked_once_and_has_rows(sweep):
    sweep, _ = sweep
    sweep = dataclasses.replace(sweep, table=sweep.table | {"beside": ("rival",), "seeds": (0,)})
    text = run_sweep(sweep)
    assert list(read_predictions(next(sweep.workdir.glob("cells/fda_off*.parquet"))).methods) == [PRETRAINED]
    rival, counts = [predicted(0.2, 10), predicted(0.2, 20)], patient_resamples(GROUPS)
    folds = [FOLD, FOLD]
    (auroc,) = bootstrap_macro(rival, LABELS, counts, strata=folds).intervals()
    difference = paired_difference(rival, [predicted(1.0, 0)], LABELS, counts, strata=(folds, None))
    assert difference.value < 0
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {RIVAL} |")]
    shown = f"{auroc.value:.3f} [{auroc.low:.3f}, {auroc.high:.3f}] | {difference.value:+.3f} ["
    assert f"| – | – | – | 1 of 1 | {shown}" in row


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
    assert text.split("\n\n")[1] == said
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
    assert text.split("\n\n")[1].splitlines() == [
        f"**{again}**: full (1 of 2).  ",
        f"**{saw}**: full, fda_off.",
    ]
    with sweep.workdir.joinpath("ablation.csv").open() as file:
        marks = {line["row"]: line["marks"] for line in csv.DictReader(file)}
    assert marks == {"full": f"{again}. {saw}.", "fda_off": f"{saw}.", RIVAL: f"{again}."}


def test_only_too_few_recordings_leave_a_cell_missing(sweep, monkeypatch):
    def refusing(asked, encoders, *, out):
        raise ValueError("opened this test set once before")

    monkeypatch.setattr(sweeping, "evaluated", refusing)
    with pytest.raises(ValueError, match="opened this test set once before"):
        run_sweep(sweep[0])


def sealed(sweep, root):
    """The sweep with a test, whose log of openings lies in `root`."""
    sweep.pretraining.base.data.root = str(root)
    return dataclasses.replace(sweep, table=sweep.table | {"development": False, "seeds": (0,)})


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
    sweep, done = sweep

    def evaluated(asked, encoders, *, out):
        done.append("fitted")
        raise TooFewRecordings("too few to fit")

    monkeypatch.setattr(sweeping, "evaluated", evaluated)
    sweep = sealed(sweep, tmp_path)
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


def test_tables_with_and_without_a_test_have_one_folder(sweep, tmp_path):
    """As `ablation` and `main`, which have rows in common and ask them otherwise."""
    sweep, done = sweep
    test = sealed(sweep, tmp_path)
    test = dataclasses.replace(test, table=test.table | {"beside": ("rival",)}, name="main")
    run_sweep(sweep, seeds=[0])
    run_sweep(test)
    asked = [("ask", "full", 0), ("ask", "fda_off", 0)]
    assert [each for each in done if each[0] == "ask"] == asked * 2
    done.clear()
    for again in (sweep, test):
        assert run_sweep(again, seeds=[0]).count("missing") == 0
    assert not done
    both = [read_predictions(each.files()[cell].with_suffix(".parquet")) for each, cell in pairs(sweep, test)]
    assert [list(each.methods) for each in both] == [[PRETRAINED], [PRETRAINED, RIVAL]]


def pairs(*sweeps):
    """The cell of the row `full` and seed 0 in each."""
    return [
        (sweep, cell) for sweep in sweeps for cell in sweep.files() if (cell.row, cell.seed) == ("full", 0)
    ]


def test_cells_of_before_are_found_by_their_own_table(sweep, tmp_path):
    """They were named without how they were asked."""
    sweep, done = sweep
    test = sealed(sweep, tmp_path)
    run_sweep(sweep, seeds=[0])
    for cell, file in sweep.files().items():
        for each in (file, file.with_suffix(".parquet")):
            if each.is_file():
                each.rename(each.with_name(cell.name + each.suffix))
    done.clear()
    assert "| full | ptbxl_superclass_two_folds, 12 leads, 1 of labels | 70 | 300 | 9,600 | 1 of 2 |" in (
        run_sweep(sweep, seeds=[0])
    )
    assert not done
    assert run_sweep(test).count("missing") == 0  # not those cells, nor are they in its way
    assert done.count(("ask", "full", 0)) == 1
    before = {"protocol": "development: out of fold in the training set, test not read"}
    for cell, file in sweep.files().items():  # the first did not say what was asked, but where they scored
        if file.is_file():
            file.write_text(json.dumps(before))
        assert file.is_file() == (cell.seed == 0)
    for file in test.files().values():
        file.unlink()
    assert not any(file.is_file() for file in test.files().values())
    assert sum(file.is_file() for file in sweep.files().values()) == 2


def test_a_table_that_cannot_be_written_leaves_the_one_that_is_there(sweep, monkeypatch):
    sweep, _ = sweep
    run_sweep(sweep, only=["full"], seeds=[0])
    files = {path: path.read_bytes() for path in sweep.workdir.iterdir() if path.is_file()}
    draw = sweeping.draw_intervals

    def failing(*args, **kwargs):
        figure = draw(*args, **kwargs)
        monkeypatch.setattr(figure, "savefig", full_disk)
        return figure

    def full_disk(file, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(sweeping, "draw_intervals", failing)
    (sweep.workdir / "cells").rename(sweep.workdir / "others")  # the table would be another
    with pytest.raises(OSError, match="no space left"):
        run_sweep(sweep, only=["full"], seeds=[0])
    assert {path: path.read_bytes() for path in sweep.workdir.iterdir() if path.is_file()} == files
    assert {path.name for path in sweep.workdir.iterdir() if path.is_dir()} == {"others"}
