"""Draws the curves of one or several runs, and what the first makes of frequencies and of a recording.

python -m launch.curves --workdir=runs/a --workdir=runs/b --out=curves.png [--importance=… --example=…]
"""

from collections.abc import Sequence

from absl import flags

from coreecg_jax.downstream.spectrum import mean_power
from coreecg_jax.figures.curves import importance_curve, importance_of, training_curves
from coreecg_jax.inputs.reader import read_recordings
from coreecg_jax.training.checkpoints import load_parameters
from coreecg_jax.training.journal import read_metrics
from launch.restored import model_of
from launch.shell import run_main
from launch.watching import draw_reconstruction
from launch.writable import in_its_folder, require_picture

_WORKDIR = flags.DEFINE_multi_string("workdir", None, "A training run.", required=True)
_OUT = flags.DEFINE_string("out", None, "PNG file.", required=True)
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets, when they were moved since.")
_IMPORTANCE = flags.DEFINE_string("importance", None, "PNG file of the importance curve of the first run.")
_EXAMPLE = flags.DEFINE_string("example", None, "PNG file of a reconstruction by the first run.")


def _draw_importance(workdir: str, out: str) -> None:
    """The curve at the last validation, over the spectrum of the recordings that were validated on."""
    frequency_hz, importance = importance_of(read_metrics(workdir))
    data = load_parameters(workdir).config.data
    recordings = read_recordings(_DATA_ROOT.value or data.root, data.validation)
    spectrum = mean_power(recordings, frequency_hz)
    importance_curve(frequency_hz, importance, spectrum).savefig(in_its_folder(out), dpi=110)
    print(f"drawn: {out}")


def _draw_example(workdir: str, out: str) -> None:
    """The first validation recording that holds a crop."""
    objective, parameters = model_of(workdir)
    data = load_parameters(workdir).config.data
    recordings = read_recordings(
        _DATA_ROOT.value or data.root, data.validation, min_seconds=data.crop_seconds, most=1
    )
    figure = draw_reconstruction(objective, recordings, parameters)
    figure.savefig(in_its_folder(out), dpi=80, pil_kwargs={"optimize": True})
    print(f"drawn: {out}")


def main(argv: Sequence[str]) -> None:
    """Draws and says where the pictures are."""
    del argv
    for flag in (_OUT, _IMPORTANCE, _EXAMPLE):
        if flag.value:
            require_picture(f"--{flag.name}", flag.value)
    rows = [{**row, "run": workdir} for workdir in _WORKDIR.value for row in read_metrics(workdir)]
    training_curves(rows).savefig(in_its_folder(_OUT.value), dpi=110)
    print(f"drawn: {_OUT.value}")
    if _IMPORTANCE.value:
        _draw_importance(_WORKDIR.value[0], _IMPORTANCE.value)
    if _EXAMPLE.value:
        _draw_example(_WORKDIR.value[0], _EXAMPLE.value)


if __name__ == "__main__":
    run_main(main)
