"""A config file that is not there, is none or another's, and a field that it has not: one sentence."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from made_launches import ROOT, launched

from configs import base

PROTOCOLS, TASKS = "configs/downstream/protocols.py", "configs/downstream/tasks.py"
EVALUATE = ("launch.evaluate", "--data_root=absent")
SWEEP = ("launch.sweep", "--table=ablation", "--workdir=absent")
PREPARE = ("launch.prepare", "--database=simulated", "--out=absent")
OVERFIT = ("launch.overfit",)
OWN = """
def get_config():
    config = _ours()
    config.finetune.rate = 0.1
    return config
"""
PRETRAIN = ("launch.pretrain", "--workdir=absent")


@pytest.mark.parametrize(
    ("command", "flag", "sentence"),
    [
        (
            EVALUATE,
            "--tasks=nothere.py",
            f"--tasks: nothere.py is not there; expected a file such as {TASKS}",
        ),
        (
            EVALUATE,
            "--protocols=configs/downstream/protocol.py",
            f"--protocols: configs/downstream/protocol.py is not there (did you mean {PROTOCOLS}?); expected "
            f"a file such as {PROTOCOLS}",
        ),
        (EVALUATE, "--tasks=Makefile", "--tasks: Makefile is no config file (SyntaxError: "),
        (
            EVALUATE,
            f"--protocols={TASKS}",
            f"--protocols: expected a config such as {PROTOCOLS}, {TASKS} has no attention, finetune, knn, ",
        ),
        (
            EVALUATE,
            "--protocols.finetune.epoch=3",
            "--protocols.finetune.epoch: no such field; did you mean --protocols.finetune.epochs?",
        ),
        (
            EVALUATE,
            "--protocols.finetune.epochs=many",
            "--protocols.finetune.epochs: expected an integer such as 10, got 'many'",
        ),
        (
            SWEEP,
            "--config=nothere.py",
            "--config: nothere.py is not there; expected a file such as configs/ablation/pretraining.py",
        ),
        (
            SWEEP,
            "--config=configs/tiny.py",
            "--config: expected a config such as configs/ablation/pretraining.py, configs/tiny.py has no ",
        ),
        (
            SWEEP,
            "--config.base.model.widht=3",
            "--config.base.model.widht: no such field; did you mean --config.base.model.width?",
        ),
        (
            SWEEP,
            "--tables=configs/ablation/table.py",
            "--tables: configs/ablation/table.py is not there (did you mean configs/ablation/tables.py?); ",
        ),
        (
            SWEEP,
            "--tables.low_label.developement=True",
            "--tables.low_label.developement: no such field; did you mean --tables.low_label.development?",
        ),
        (
            PREPARE,
            "--config=nothere.py",
            "--config: nothere.py is not there; expected a file such as configs/quality.py",
        ),
        (
            PREPARE,
            "--config=configs/tiny.py",
            "--config: expected a config such as configs/quality.py, configs/tiny.py has no limits, policy",
        ),
        (
            PREPARE,
            "--config.policy.nois=mask",
            "--config.policy.nois: no such field; did you mean --config.policy.noise?",
        ),
        (OVERFIT, "--config=nothere.py", "--config: nothere.py is not there; there are configs/base.py, "),
        (
            PRETRAIN,
            "--config=configs/quality.py",
            "--config: expected a config such as configs/base.py, configs/quality.py has no augment, data, ",
        ),
    ],
)
def test_a_mistake_is_one_sentence(command: tuple[str, ...], flag: str, sentence: str) -> None:
    result = launched(*command, flag)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert result.stderr.startswith(f"error: {sentence}")
    assert len(result.stderr.splitlines()) == 1


def test_the_near_file_of_ones_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_tasks.py").write_text("")
    result = launched(*EVALUATE, f"--tasks={tmp_path}/my_task.py")
    near = f"--tasks: {tmp_path}/my_task.py is not there (did you mean {tmp_path}/my_tasks.py?); expected "
    assert result.stderr.startswith(f"error: {near}")


def test_a_file_that_gives_no_config_is_named(tmp_path: Path) -> None:
    for text, why in (
        (
            "def get_config():\n    return {}\n",
            "TypeError: expected a ConfigDict from get_config(), got dict",
        ),
        (
            "def get_config():\n    open('absent')\n",
            "FileNotFoundError: [Errno 2] No such file or directory: ",
        ),
        ("", "KeyError: 'get_config'"),
    ):
        (tmp_path / "own.py").write_text(text)
        result = launched(*EVALUATE, f"--tasks={tmp_path}/own.py")
        assert result.stderr.startswith(f"error: --tasks: {tmp_path}/own.py is no config file ({why}")


def test_a_default_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("def get_config():\n    raise KeyError('broken')\n")
    program = """
import sys
from launch.config_files import define_config_file
from launch.shell import run_main
define_config_file("made", sys.argv.pop(1), "Made.")
run_main(lambda argv: print("went on"))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "ours.py")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        f"error: --made: {tmp_path}/ours.py is no config file (KeyError: 'broken')"
    )


def test_settings_of_a_file_of_ones_own_that_nobody_knows_are_told(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(f"{(ROOT / PROTOCOLS).read_text()}\n_ours = get_config\n" + OWN)
    result = launched(*EVALUATE, f"--protocols={tmp_path}/own.py")
    assert result.stderr.startswith(f"error: --protocols: expected groups and fields as in {PROTOCOLS} (")
    assert "'rate'" in result.stderr


def test_a_field_of_a_default_file_can_be_given_alone(tmp_path: Path) -> None:
    """Of launch.prepare too, whose --config had to be given before it."""
    asked = "--recordings=3", "--config.policy.noise=drop", f"--out={tmp_path}"
    result = launched("launch.prepare", "--database=simulated", *asked)
    assert result.stderr == "error: policy.noise: expected one of keep, mask, set_aside, got 'drop'\n"


@pytest.mark.parametrize("file", sorted(ROOT.glob("configs/[a-z]*.py")), ids=lambda file: file.stem)
def test_every_config_of_a_run_has_the_groups_of_base(file: Path) -> None:
    """What has not is refused."""
    config = runpy.run_path(str(file))["get_config"]()
    assert (set(base.get_config()) <= set(config)) == (file.stem != "quality")
