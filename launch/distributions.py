"""Draws what data sets are like beside each other, and prints how much their leads say of one another.

python -m launch.distributions --data_root=data/250hz --data=simulated --data=ptbxl --out=distributions.png
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from coreecg_jax.downstream.leakage import held_out_r2
from coreecg_jax.downstream.measurements import measured
from coreecg_jax.downstream.recovery import training_covariance
from coreecg_jax.downstream.spectrum import mean_power
from coreecg_jax.figures.distributions import compare_distributions
from coreecg_jax.inputs.reader import Recordings, read_recordings
from coreecg_jax.records.leads import CHEST_LEADS, LEADS
from launch.shell import run_main
from launch.writable import in_its_folder, require_picture

_DATA_ROOT = flags.DEFINE_string("data_root", None, "Folder of data sets.", required=True)
_DATA = flags.DEFINE_multi_string("data", None, "NAME=DATA, or a data specification.", required=True)
_OUT = flags.DEFINE_string("out", None, "PNG file.", required=True)
_HERTZ = np.arange(0.5, 45.0, 0.5)


def _chest_leads_from_the_others(recordings: Recordings) -> list[float]:
    """Held-out linear R² of V1 to V6, each from the eleven other leads; halves of the patients, both ways."""
    samples = round(9.0 * recordings.preprocessing.sampling_rate)
    long_enough = recordings.take(recordings.length >= samples)
    half = long_enough.patient_key % 2 == 0
    covariances = [training_covariance(long_enough.take(some), samples) for some in (half, ~half)]
    places = [LEADS.index(lead) for lead in CHEST_LEADS]
    visible = np.array([np.arange(len(LEADS)) != place for place in places])
    both_ways = (covariances, covariances[::-1])
    r2 = [held_out_r2(*pair, visible)[range(len(places)), places] for pair in both_ways]
    return np.mean(r2, axis=0).tolist()


def main(argv: Sequence[str]) -> None:
    """Measures, draws, prints."""
    del argv
    require_picture("--out", _OUT.value)
    named = [text.rpartition("=")[::2] for text in _DATA.value]
    groups = {name or spec: read_recordings(_DATA_ROOT.value, spec) for name, spec in named}
    values = {name: measured(recordings) for name, recordings in groups.items()}
    spectra = {name: (_HERTZ, mean_power(some, _HERTZ)) for name, some in groups.items()}
    compare_distributions(values, spectra).savefig(in_its_folder(_OUT.value), dpi=100)
    print("| data | recordings | " + " | ".join(("heart rate, 1/min", "QRS, ms", *CHEST_LEADS)) + " |")
    print("|---|---:|" + "---:|" * 8)
    for name, recordings in groups.items():
        medians = [f"{np.nanmedian(column):.0f}" for column in list(values[name].values())[:2]]
        r2 = [f"{value:.2f}" for value in _chest_leads_from_the_others(recordings)]
        print(f"| {name} | {len(recordings)} | " + " | ".join([*medians, *r2]) + " |")
    print(f"\nMedians, and linear R² of each chest lead from the other eleven. Drawn: {_OUT.value}")


if __name__ == "__main__":
    run_main(main)
