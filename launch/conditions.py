"""Draws a simulated recording of each labelled condition on ECG paper.

python -m launch.conditions --out=conditions [--seed=0] [--patient=4]
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.figures.ecg_paper import Trace, draw_ecg
from coreecg_jax.records.label_sets import load_label_set
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.simulator.simulate import simulate
from launch.shell import run_main
from launch.writable import require_writable

_OUT = flags.DEFINE_string("out", None, "Folder of the pictures.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Of the simulated world.", lower_bound=0)
_PATIENT = flags.DEFINE_integer("patient", 4, "Number of the patient.", lower_bound=0)
_DPI = flags.DEFINE_integer("dpi", 80, "Of the pictures.", lower_bound=20)
_RATE = 250.0  # Hz


def main(argv: Sequence[str]) -> None:
    """Writes a picture a condition."""
    del argv
    out = Path(_OUT.value)
    require_writable("--out", out)
    out.mkdir(parents=True, exist_ok=True)
    for code, (name,) in load_label_set("simulated_conditions").code_to_class.items():
        made = simulate(_SEED.value, _PATIENT.value, 0, sampling_rate=_RATE, conditions=(code,))
        title = f"{name}, simulated: patient {_PATIENT.value}, {made.age:.0f} years, {made.sex}"
        figure = draw_ecg([Trace("", made.ecg_LT)], sampling_rate=_RATE, leads=LEADS, title=title)
        figure.savefig(out / f"{code}.png", dpi=_DPI.value, pil_kwargs={"optimize": True})
    print(f"drawn: {out}")


if __name__ == "__main__":
    run_main(main)
