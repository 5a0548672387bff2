"""How much of what each mask mode hides is given away: by lead algebra, and by linear regression.

python -m launch.leakage --data_root=data/100hz --train=ptbxl:fold1-7 --validation=ptbxl:fold8
"""

from collections.abc import Sequence

from absl import flags

from coreecg_jax.downstream.mask_leakage import mask_leakage
from coreecg_jax.inputs.reader import read_recordings
from launch.shell import run_main

_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_TRAIN = flags.DEFINE_string("train", None, "Data from which the regression is fitted.", required=True)
_VALIDATION = flags.DEFINE_string("validation", None, "Data on which it is judged.", required=True)
_COLUMNS = flags.DEFINE_integer("columns", 30, "Patch columns of a crop.", lower_bound=2)
_MASKS = flags.DEFINE_integer("masks", 2000, "Masks drawn of each mode.", lower_bound=1)
_CROP_SECONDS = flags.DEFINE_float("crop_seconds", 9.0, "Length of a crop.", lower_bound=1.0)


def main(argv: Sequence[str]) -> None:
    """Prints the table."""
    del argv
    train, validation = (
        read_recordings(_DATA_ROOT.value, spec, min_seconds=_CROP_SECONDS.value)
        for spec in (_TRAIN.value, _VALIDATION.value)
    )
    samples = round(_CROP_SECONDS.value * train.preprocessing.sampling_rate)
    rows = mask_leakage(train, validation, samples=samples, columns=_COLUMNS.value, masks=_MASKS.value)
    print("| mask | K | exact, of hidden limb tokens | exact, of all hidden | linear R², all hidden |")
    print("|---|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.mask} | {row.tokens_kept} | {row.of_hidden_limb:.1%} | {row.of_hidden:.1%} "
            f"| {row.linear_r2:.3f} |"
        )


if __name__ == "__main__":
    run_main(main)
