"""What clinicians read off an ECG first, measured simply: to compare data sets, not to judge a patient."""

from collections.abc import Mapping

import numpy as np

from coreecg_jax.downstream.references import find_beats
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.method.normalisation import MILLIVOLTS_PER_STORED_UNIT
from coreecg_jax.records.leads import LEADS

HEART_RATE, QRS_WIDTH = "heart rate (1/min)", "QRS width (ms)"
# The median beat: so much before and after R, in s. A bundle branch block fits into it, a P wave does not.
_BEFORE, _AFTER = 0.10, 0.14
_FEWEST_BEATS = 3
_QRS_SPEED = 0.12  # of the fastest change of the median beat: slower is no longer QRS


def measured(recordings: Recordings) -> Mapping[str, np.ndarray]:
    """Heart rate, QRS width, and peak-to-peak amplitude of QRS in each lead; float64 (n,) by name and unit.

    QRS is where the median beat's speed (length of the derivative over all leads) is above 12 % of its
    highest: an estimate whose resolution is one sample. NaN where fewer than 3 beats are found, or a lead is
    not available.
    """
    rows = [_measure(recordings, row) for row in range(len(recordings))]
    names = [HEART_RATE, QRS_WIDTH, *(f"QRS amplitude {lead} (mV)" for lead in LEADS)]
    return dict(zip(names, np.array(rows, np.float64).T, strict=True))


def _measure(recordings: Recordings, row: int) -> list[float]:
    rate, length = recordings.preprocessing.sampling_rate, int(recordings.length[row])
    unit = MILLIVOLTS_PER_STORED_UNIT * recordings.preprocessing.microvolts_per_unit
    ecg_LT = recordings.ecg[row, :, :length] * unit
    available_L = recordings.available[row]
    beats = find_beats(ecg_LT[available_L], rate)
    before, after = round(_BEFORE * rate), round(_AFTER * rate)
    whole = beats[(beats >= before) & (beats < length - after)]
    if len(whole) < _FEWEST_BEATS:
        return [float("nan")] * (2 + len(LEADS))
    beat_LW = np.median([ecg_LT[:, beat - before : beat + after] for beat in whole], axis=0)
    speed_W = np.sqrt(np.square(np.gradient(beat_LW[available_L], axis=1)).sum(0))
    first, last = np.flatnonzero(speed_W > _QRS_SPEED * speed_W.max())[[0, -1]]
    amplitude_L = np.where(available_L, np.ptp(beat_LW[:, first : last + 1], axis=1), np.nan)
    return [60 * rate / np.median(np.diff(beats)), 1000 * (last - first) / rate, *amplitude_L]
