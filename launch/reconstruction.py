"""Explained variance of hidden columns and dropped leads, of runs beside the three references.

python -m launch.reconstruction --run=lead_wise=runs/a --run=joint=runs/b --data_root=data/100hz \
    --train=ptbxl:fold1-7 --validation=ptbxl:fold8
"""

from collections.abc import Sequence

from absl import flags

from coreecg_jax.downstream.reconstruction import KINDS, markdown_lead_table, markdown_table
from coreecg_jax.downstream.recovery import BEAT_TEMPLATE, compare
from coreecg_jax.inputs.reader import read_recordings
from launch.restored import model_of
from launch.shell import run_main

_RUN = flags.DEFINE_multi_string("run", None, "NAME=WORKDIR, a row of the table.", required=True)
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_TRAIN = flags.DEFINE_string("train", None, "Data from which the regression is fitted.", required=True)
_VALIDATION = flags.DEFINE_string("validation", None, "Data to recover.", required=True)


def main(argv: Sequence[str]) -> None:
    """Prints the tables: by kind of hidden token, and by lead."""
    del argv
    named = [text.partition("=")[::2] for text in _RUN.value]
    if not all(workdir for _, workdir in named) or len(dict(named)) < len(named):
        raise ValueError(f"--run: expected NAME=WORKDIR with names that differ, got {' '.join(_RUN.value)}")
    models = {name: model_of(workdir) for name, workdir in named}
    seconds = max(o.crop_samples / o.sampling_rate for o, _ in models.values())
    train = read_recordings(_DATA_ROOT.value, _TRAIN.value, min_seconds=seconds)
    validation = read_recordings(_DATA_ROOT.value, _VALIDATION.value, min_seconds=seconds)
    rows = compare(models, train, validation)
    print(f"{len(validation)} windows of {_VALIDATION.value}\n")
    print(markdown_table(rows, ceiling=BEAT_TEMPLATE))
    for kind in KINDS[:2]:
        print(markdown_lead_table(rows, kind))


if __name__ == "__main__":
    run_main(main)
