"""A run goes on with its own settings, data and arrays only."""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

import pytest
from made_runs import PREPROCESSING, tiny_config
from made_states import CONFIG, DATA, at_step

from coreecg_jax.records.schema import OtherSettings
from coreecg_jax.training import identity, own_code
from coreecg_jax.training.checkpoints import Checkpoints, load_parameters
from coreecg_jax.training.estimate import estimate
from coreecg_jax.training.experiment import resolved
from coreecg_jax.training.loop import train


def test_a_run_goes_on_with_its_own_settings_only(tmp_path, fresh):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    free = resolved(tiny_config({"run.log_every": 7, "run.checkpoint_every": 2, "data.root": "elsewhere"}))
    with Checkpoints(tmp_path, free, PREPROCESSING) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 1
    other = resolved(tiny_config({"model.width": 32, "optimizer.clip": 2.0}))
    filtered = dataclasses.replace(PREPROCESSING, low_pass=45.0)
    with Checkpoints(tmp_path, other, filtered) as checkpoints, pytest.raises(ValueError) as raised:  # noqa: PT011
        checkpoints.restore_last(fresh)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path} holds a run with other settings")
    for difference in (
        "config.model.width: 16 in the run, 32 asked",
        "config.optimizer.clip: 1.0 in the run, 2.0 asked",
        "preprocessing.low_pass: 40.0 in the run, 45.0 asked",
    ):
        assert difference in message
    assert message.count(" asked") == 3


def test_nothing_is_restored_in_part(saved, fresh):
    other = fresh.replace(optimizer={"moment": fresh.skipped})
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints,
        pytest.raises(OtherSettings) as raised,
    ):
        checkpoints.restore_last(other)
    message = str(raised.value)
    assert message.startswith(
        f"{saved}/checkpoints/last/5 holds other arrays than this version trains (optimizer/0/"
    )
    assert " in the checkpoint, none expected; " in message
    assert not (saved / "checkpoints" / "set_aside").exists()


def test_a_checkpoint_says_what_it_is(tmp_path, fresh, monkeypatch):
    monkeypatch.setattr(own_code, "commit_of", lambda folder, parts: f"of {folder.name}/{parts[0]}")
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.save_last(at_step(fresh, 5))
    loaded = load_parameters(tmp_path)
    assert loaded.data == DATA
    assert loaded.versions.keys() >= {"jax", "flax", "optax", "orbax-checkpoint", "numpy"}
    assert loaded.commit == f"of {Path(__file__).parents[2].name}/coreecg_jax"  # all of it, not one room
    assert loaded.config.to_dict() == CONFIG.to_dict()
    assert loaded.preprocessing == PREPROCESSING


def test_a_run_does_not_go_on_with_other_data(saved, fresh):
    other = {**DATA, "train": {"made": "cd"}}
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, other) as checkpoints,
        pytest.raises(OtherSettings, match=r"\(data\.train\.made: 'ab' in the run, 'cd' asked\)"),
    ):
        checkpoints.restore_last(fresh)


SHARDS = {"train": {"made": "12"}, "validation": {"made": "34"}}


@pytest.mark.parametrize(
    ("began", "now", "refused"),
    [
        (SHARDS, SHARDS, False),
        (SHARDS, {**SHARDS, "train": {"made": "56"}}, True),
        (SHARDS, {"train": {}, "validation": {"made": "34"}}, False),  # copied without digests
        (None, SHARDS, False),  # as of before there were any
        (SHARDS, None, False),
    ],
)
def test_shards_that_were_written_otherwise_are_other_data(tmp_path, fresh, began, now, refused):
    with Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA, began) as checkpoints:
        checkpoints.save_last(at_step(fresh, 1))
    message = r"\(shards\.train\.made: '12' in the run, '56' asked\)"
    with (
        Checkpoints(tmp_path, CONFIG, PREPROCESSING, DATA, now) as checkpoints,
        pytest.raises(OtherSettings, match=message) if refused else contextlib.nullcontext(),
    ):
        assert int(checkpoints.restore_last(fresh).step) == 1


def test_a_run_does_not_go_on_with_another_normalisation(saved, fresh, monkeypatch):
    monkeypatch.setattr(identity, "RULE", "another")
    with (
        Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints,
        pytest.raises(OtherSettings, match=r"\(normalisation: 'missing .*' in the run, 'another' asked\)"),
    ):
        checkpoints.restore_last(fresh)


def test_a_run_of_before_these_were_noted_goes_on(saved, fresh, monkeypatch):
    for metadata in (saved / "checkpoints" / "last").glob("*/about/metadata"):
        about = json.loads(metadata.read_text())
        del about["normalisation"], about["shards"]
        metadata.write_text(json.dumps(about))
    monkeypatch.setattr(identity, "RULE", "another")
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA, SHARDS) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 5


def test_other_code_is_told_but_not_refused(saved, fresh, capsys, monkeypatch):
    monkeypatch.setattr(identity, "version", lambda name: "99" if name == "jax" else version(name))
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        assert int(checkpoints.restore_last(fresh).step) == 5
    other = (
        f"warning: step 5 is of other code (jax {version('jax')}, now 99): what follows may differ in its "
    )
    assert capsys.readouterr().err == f"{other}last bits\n"


def test_other_code_without_git_is_told(saved, fresh, capsys, monkeypatch):
    monkeypatch.setattr(identity, "version_of_code", lambda: "digest 0123")
    with Checkpoints(saved, CONFIG, PREPROCESSING, DATA) as checkpoints:
        checkpoints.restore_last(fresh)
    told = capsys.readouterr().err
    assert told.startswith("warning: step 5 is of other code (commit ")
    assert ", now digest 0123): what follows" in told


@pytest.mark.parametrize("start", [train, estimate])
def test_processes_of_other_settings_are_told_before_they_read_data_together(tmp_path, monkeypatch, start):
    """What they tell one another would not fit together."""

    def texts(text):
        other = json.loads(text)
        other["config"]["data"]["on_corrupt"] = "skip"
        return [text, json.dumps(other)]

    monkeypatch.setattr(identity, "texts", texts)
    message = r"config\.data\.on_corrupt: 'error' in process 0, 'skip' in process 1"
    with pytest.raises(OtherSettings, match=message):
        start(tiny_config({"data.root": str(tmp_path / "is not looked at")}), tmp_path / "run")
