"""A table of one's own, or a field of ours that was set, is found right before anything is trained."""

import re
from pathlib import Path

import pytest
from made_launches import launched

from configs.ablation import pretraining, tables
from launch.sweep_cells import Sweep
from launch.sweep_tables import named_table

SWEEP = "launch.sweep", "--workdir=absent"
OWN = """
from configs.ablation import tables


def get_config():
    config = tables.get_config()
    config.mine = config.ablation.copy_and_resolve_references()
    return config
"""


def table_with(**fields):
    config = tables.get_config()
    config.low_label.update(fields)
    return named_table(config, "low_label", pretraining.ROWS)


def test_tables_of_ours_are_right():
    for name in tables.get_config():
        assert named_table(tables.get_config(), name, pretraining.ROWS)["reference"] == "full"
    assert table_with(development=True, seeds=(7,))["seeds"] == (7,)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rows": ("full", "simcrl")}, "low_label.rows: expected some of full, "),
        ({"reference": "fda_off"}, "low_label.reference: expected some of full, simclr, cmsc, masked_auto"),
        (
            {"protocol": "liner"},
            "low_label.protocol: expected some of knn, linear, attention, finetune, got ",
        ),
        ({"beside": ("rivale",)}, "'rivale' (did you mean rival?)"),
        ({"tasks": ("ptbxl_superclas",)}, "(did you mean ptbxl_superclass?)"),
        ({"tasks": ("other_hospital",)}, "other_hospital holds each source out in turn"),
        ({"tasks": ("ludb_findings",), "development": True}, "ludb_findings has no test split"),
        ({"seeds": ()}, "low_label.seeds: expected a tuple of one or more, got ()"),
        ({"seeds": ("0",)}, "low_label.seeds: expected whole numbers, got ('0',)"),
        (
            {"subsets": ({"leads": 12},)},
            "low_label.subsets: expected dicts of fraction, leads, repeats, got ",
        ),
        (
            {"subsets": ({"leads": 5, "fraction": 1.0, "repeats": 1},)},
            "expected leads to be one of 12, 8, 6, 3, 2, 1, got 5",
        ),
        ({"subsets": ({"leads": 12, "fraction": 0.0, "repeats": 1},)}, "expected a fraction above 0 and at "),
        ({"more": 1}, "low_label: expected the fields beside, development, protocol, reference, rows, seeds"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(fields, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        table_with(**fields)


def test_a_file_of_ones_own_and_its_fields_are_taken(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    own = f"--tables={tmp_path}/own.py"
    result = launched(*SWEEP, own, "--table=mime")
    assert result.stderr == (
        "error: --table: expected one of ablation, leads, low_label, low_label_development, main, mine, got "
        "'mime' (did you mean mine?)\n"
    )
    assert result.returncode == 2
    seeds = "--table=mine", "--tables.mine.seeds=(4,5)", "--seeds=3"
    result = launched(*SWEEP, own, *seeds)
    assert result.stderr == "error: --seeds: expected some of 4, 5, got '3'\n"
    lone = "--table=low_label", "--tables.low_label.beside='rivale'"
    assert (
        "low_label.beside: expected some of untrained, scratch, rival, got 'rivale' (did you mean rival?)"
        in (launched(*SWEEP, *lone).stderr)
    )


def test_every_table_asks_questions_that_exist():
    files = {}
    for name, table in tables.get_config().to_dict().items():
        sweep = Sweep(table, pretraining.get_config(), Path("unused"), name)
        cells = [cell for cell, _ in sweep.asked()]
        assert len(set(cells)) == len(cells) > 0
        files[name] = set(sweep.files().values())
        assert len(files[name]) == len(cells)
        for row in table["rows"]:
            assert sweep.config(row, 2).seed == 2
    assert not files["ablation"] & (files["main"] | files["low_label"] | files["leads"])
    # All recordings, leads and labels: one question of three tables, and one opening of the test.
    assert len(files["main"] & files["low_label"] & files["leads"]) == 12
