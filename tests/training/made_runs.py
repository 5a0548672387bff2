"""The tiny experiment, its batches and its devices. TensorFlow is not needed."""

import jax
import numpy as np
import optax

from configs import tiny
from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.inputs.transfer import to_devices
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.mesh import place
from coreecg_jax.training.state import TrainState, init_state
from coreecg_jax.training.step import make_train_step

PREPROCESSING = Preprocessing(sampling_rate=100.0)


def tiny_config(changes=None):
    """configs/tiny.py with the fields of `changes` ({'run.steps': 4}) set to other values."""
    config = tiny.get_config()
    config.update_from_flattened_dict(changes or {})
    return config


def validating_config(root, changes=None):
    """The same, on the data below `root`, validated at each step."""
    return tiny_config({"data.root": str(root), "run.validate_every": 1, **(changes or {})})


def tiny_experiment(changes=None):
    return build(resolved(tiny_config(changes)), PREPROCESSING)


def placement_of(devices, fsdp=1):
    """Over the first `devices` devices."""
    return place(fsdp=fsdp, devices=jax.devices()[:devices])


def made_recordings(count, seed=0):
    """Windows of 9 to 10 s: a rhythm of its own in each recording, in noise; patients have two each."""
    rng = np.random.default_rng(seed)
    samples = PREPROCESSING.window_samples
    phase_n1T = rng.uniform(0.8, 2, (count, 1, 1)) * np.arange(samples) / PREPROCESSING.sampling_rate
    ecg = 800 * np.exp(20 * (np.cos(2 * np.pi * phase_n1T) - 1)) * rng.normal(0, 1, (count, 12, 1))
    ecg += rng.normal(0, 50, ecg.shape)
    length = rng.integers(900, samples + 1, count)
    ecg[np.arange(samples) >= length[:, None, None] + np.zeros((1, 12, 1), int)] = 0
    names = np.array([f"r{number}" for number in range(count)])
    return Recordings(
        ecg=ecg.astype(np.int16),
        length=length.astype(np.int32),
        quality=np.zeros((count, 12), np.int32),
        recording_id=names,
        window=np.zeros(count, np.int32),
        patient_id=names,
        patient_key=(np.arange(count) // 2).astype(np.uint32),
        source=np.full(count, "made"),
        fold=np.ones(count, np.int32),
        labels=((),) * count,
        likelihoods=((),) * count,
        age=np.full(count, 50, np.float32),
        sex=np.full(count, ""),
        signal_hash=names,
        preprocessing=PREPROCESSING,
    )


def made_batch(number) -> Batch:
    """Eight windows of four patients."""
    return made_recordings(8, seed=number).batch(slice(None))


def first_state(experiment, placement):
    fresh = init_state(experiment.objective, experiment.optimizer, jax.random.key(0))
    return jax.device_put(fresh, placement.of_state(fresh))


def small_state():
    """Of few leaves, 200 kB, for what does not compute with it."""
    rng = np.random.default_rng(0)
    kernels = {"kernel": rng.normal(size=(256, 64)), "bias": rng.normal(size=64)}
    parameters = {"network": {"layer": kernels}, "fda": {"s": rng.normal(size=17), "a": np.array(0.5)}}
    parameters = jax.tree.map(lambda leaf: leaf.astype(np.float32), parameters)
    step, skipped, in_a_row = (np.zeros((), np.int32) for _ in range(3))
    return TrainState(step, parameters, optax.adam(1e-3).init(parameters), skipped, in_a_row)


def trained(experiment, placement, steps):
    """The jitted step, the state after `steps` steps, and the metrics of each."""
    state, rows = first_state(experiment, placement), []
    step = make_train_step(
        experiment.objective,
        experiment.optimizer,
        seed=0,
        placement=placement,
        of_state=placement.of_state(state),
    )
    for batch in to_devices(map(made_batch, range(steps)), placement.divided):
        state, metrics = step(state, batch)
        rows.append(jax.device_get(metrics))
    return step, state, rows


def leaves(tree):
    """Every leaf as (path, numpy array)."""
    flat, _ = jax.tree_util.tree_flatten_with_path(jax.device_get(tree))
    return [(jax.tree_util.keystr(path), np.asarray(leaf)) for path, leaf in flat]


def assert_same(tree, other):
    """To the bit, names and types of leaves too."""
    assert [name for name, _ in leaves(tree)] == [name for name, _ in leaves(other)]
    for (name, one), (_, two) in zip(leaves(tree), leaves(other)):
        assert one.dtype == two.dtype, name
        assert one.tobytes() == two.tobytes(), name
