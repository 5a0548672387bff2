"""Cells, tables and those of before in one folder."""

import dataclasses
import json

import pytest
from made_sweeps import sealed

from coreecg_jax.downstream.methods import PRETRAINED, RIVAL
from coreecg_jax.downstream.predictions import read_predictions
from launch import sweeping
from launch.sweeping import run_sweep


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
