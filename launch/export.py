"""Writes a run as a bundle: one folder with all that others need to use its encoder.

python -m launch.export --checkpoint=runs/x --out=bundles/x [--evaluation=runs/x/evaluations/y.json …]
Every format is run again after writing and compared on test vectors; a difference above 1e-4 fails.
"""

from collections.abc import Sequence

from absl import flags

from coreecg_jax.export.parts import PARTS, require_parts
from coreecg_jax.export.writing import PORTABLE, WITHOUT_ASKING, require_possible, write_bundle
from coreecg_jax.method.representation import POOLINGS
from launch.exporting import description_of, sizes
from launch.shell import run_main
from launch.writable import require_writable

_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Folder of a training run.", required=True)
_OUT = flags.DEFINE_string("out", None, "Folder of the bundle; must not be there yet.", required=True)
_FORMATS = flags.DEFINE_list(
    "formats", list(WITHOUT_ASKING), f"Beside safetensors: some of {', '.join(PORTABLE)}."
)
_PARTS = flags.DEFINE_list(
    "parts", list(PARTS), "Of the network: encoder, and where wanted decoder (for launch.fill) and projector."
)
_POOLING = flags.DEFINE_enum("pooling", POOLINGS[0], POOLINGS, "How an embedding is pooled.")
_CROPS = flags.DEFINE_integer("crops", 3, "Of a window, whose mean it is; rhythm has one.", lower_bound=1)
_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of the training data; default: that of the run.")
_EVALUATION = flags.DEFINE_multi_string(
    "evaluation",
    [],
    "JSON of launch.evaluate with what is known of the accuracy, once for each set of leads.",
)
_RECOVERED_ON = flags.DEFINE_string(
    "recovered_on", "", "Data on which the reconstruction is judged, for config.json: NAME[:SPLIT+SPLIT…], …"
)
_RECOVERED_FROM = flags.DEFINE_multi_string(
    "recovered_from",
    [],
    "LEAD,LEAD,…[@FROM:TO,…]: leads (and hidden seconds) for which it is judged, beside "
    "all with a hidden span, the limb leads, I+II+V2, and I.",
)


def main(argv: Sequence[str]) -> None:
    """Writes the bundle, prints how far each format is from the test vectors, sizes, and where it is."""
    del argv
    require_parts(_PARTS.value)  # before minutes go into what could not be written
    require_possible(_OUT.value, _FORMATS.value)
    require_writable("--out", _OUT.value)
    description, parameters = description_of(
        _CHECKPOINT.value,
        parts=_PARTS.value,
        pooling=_POOLING.value,
        crops=_CROPS.value,
        data_root=_DATA_ROOT.value,
        evaluations=_EVALUATION.value,
        recovered_on=_RECOVERED_ON.value,
        recovered_from=_RECOVERED_FROM.value,
    )
    differences = write_bundle(_OUT.value, description, parameters, formats=_FORMATS.value)
    print("| format | largest difference |\n|---|---:|")
    for name, difference in differences.items():
        print(f"| {name} | {difference:.1e} |")
    print(f"\n{sizes(_OUT.value, parameters['network'], description.parts)}\n\nbundle: {_OUT.value}")


if __name__ == "__main__":
    run_main(main)
