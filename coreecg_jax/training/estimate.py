"""What a run will need, before anything is trained: parameters, memory, time, disk."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.corpus import bytes_on_each, require_room, shape_of_rows
from coreecg_jax.inputs.data_digests import digests_of
from coreecg_jax.inputs.lengths import long_enough
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.inputs.training_windows import TrainingWindows, selected
from coreecg_jax.records.leads import LEADS
from coreecg_jax.training.checkpoints import begun
from coreecg_jax.training.experiment import Experiment, build, resolved, windows_of
from coreecg_jax.training.health import matrix_rate, step_flops
from coreecg_jax.training.identity import program, require_same_everywhere
from coreecg_jax.training.mesh import Placement, place, require_divisible
from coreecg_jax.training.processes import sharing
from coreecg_jax.training.room import fullness_told
from coreecg_jax.training.state import TrainState, init_state
from coreecg_jax.training.step import make_corpus_steps, make_train_step

# Two of the last, two of the best, and of each the one that is being written while the older still stand.
_CHECKPOINTS_AT_ONCE = 6
_JOURNAL_BYTES = 5_000  # a line of metrics with its TensorBoard events
_PICTURE_BYTES = 300_000  # at each validation
# The share of the matrix rate that steps of ours reached on CPUs, from the smallest to size S
# (docs/performance.md).
REACHED = (0.2, 0.5)


class Estimate(NamedTuple):
    """Of one run; sizes in bytes."""

    windows: int  # of training, long enough
    steps: int
    recordings_seen: int
    encoder_parameters: int
    parameters: int
    memory_of_step: int  # of each device, as compiled for the placement of the data, without its windows
    memory_of_windows: int  # of each device, all the time: of validation, and the corpus where it lies there
    step_flops: float
    matrix_rate: float  # FLOP/s, measured now
    devices: str
    begun: int  # step of the run that stands in the folder already
    disk: int
    disk_free: int

    def seconds(self, share: float) -> float:
        """Of all steps at a share of the matrix rate."""
        return self.steps * self.step_flops / (share * self.matrix_rate)

    def report(self) -> str:
        """A line a quantity."""
        slow, fast = (self.seconds(share) for share in REACHED)
        epochs = self.recordings_seen / self.windows
        lines = {
            "goes on": f"from step {self.begun:,} of the run in this folder; what follows is of all steps",
            "data": f"{self.windows:,} windows; {self.steps:,} steps see {self.recordings_seen:,} "
            f"recordings ({epochs:.1f} epochs)",
            "parameters": f"{self.parameters:,}, of which the encoder {self.encoder_parameters:,}",
            "devices": self.devices,
            "memory": f"{_gigabytes(self.memory_of_step)} a device for the compiled step, "
            f"{_gigabytes(self.memory_of_windows)} for windows that lie there",
            "time": f"{_duration(fast)} to {_duration(slow)}, at {REACHED[1]:.0%} to {REACHED[0]:.0%} of the "
            f"{self.matrix_rate / 1e9:,.0f} GFLOP/s that a large matrix product reaches here now "
            f"({self.step_flops / 1e9:,.1f} GFLOP a step)",
            "disk": f"{_gigabytes(self.disk)} for checkpoints and journal, {_gigabytes(self.disk_free)} free",
        }
        if not self.begun:
            del lines["goes on"]
        text = "\n".join(f"{name:<11}{line}" for name, line in lines.items())
        enough = self.disk < self.disk_free
        return text if enough else f"{text}\nnot enough disk space: free some, or choose another --workdir"


@fullness_told()
def estimate(config: ml_collections.ConfigDict, workdir: Path | str) -> Estimate:
    """Checks the config against its data as training does, compiles the step, and writes nothing.

    Raises:
      FileNotFoundError, ValueError: as `loop.train`, also for a run of other settings in `workdir`; what one
        of several processes meets while it reads, in all.
      DeviceFull: when the compiler finds that the step does not fit.
    """
    config = resolved(config)
    data, run = config.data, config.run
    require_same_everywhere(program(config))
    selection = selected(data.root, data.train, data.packed, sharing())
    validation_data = select(data.root, data.validation, sharing())
    step = sharing().each(lambda: _begun(workdir, config, selection, validation_data))
    sharing().require_same(f"the step of the run in {workdir}", str(step))
    experiment, placement = build(config, selection.preprocessing), place(fsdp=run.fsdp)
    require_divisible("data.batch_size", data.batch_size, placement)
    require_divisible("data.validation_batch_size", data.validation_batch_size, placement)
    seconds = experiment.objective.window_seconds
    windows, validation = windows_of(config, seconds), _usable(validation_data, seconds)
    corpus = 0
    if data.placement == "device":
        sharing().each(lambda: require_room(windows, placement.divided))
        corpus = bytes_on_each(windows, placement.divided)
    if data.validation_batch_size > validation:
        raise ValueError(
            f"data.validation_batch_size: expected at most the {validation} windows there are, "
            f"got {data.validation_batch_size}"
        )
    state = jax.eval_shape(
        lambda: init_state(experiment.objective, experiment.optimizer, jax.random.key(config.seed))
    )
    network, objective = experiment.objective.network, experiment.objective
    in_checkpoint = _CHECKPOINTS_AT_ONCE * sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    encoder = [name for name in state.parameters["network"] if not name.startswith(_NOT_ENCODER)]
    return Estimate(
        windows=windows.usable,
        steps=run.steps,
        recordings_seen=run.steps * data.batch_size,
        encoder_parameters=sum(count_parameters(state.parameters["network"][name]) for name in encoder),
        parameters=count_parameters(state.parameters),
        memory_of_step=_step_memory(config, experiment, windows, state, placement) - corpus,
        memory_of_windows=corpus
        + _validation_memory(validation, data.validation_batch_size, selection, placement),
        step_flops=step_flops(
            network,
            tokens_kept=objective.stdm.tokens_kept(objective.columns),
            columns=objective.columns,
            batch_size=data.batch_size,
            decoded=objective.lambda_r > 0,
        ),
        matrix_rate=matrix_rate(network.dtype),
        devices=f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        begun=step,
        disk=in_checkpoint
        + _JOURNAL_BYTES * (run.steps // run.log_every)
        + (_JOURNAL_BYTES + _PICTURE_BYTES) * (1 + run.steps // run.validate_every),
        disk_free=shutil.disk_usage(_existing(Path(workdir).absolute())).free,
    )


def _begun(
    workdir: Path | str, config: ml_collections.ConfigDict, training: Selection, validation: Selection
) -> int:
    """The step of the run that stands in the folder."""
    digests = digests_of(train=training, validation=validation)
    return begun(workdir, config, training.preprocessing, **digests)


_NOT_ENCODER = ("decoder", "mask_token", "projector")


def _usable(selection: Selection, seconds: float) -> int:
    """Windows that are long enough."""
    return int(long_enough(selection, selection.minimum_length(seconds), sharing()).sum())


def _step_memory(
    config: ml_collections.ConfigDict,
    experiment: Experiment,
    windows: TrainingWindows,
    state: TrainState,
    placement: Placement,
) -> int:
    """What the compiled step holds at once on each device, the corpus too where it lies there."""
    needs = _lowered(config, experiment, windows, state, placement).compile().memory_analysis()
    return int(
        needs.argument_size_in_bytes
        + needs.output_size_in_bytes
        - needs.alias_size_in_bytes
        + needs.temp_size_in_bytes
    )


def _lowered(
    config: ml_collections.ConfigDict,
    experiment: Experiment,
    windows: TrainingWindows,
    state: TrainState,
    placement: Placement,
) -> Any:
    """What the feed of this placement would run (`feeds`): other programs take other memory."""
    built, seed = (experiment.objective, experiment.optimizer), config.seed
    of_state, batch_size = placement.of_state(state), config.data.batch_size
    if config.data.placement == "host":
        step: Any = make_train_step(*built, seed=seed, placement=placement, of_state=of_state)
        return step.lower(state, _batch(batch_size, windows.selection))
    samples = windows.selection.preprocessing.window_samples
    steps: Any = make_corpus_steps(
        *built, seed=seed, placement=placement, window_samples=samples, of_state=of_state
    )
    rows = jax.ShapeDtypeStruct(shape_of_rows(windows, placement.divided), jnp.int32)
    index_KB = jax.ShapeDtypeStruct((config.run.steps_per_dispatch, batch_size), jnp.int32)
    return steps.lower(state, rows, index_KB, np.int32(1))


def _validation_memory(windows: int, batch_size: int, selection: Selection, placement: Placement) -> int:
    """What the whole batches of validation take on each device."""
    batch = _batch(windows // batch_size * batch_size, selection)
    return sum(x.size * x.dtype.itemsize for x in batch) // placement.divided.mesh.size


def _batch(windows: int, selection: Selection) -> Batch:
    """Shapes and types."""
    samples = selection.preprocessing.window_samples
    return Batch(
        ecg=jax.ShapeDtypeStruct((windows, len(LEADS), samples), jnp.int16),
        length=jax.ShapeDtypeStruct((windows,), jnp.int32),
        available=jax.ShapeDtypeStruct((windows, len(LEADS)), jnp.bool_),
        patient=jax.ShapeDtypeStruct((windows,), jnp.uint32),
    )


def count_parameters(tree: object) -> int:
    """Numbers in all arrays of a tree."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
