"""How much of what each mask mode hides is given away: by lead algebra, and by linear regression.

python -m launch.leakage --data_root=data/100hz --train=ptbxl:fold1-7 --validation=ptbxl:fold8
"""

from collections.abc import Sequence

import jax
import numpy as np
from absl import flags

from coreecg_jax.downstream.leakage import statistical_leakage
from coreecg_jax.downstream.recovery import training_covariance
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.method.masking import STDM, algebraic_leakage
from launch.shell import run_main

_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_TRAIN = flags.DEFINE_string("train", None, "Data from which the regression is fitted.", required=True)
_VALIDATION = flags.DEFINE_string("validation", None, "Data on which it is judged.", required=True)
_COLUMNS = flags.DEFINE_integer("columns", 30, "Patch columns of a crop.", lower_bound=2)
_MASKS = flags.DEFINE_integer("masks", 2000, "Masks drawn of each mode.", lower_bound=1)
_CROP_SECONDS = flags.DEFINE_float("crop_seconds", 9.0, "Length of a crop.", lower_bound=1.0)
MODES = {mode: STDM(mode) for mode in ("dual", "time", "lead", "rank_aware", "random")} | {
    "random, fixed count": STDM("random", random_count="fixed")
}


def main(argv: Sequence[str]) -> None:
    """Prints the table."""
    del argv
    covariances = []
    for spec in (_TRAIN.value, _VALIDATION.value):
        recordings = read_recordings(_DATA_ROOT.value, spec, min_seconds=_CROP_SECONDS.value)
        samples = round(_CROP_SECONDS.value * recordings.preprocessing.sampling_rate)
        covariances.append(training_covariance(recordings, samples))
    print("| mask | K | exact, of hidden limb tokens | exact, of all hidden | linear R², all hidden |")
    print("|---|---:|---:|---:|---:|")
    for name, stdm in MODES.items():
        visible_BLN = stdm(jax.random.key(0), _MASKS.value, _COLUMNS.value).visible_BLN
        exact = algebraic_leakage(visible_BLN)
        linear = statistical_leakage(*covariances, ~np.asarray(visible_BLN))
        print(
            f"| {name} | {stdm.tokens_kept(_COLUMNS.value)} | {exact.of_hidden_limb:.1%} "
            f"| {exact.of_hidden:.1%} | {linear.mean:.3f} |"
        )


if __name__ == "__main__":
    run_main(main)
