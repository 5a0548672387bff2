"""Scores pretrained encoders with a linear probe, beside the untrained encoder and the humble rival.

python -m launch.probe --workdir=runs/x --data_root=data/100hz --task=ptbxl_superclass --out=results/x.json
Without --workdir: the rival alone. With --development: scores on the training folds, the test is not read.
"""

import functools
from collections.abc import Sequence

from absl import flags

from coreecg_jax.downstream.methods import compared_methods
from coreecg_jax.downstream.protocol import develop, evaluate
from coreecg_jax.downstream.tables import markdown, report, write_report
from coreecg_jax.downstream.tasks import TASKS
from coreecg_jax.method.representation import POOLINGS
from launch.restored import encoder_of
from launch.shell import run_main

_WORKDIR = flags.DEFINE_multi_string("workdir", [], "A training run; once for each seed.")
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_TASK = flags.DEFINE_enum("task", "ptbxl_superclass", sorted(TASKS), "What is predicted.")
_OUT = flags.DEFINE_string("out", None, "JSON file of all numbers.")
_POOLING = flags.DEFINE_enum("pooling", "lead", POOLINGS, "Patch tokens are pooled by lead or all together.")
_DEVELOPMENT = flags.DEFINE_bool("development", False, "Score on the training folds; do not read the test.")


def main(argv: Sequence[str]) -> None:
    """Loads the runs, evaluates, prints the table and writes the numbers."""
    del argv
    encoders = [encoder_of(workdir, _POOLING.value) for workdir in _WORKDIR.value]
    judge = develop if _DEVELOPMENT.value else evaluate
    evaluation = judge(TASKS[_TASK.value], _DATA_ROOT.value, functools.partial(compared_methods, encoders))
    numbers = report(evaluation, encoders)
    print(markdown(numbers))
    if _OUT.value:
        write_report(numbers, _OUT.value)


if __name__ == "__main__":
    run_main(main)
