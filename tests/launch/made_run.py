"""Made shards and the tiny experiment on them as it is before its first step, for launchers to look at."""

from made_parameters import made_state
from made_shards import example, serialise, write_data_set

from configs import tiny
from coreecg_jax.records.schema import Preprocessing
from coreecg_jax.training.checkpoints import Checkpoints
from coreecg_jax.training.experiment import build, resolved
from coreecg_jax.training.journal import Journal

PREPROCESSING = Preprocessing(sampling_rate=100.0)


def write_made_data(root, windows=16, **changes):
    """A data set `made` of windows of 9 to 10 s at 100 Hz."""
    records = [serialise(example(number, "made", samples=1000, **changes)) for number in range(windows)]
    write_data_set(root, "made", {"all": [records]}, preprocessing=PREPROCESSING)


def write_made_run(workdir, root):
    """A checkpoint of step 0 with a journal of three steps."""
    config = tiny.get_config()
    config.data.root = str(root)
    config = resolved(config)
    experiment = build(config, PREPROCESSING)
    with Checkpoints(workdir, config, PREPROCESSING) as checkpoints:
        checkpoints.save_last(made_state(experiment))
    importance = {f"fda_protected_{hz}Hz": hz / 50 for hz in range(0, 49, 3)}
    with Journal(workdir, resume_step=0) as journal:
        for step in (1, 2, 3):
            journal.write(
                step, {"reconstruction": 1 / step, "gradient_norm": 1.0, "recordings_per_second": 9}
            )
        journal.write(3, importance, prefix="validation")
    return config
