"""Scores pretrained encoders on a task, beside what it must beat.

python -m launch.evaluate --checkpoint=runs/x --data_root=data/100hz --task=ptbxl_superclass [--protocol=knn]
Several seeds: --checkpoint once for each. Without --checkpoint: the rival alone. A bundle (launch.export) is
taken as a run is, from a model hub too (--checkpoint=hf://ORGANISATION/NAME); --checkpoint=released is the
encoder that comes with the package. With --development: scores on the training and validation folds; the
test is not read. Everything is written: numbers as JSON, every prediction as Parquet beside it, and each
opening of a test set into the log beside the data, as is what was scored in development. What it is doing is
told on standard error.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import flags

from configs.downstream import protocols, tasks
from coreecg_jax.downstream.division import Subset
from coreecg_jax.downstream.methods import BESIDE, PROTOCOLS
from coreecg_jax.downstream.openings import FILE
from coreecg_jax.downstream.tasks import named_task, tasks_of
from coreecg_jax.method.representation import POOLINGS
from launch.config_files import define_config_file
from launch.evaluating import Asked, Done, evaluated, leads_of, require_result_file
from launch.finishing import finished
from launch.protocol_settings import protocols_of
from launch.restored import encoder_of
from launch.shell import run_main
from launch.telling_fits import on_stderr

_CHECKPOINT = flags.DEFINE_multi_string(
    "checkpoint",
    [],
    "Folder of a run or of a bundle, hf://ORGANISATION/NAME, or 'released'; once for each seed.",
)
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.")
_TASK = flags.DEFINE_string("task", "ptbxl_superclass", "What is predicted: an entry of --tasks.")
_TASKS = define_config_file("tasks", tasks.__file__, "The list of tasks.", any_groups=True)
_PROTOCOLS = define_config_file("protocols", protocols.__file__, "Settings of the protocols.")
_PROTOCOL = flags.DEFINE_enum("protocol", "linear", PROTOCOLS, "How an encoder is judged.")
_BESIDE = flags.DEFINE_list("beside", list(BESIDE), f"What stands beside it: some of {', '.join(BESIDE)}.")
_LEADS = flags.DEFINE_string("leads", "12", "12, 8, 6, 3, 2, 1, or names: I,II,V2.")
_FRACTION = flags.DEFINE_float("fraction", 1.0, "Share of the labelled recordings that are fitted.", 0.0, 1.0)
_REPEAT = flags.DEFINE_integer("repeat", 0, "Seed of that share.", lower_bound=0)
_POOLING = flags.DEFINE_enum(
    "pooling",
    None,
    POOLINGS,
    "What a frozen encoder's tokens are made into; default: rhythm, or what a bundle says.",
)
_DEVELOPMENT = flags.DEFINE_bool("development", False, "Score by validation; do not read the test.")
_OUT = flags.DEFINE_string(
    "out", None, "JSON file of the numbers; default: in the run's folder or --data_root."
)
_OPENINGS = flags.DEFINE_string(
    "openings", None, f"Log of test openings; default: {FILE} in --data_root, else the result says so."
)
_ALLOW_RETEST = flags.DEFINE_bool("allow_retest", False, "Open a test set again; the result says so.")
_ALLOW_OVERLAP = flags.DEFINE_bool(
    "allow_overlap", False, "Ask about recordings seen, unlabelled, in pretraining; the result says so."
)
_FINISH = flags.DEFINE_string(
    "finish", None, "Report a test that was opened and whose report failed: the file that was told then."
)


@flags.multi_flags_validator(
    ["data_root", "finish"], message="Flag --data_root must have a value other than None."
)
def _has_data(given: Mapping[str, str | None]) -> bool:
    return bool(given["data_root"] or given["finish"])


def _require_alone() -> None:
    """What is finished was asked by other flags, and they stand in the file."""
    others = [flag.name for flag in (_CHECKPOINT, _DATA_ROOT, _TASK, _OUT) if flag.present]
    if others:
        raise ValueError(
            "--finish: expected no other flag, as the file says all, got "
            f"--{', --'.join(others)}: leave it out"
        )


def main(argv: Sequence[str]) -> None:
    """Loads the runs, evaluates, prints the tables and says where the numbers are."""
    del argv
    if _FINISH.value:
        _require_alone()
        done = finished(Path(_FINISH.value), tell=on_stderr)
    else:
        done = _evaluated()
    print(f"{done.text}\n\nresult: {done.file}\npredictions: {done.predictions}")


def _evaluated() -> Done:
    """Of the flags."""
    root = Path(_DATA_ROOT.value or "")  # which is given, where there is nothing to finish
    if _OUT.value:  # before an encoder is restored
        require_result_file(_OUT.value)
    asked = Asked(
        task=named_task(tasks_of(_TASKS.value.to_dict()), _TASK.value),
        root=root,
        protocol=_PROTOCOL.value,
        settings=protocols_of(_PROTOCOLS.value),
        beside=tuple(_BESIDE.value),
        subset=Subset(leads_of(_LEADS.value), _FRACTION.value, _REPEAT.value),
        openings=Path(_OPENINGS.value or root / FILE),
        development=_DEVELOPMENT.value,
        allow_retest=_ALLOW_RETEST.value,
        allow_overlap=_ALLOW_OVERLAP.value,
    )
    restore = functools.partial(encoder_of, pooling=_POOLING.value)
    encoders = [restore(workdir) for workdir in _CHECKPOINT.value]
    return evaluated(asked, encoders, out=_OUT.value, tell=on_stderr)


if __name__ == "__main__":
    run_main(main)
