"""Compares two results of launch.evaluate on the same recordings: paired intervals for their difference.

python -m launch.compare runs/x/evaluations/A.json runs/y/evaluations/B.json [--methods=pretrained]
Reads each result and the predictions beside it; no encoder is run and nothing is written.
"""

from collections.abc import Sequence

from absl import flags

from coreecg_jax.downstream.comparison import compared, markdown, read_pair
from coreecg_jax.downstream.methods import PRETRAINED
from launch.shell import run_main

_METHODS = flags.DEFINE_list(
    "methods", [PRETRAINED], "Which method of both results; two names: of the first, of the second."
)


def main(argv: Sequence[str]) -> None:
    """Prints the tables."""
    print(markdown(compared(*read_pair(argv[1:], _METHODS.value))))


if __name__ == "__main__":
    run_main(main, files=True)
