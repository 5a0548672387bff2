"""Is this a recording of a heart, in millivolts, on every lead?

All checks look at the raw signal, before resampling and filtering could hide what is wrong. The thresholds
were set on 695 recordings of seven public databases; `docs/data.md` has the measurements.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import LARGEST_MILLIVOLTS
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import LeadFlag

FRANK_LEADS = ("vx", "vy", "vz")  # orthogonal leads that stand beside the twelve in PTB
# A lead is flat when it stays within 10 uV for 3 s. Living leads move by 108 uV or more in any 3 s.
FLAT_MILLIVOLTS = 0.010
FLAT_SECONDS = 3.0
# A lead is saturated when it stands still at its highest or lowest value, at least 1 mV from its median, for
# 20 ms or more at a time and 2 % of the recording in all. PTB-XL recordings begin with up to 0.12 s of one
# value, 1.2 %.
RAIL_MILLIVOLTS = 1.0
RAIL_SECONDS = 0.020
RAIL_SHARE = 0.02
# The 99th percentile of |mV - median|, its median over the leads: 0.2 to 4.7 mV. A header that is wrong
# by 1000 lies far outside, whichever way.
LARGEST_P99_MILLIVOLTS = 20.0
SMALLEST_P99_MILLIVOLTS = 0.02

_REASONS = {
    LeadFlag.MISSING: (Reason.MISSING_LEAD, "missing"),
    LeadFlag.NAN: (Reason.NAN, f"with samples that are invalid or beyond {LARGEST_MILLIVOLTS:g} mV"),
    LeadFlag.FLAT: (Reason.FLAT_LEAD, f"flat for {FLAT_SECONDS:g} s or more"),
    LeadFlag.SATURATED: (Reason.SATURATED, "standing at a rail"),
}


def lead_flags(ecg_LT: np.ndarray, present_L: np.ndarray, rate: float) -> np.ndarray:
    """int64[12] of LeadFlag bits for a raw recording, float64[12, T] in mV at `rate` Hz."""
    nan_L = present_L & np.isnan(ecg_LT).any(axis=1)
    flags_L = np.where(present_L, 0, int(LeadFlag.MISSING)) | np.where(nan_L, int(LeadFlag.NAN), 0)
    whole = np.flatnonzero(flags_L == 0)
    flags_L[whole] |= np.where(_is_flat(ecg_LT[whole], rate), int(LeadFlag.FLAT), 0)
    flags_L[whole] |= np.where(_is_saturated(ecg_LT[whole], rate), int(LeadFlag.SATURATED), 0)
    return flags_L


def check_unit(ecg_LT: np.ndarray) -> None:
    """Refuses amplitudes that no heart has: the header's unit or gain is wrong.

    Leads with NaN and constant leads say nothing about the unit and are left out.

    Raises:
      RecordingRefused: with reason WRONG_UNIT.
    """
    telling = ecg_LT[np.ptp(ecg_LT, axis=1) > 0]  # False for NaN
    if not telling.size:
        return
    deviation_LT = np.abs(telling - np.median(telling, axis=1, keepdims=True))
    p99 = float(np.median(np.percentile(deviation_LT, 99, axis=1)))
    if not SMALLEST_P99_MILLIVOLTS <= p99 <= LARGEST_P99_MILLIVOLTS:
        raise RecordingRefused(
            Reason.WRONG_UNIT,
            f"expected amplitudes of {SMALLEST_P99_MILLIVOLTS:g} to {LARGEST_P99_MILLIVOLTS:g} mV "
            f"(99th percentile, median over leads), got {p99:.3g} mV: wrong gain or unit (of the header, "
            "`unit:` in ecg.yaml; an array is expected in mV)",
        )


def check_leads(flags_L: np.ndarray, ignored_signals: Sequence[str] = ()) -> None:
    """Refuses a recording for any bad lead.

    Raises:
      RecordingRefused: with the reason of the first kind of fault found and the leads that have it.
    """
    for flag, (reason, fault) in _REASONS.items():
        bad = [lead for lead, bits in zip(LEADS, flags_L) if bits & flag]
        if not bad:
            continue
        sentence = f"expected twelve good leads; {fault}: {', '.join(bad)}"
        unknown = [name for name in ignored_signals if name.lower() not in FRANK_LEADS]
        if flag == LeadFlag.MISSING and unknown:
            raise RecordingRefused(Reason.UNKNOWN_LEAD, f"{sentence}; unknown names: {', '.join(unknown)}")
        raise RecordingRefused(reason, sentence)


def check_any_lead(flags_L: np.ndarray, ignored_signals: Sequence[str] = ()) -> None:
    """Refuses a recording without a good lead.

    Raises:
      RecordingRefused: with reason NO_GOOD_LEAD, and the signals that are none of the twelve.
    """
    if (flags_L != 0).all():
        others = f"; signals that are none of these: {', '.join(ignored_signals)}" if ignored_signals else ""
        sentence = f"expected at least one good lead, all twelve are bad{others}"
        raise RecordingRefused(Reason.NO_GOOD_LEAD, sentence)


def _is_flat(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """bool[L]: whether some stretch of `FLAT_SECONDS` stays within `FLAT_MILLIVOLTS`."""
    size = min(max(1, round(FLAT_SECONDS * rate)), ecg_LT.shape[1])
    flat_L = _has_still_block(ecg_LT, (size + 1) // 2)
    still_MT = ecg_LT[flat_L]
    if not len(still_MT):
        return flat_L
    range_MT = maximum_filter1d(still_MT, size, axis=1) - minimum_filter1d(still_MT, size, axis=1)
    # Positions whose window lies wholly inside; the filters reflect the signal at its ends.
    inside = slice(size // 2, ecg_LT.shape[1] - (size - 1) // 2)
    flat_L[flat_L] = range_MT[:, inside].min(axis=1) <= FLAT_MILLIVOLTS
    return flat_L


def _has_still_block(ecg_LT: np.ndarray, block: int) -> np.ndarray:
    """bool[L]: whether one of the blocks end to end from the start stays within `FLAT_MILLIVOLTS`.

    A stretch of at least 2 * block - 1 samples holds such a block whole, so a lead without one is not flat:
    hardly any is left for the sliding window, which takes ten times as long.
    """
    blocks = ecg_LT.shape[1] // block
    samples_LXT = ecg_LT[:, : blocks * block].reshape(len(ecg_LT), blocks, block)
    range_LX = samples_LXT.max(axis=2) - samples_LXT.min(axis=2)
    return (range_LX <= FLAT_MILLIVOLTS).any(axis=1)


def _is_saturated(ecg_LT: np.ndarray, rate: float) -> np.ndarray:
    """bool[L]: whether the lead spends `RAIL_SHARE` of the time in plateaus at an extreme value."""
    saturated_L = np.zeros(len(ecg_LT), bool)
    for rail_L1 in (ecg_LT.min(axis=1, keepdims=True), ecg_LT.max(axis=1, keepdims=True)):
        at_rail_LT = ecg_LT == rail_L1
        # Few leads stand at a rail so often: only theirs are looked at more closely.
        for lead in np.flatnonzero(at_rail_LT.mean(axis=1) >= RAIL_SHARE):
            if abs(rail_L1[lead, 0] - np.median(ecg_LT[lead])) < RAIL_MILLIVOLTS:
                continue
            runs = run_lengths(at_rail_LT[lead])
            plateaus = runs[runs >= RAIL_SECONDS * rate].sum()
            saturated_L[lead] |= plateaus >= RAIL_SHARE * ecg_LT.shape[1]
    return saturated_L


def run_lengths(is_run_T: np.ndarray) -> np.ndarray:
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_run_T, [False])).astype(np.int8)))
    return edges[1::2] - edges[::2]
