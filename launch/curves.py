"""Draws the curves of one or several runs.

python -m launch.curves --workdir=runs/a --workdir=runs/b --out=curves.png
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.figures.curves import training_curves
from coreecg_jax.training.journal import read_metrics
from launch.shell import run_main

_WORKDIR = flags.DEFINE_multi_string("workdir", None, "A training run.", required=True)
_OUT = flags.DEFINE_string("out", None, "PNG file.", required=True)


def main(argv: Sequence[str]) -> None:
    """Draws and says where the picture is."""
    del argv
    rows = [{**row, "run": Path(workdir).name} for workdir in _WORKDIR.value for row in read_metrics(workdir)]
    training_curves(rows).savefig(_OUT.value, dpi=110)
    print(f"drawn: {_OUT.value}")


if __name__ == "__main__":
    run_main(main)
