"""A choice that is misspelt is answered with the one that was meant."""

import re
from pathlib import Path

import pytest
from made_launches import launched

from coreecg_jax.export.writing import require_possible
from coreecg_jax.records.label_sets import load_label_set
from coreecg_jax.records.policy import Policy
from launch.quality_reporting import _reader

EVALUATE = ("launch.evaluate", "--data_root=absent")


@pytest.mark.parametrize(
    ("command", "flag", "meant"),
    [
        (EVALUATE, "--beside=untrained,rivale", "rival"),
        (EVALUATE, "--protocol=liner", "linear"),
        (EVALUATE, "--pooling=rythm", "rhythm"),
        (EVALUATE, "--task=ptbxl_superclas", "ptbxl_superclass"),
        (("launch.prepare",), "--database=folders", "folder"),
        (("launch.sweep", "--workdir=absent"), "--table=ablations", "ablation"),
        (("launch.sweep", "--workdir=absent", "--table=ablation"), "--only=full,fda_of", "fda_off"),
    ],
)
def test_a_flag_names_the_choice_that_was_meant(command: tuple[str, ...], flag: str, meant: str) -> None:
    result = launched(*command, flag)
    name, value = flag.split("=")
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert f"{name.lstrip('-')}: " in result.stderr
    assert f"{value.split(',')[-1]!r}" in result.stderr
    assert f" (did you mean {meant}?)" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_data_sets_that_are_not_there_are_named_with_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "ward" / "1.0.0").mkdir(parents=True)
    (tmp_path / "ward" / "1.0.0" / "preprocessing.json").write_text("{}")
    result = launched("launch.verify", f"--data_root={tmp_path}", "--data=wart")
    said = f"error: --data: no data set 'wart' (did you mean ward?) in {tmp_path}; there are ward\n"
    assert result.stderr == said


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: Policy(noise="maks"), "policy.noise: expected one of keep, mask, set_aside, got 'maks' "),
        (lambda: load_label_set("ludb_finding"), "'ludb_finding' (did you mean ludb_findings?)"),
        (lambda: require_possible("absent", ["onxx"]), "got 'onxx' (did you mean onnx?)"),
        (lambda: _reader(Path(), "ptb_xl"), "got 'ptb_xl' (did you mean ptbxl?)"),
    ],
)
def test_other_choices_too(ask: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        ask()  # ty: ignore
