"""What a run will need: counted by hand where that can be done, and nothing is written."""

import errno
import threading
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from made_parameters import made_state
from made_runs import PREPROCESSING, tiny_config, tiny_experiment
from made_shards import example, serialise, write_data_set
from made_threads import together

from coreecg_jax.inputs.data_digests import digests_of
from coreecg_jax.inputs.packing import packed
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.inputs.training_windows import training_windows
from coreecg_jax.records.checksums import write_sums
from coreecg_jax.training import estimate as estimating
from coreecg_jax.training import feeds
from coreecg_jax.training.checkpoints import Checkpoints, begun
from coreecg_jax.training.estimate import REACHED, count_parameters, estimate
from coreecg_jax.training.experiment import resolved
from coreecg_jax.training.loop import train


@pytest.fixture
def root(tmp_path):
    """24 windows of 9 to 10 s."""
    records = [serialise(example(number, "made", samples=1000)) for number in range(24)]
    write_data_set(tmp_path, "made", {"all": [records]}, preprocessing=PREPROCESSING)
    return tmp_path


@pytest.mark.slow
def test_it_agrees_with_the_state_that_training_would_have(root, tmp_path):
    fresh = made_state(tiny_experiment())
    config = tiny_config({"data.root": str(root)})
    needs = estimate(config, tmp_path / "run")
    assert needs.parameters == count_parameters(fresh.parameters)
    assert 0 < needs.encoder_parameters < needs.parameters
    assert (needs.windows, needs.steps, needs.recordings_seen) == (24, 8, 64)
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(fresh))
    assert needs.disk > 6 * state_bytes
    assert needs.memory_of_step > state_bytes  # on each of the devices
    batch = 24 // config.data.validation_batch_size * config.data.validation_batch_size
    window = 2 * 12 * PREPROCESSING.window_samples + 4 + 12 + 4  # samples, length, leads, patient
    assert needs.memory_of_windows == batch * window // 8
    assert needs.seconds(REACHED[0]) > needs.seconds(REACHED[1]) > 0
    report = needs.report()
    assert (needs.begun, "goes on" in report) == (0, False)
    assert needs._replace(begun=4).report().startswith("goes on    from step 4 of the run in this folder")
    assert "64 recordings (2.7 epochs)" in report
    assert "8 x cpu" in report
    assert "not enough" not in report
    assert "not enough disk space" in needs._replace(disk_free=1).report()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_dispatch", [1, 3])
def test_with_the_corpus_on_the_devices_it_is_of_the_program_that_draws_from_it(
    root, tmp_path, monkeypatch, steps_per_dispatch
):
    """Compared with what training itself compiles, handed its own arrays."""
    programs, make = [], feeds.make_corpus_steps

    def noting(*args, **named):
        steps = make(*args, **named)

        def run(*given):
            needs = steps.lower(*given).compile().memory_analysis()
            programs.append((given[1].nbytes // 8, needs))
            return steps(*given)

        return run

    changes = {"data.placement": "device", "run.steps_per_dispatch": steps_per_dispatch, "run.steps": 1}
    config = tiny_config({"data.root": str(root), "optimizer.warmup_steps": 0, **changes})
    needs = estimate(config, tmp_path / "run")
    monkeypatch.setattr(feeds, "make_corpus_steps", noting)
    train(config, tmp_path / "run")
    ((corpus, of_run),) = programs
    held = of_run.argument_size_in_bytes + of_run.output_size_in_bytes - of_run.alias_size_in_bytes
    assert needs.memory_of_step + corpus == held + of_run.temp_size_in_bytes
    host = estimate(tiny_config({"data.root": str(root)}), tmp_path / "host")
    assert host.memory_of_step != needs.memory_of_step
    assert needs.memory_of_windows - host.memory_of_windows == corpus


def test_of_a_corpus_in_one_file_it_needs_no_shards_and_tells_what_is_left_out(
    root, tmp_path, monkeypatch, capsys
):
    (shard,) = root.rglob("*.tfrecord*")
    records = [serialise(example(number, "made", samples=1000)) for number in range(8)]
    write_data_set(root, "validation", {"all": [records]}, preprocessing=PREPROCESSING)
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1
    shard.write_bytes(content)
    folder = tmp_path / "packed"
    of = {"batch_size": 8, "seed": 0, "min_seconds": 9.0, "shuffle_buffer": 32, "on_corrupt": "skip"}
    packed(folder, training_windows(root, "made", **of))
    shard.unlink()
    monkeypatch.setattr(estimating, "_step_memory", lambda *_: 0)  # compiles nothing
    monkeypatch.setattr(estimating, "matrix_rate", lambda _: 1.0)
    changes = {"placement": "device", "packed": str(folder), "validation": "validation", "on_corrupt": "skip"}
    config = tiny_config({"data.root": str(root), **{f"data.{name}": each for name, each in changes.items()}})
    assert estimate(config, tmp_path / "run").windows == 23
    assert capsys.readouterr().err == f"warning: {folder} was written without 1 damaged records\n"
    (folder / "rows.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"rows\.npy is missing"):
        estimate(config, tmp_path / "run")


@pytest.mark.parametrize(("placement", "count"), [("host", 1), ("device", 1), ("device", 3)])
def test_the_step_that_it_compiles_is_that_of_the_placement(root, tmp_path, monkeypatch, placement, count):
    asked = []

    class Program:
        def __init__(self, name):
            self.name = name

        def lower(self, state, *given):
            asked.append((self.name, [(leaf.shape, leaf.dtype.name) for leaf in jax.tree.leaves(given)]))
            return self

        def compile(self):
            return self

        def memory_analysis(self):
            sizes = ("argument_size", "output_size", "alias_size", "temp_size")
            return SimpleNamespace(**{f"{name}_in_bytes": 10**6 for name in sizes})

    for name in ("make_train_step", "make_corpus_steps"):
        monkeypatch.setattr(estimating, name, lambda *_, name=name, **__: Program(name))
    monkeypatch.setattr(estimating, "matrix_rate", lambda _: 1.0)
    changes = {"data.placement": placement, "run.steps_per_dispatch": count, "data.root": str(root)}
    needs = estimate(tiny_config(changes), tmp_path / "run")
    ((program, (first, *others)),) = asked
    if placement == "host":
        assert (program, first) == ("make_train_step", ((8, 12, 1000), "int16"))
        assert needs.memory_of_step == 2 * 10**6
        return
    (rows, words), kind = first
    assert (program, rows, kind) == ("make_corpus_steps", 24, "int32")
    assert others == [((count, 8), "int32"), ((), "int32")]
    assert needs.memory_of_step == 2 * 10**6 - 4 * 24 * words // 8  # which lies among the windows


def test_a_run_that_is_there_is_told_or_refused(root, fresh, tmp_path):
    config = resolved(tiny_config({"data.root": str(root)}))
    selection = select(root, config.data.train)
    write_sums(selection.folders[0], {})
    digests = digests_of(train=selection, validation=selection)
    with Checkpoints(tmp_path / "run", config, PREPROCESSING, **digests) as checkpoints:
        checkpoints.save_last(fresh.replace(step=np.int32(4)))
    assert begun(tmp_path / "run", config, PREPROCESSING, **digests) == 4
    shard = selection.files[0]  # prepared again, by another version
    shard.write_bytes(shard.read_bytes()[::-1])
    write_sums(shard.parent, {})
    with pytest.raises(ValueError, match=r"a run with other settings \(shards\.train\.made: '.*' in the run"):
        estimate(config, tmp_path / "run")
    config.model.width = 32
    with pytest.raises(ValueError, match=r"a run with other settings \(config\.model\.width: 16 in the run"):
        estimate(config, tmp_path / "run")


def test_mistakes_are_found_as_in_training(root):
    with pytest.raises(ValueError, match=r"data\.batch_size: expected a positive multiple of 8"):
        estimate(tiny_config({"data.root": str(root), "data.batch_size": 9}), root / "run")
    with pytest.raises(ValueError, match=r"data\.batch_size: expected 1 to 24, .* got 32"):
        estimate(tiny_config({"data.root": str(root), "data.batch_size": 32}), root / "run")
    with pytest.raises(ValueError, match=r"data\.validation_batch_size: expected at most the 24 windows"):
        estimate(tiny_config({"data.root": str(root), "data.validation_batch_size": 32}), root / "run")


@pytest.mark.parametrize(
    ("whose", "name", "changes"),
    [
        (Selection, "manifest_digests", {}),
        (estimating, "begun", {}),
        (estimating, "require_room", {"data.placement": "device"}),
    ],
    ids=["manifest", "run", "room"],
)
def test_what_one_of_several_meets_all_hear_before_they_compile(root, monkeypatch, whose, name, changes):
    """Else the others would wait for it in the next thing that they do together."""
    mine, work = threading.local(), getattr(whose, name)

    def fail(*given, **named):
        if mine.processes.number == 1:
            raise OSError(errno.EIO, "Input/output error", "a file")
        return work(*given, **named)

    def run(processes):
        mine.processes = processes
        return estimate(tiny_config({"data.root": str(root), **changes}), root / "run")

    monkeypatch.setattr(whose, name, fail)
    monkeypatch.setattr(estimating, "sharing", lambda: mine.processes)
    monkeypatch.delattr(estimating, "_step_memory")  # nobody comes so far
    results = together(2, run)
    assert [(type(error), error.errno, error.filename) for error in results] == [
        (OSError, errno.EIO, "a file")
    ] * 2


def test_processes_that_see_other_runs_are_told(root, monkeypatch):
    """As where one is given a folder of its own host."""
    mine = threading.local()

    def run(processes):
        mine.processes = processes
        return estimate(tiny_config({"data.root": str(root)}), root / "run")

    monkeypatch.setattr(estimating, "begun", lambda *given, **named: 4 * mine.processes.number)
    monkeypatch.setattr(estimating, "sharing", lambda: mine.processes)
    monkeypatch.delattr(estimating, "_step_memory")  # nobody comes so far
    message = (
        f"the step of the run in {root}/run: expected the same in all processes, got 0 in process 0 and 4 in "
        "process 1"
    )
    assert [(type(error), str(error)) for error in together(2, run)] == [(ValueError, message)] * 2
