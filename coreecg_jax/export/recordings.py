"""From what a user has, some leads at some rate, to windows as those that the encoder was trained on."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.records import conditioning, quality
from coreecg_jax.records.leads import LEADS, LIMB_LEADS, lead_indices
from coreecg_jax.records.one_recording import Settings, check_rate_and_length
from coreecg_jax.records.recording import Recording, invalid_as_nan
from coreecg_jax.records.refusals import Reason, RecordingRefused
from coreecg_jax.records.schema import LeadFlag, Preprocessing

BAD_LEADS = ("refuse", "mask")
_HINT = "leave these leads out, or mask them (bad_leads='mask')"


class Conditioned(NamedTuple):
    """One recording at the bundle's rate and band."""

    ecg_LT: np.ndarray  # float64 mV, leads in the order of LEADS; 0 where not available
    available_L: np.ndarray  # bool
    flags_L: np.ndarray  # int64, LeadFlag bits


class Windows(NamedTuple):
    """One recording, conditioned and cut as preparing does, X windows."""

    ecg_XLW: np.ndarray  # float32 mV, leads in the order of LEADS; 0 where not available or after the end
    length_X: np.ndarray  # int32, valid samples
    available_L: np.ndarray  # bool
    flags_L: np.ndarray  # int64, LeadFlag bits


def placed(signal_LT: np.ndarray, fs: float, leads: Sequence[str]) -> Recording:
    """A signal with its rows at the places of the leads that they are said to be.

    Samples that numpy masks are NaN: what stands below a mask was never measured.

    Raises:
      UnknownLeadError, ValueError: when the leads are not rows of the signal, or it is no signal.
    """
    places, rate = places_of(leads), hertz_of(fs)
    rows_LT = _rows(signal_LT, leads)
    rows_LT = rows_LT.filled(np.nan) if isinstance(rows_LT, np.ma.MaskedArray) else rows_LT
    ecg_LT = np.full((len(LEADS), rows_LT.shape[1]), np.nan)
    ecg_LT[list(places)] = rows_LT
    present_L = np.isin(np.arange(len(LEADS)), places)
    return Recording(invalid_as_nan(ecg_LT), present_L, rate, (), ())


def places_of(leads: Sequence[str]) -> tuple[int, ...]:
    """Positions in LEADS of the leads that a user names.

    Raises:
      UnknownLeadError, ValueError: when they are no names, none of the twelve, or one comes twice.
    """
    if isinstance(leads, str):
        names = tuple(name.strip() for name in leads.split(","))
        raise ValueError(f"leads: expected several names, got the text {leads!r}: write leads={names!r}")
    listed = list(leads) if isinstance(leads, Iterable) else [leads]
    if not all(isinstance(name, str) for name in listed):
        raise ValueError(
            f"leads: expected names of the signal's rows, got {leads!r:.100}: leave leads out where the rows "
            f"are {', '.join(LEADS)}"
        )
    return lead_indices(listed)


def hertz_of(fs: Any) -> float:
    """A sampling rate that a user gives.

    Raises:
      ValueError: when it is no number above 0.
    """
    try:
        rate = math.nan if isinstance(fs, (str, bytes, bool)) or np.ndim(fs) else float(fs)
    except (TypeError, ValueError):
        rate = math.nan
    if not 0 < rate < math.inf:
        raise ValueError(f"fs: expected the sampling rate, a number of Hz above 0, got {fs!r:.100}")
    return rate


def expected_windows(
    several: Sequence[np.ndarray], fs: float, leads: Sequence[str], preprocessing: Preprocessing
) -> tuple[tuple[int, ...], list[int]]:
    """Places of the leads, and valid samples of each window that will be cut, if all is as it seems.

    Shapes alone are looked at. Nothing where something is odd: `placed` and `conditioned_of` say what.
    """
    try:
        places, rate = places_of(leads), hertz_of(fs)
        samples = [_rows(one, leads).shape[1] for one in several]
        lengths = [length for each in samples for length in window_lengths(each, rate, preprocessing)]
    except (ValueError, ArithmeticError, RecordingRefused):
        return (), []
    return tuple(sorted(places)), lengths


def _rows(signal: Any, leads: Sequence[str]) -> np.ndarray:
    """A signal as it is, when it is one: [leads, samples] of floating-point numbers."""
    try:
        signal_LT = signal if isinstance(signal, np.ndarray) else np.asarray(signal)
    except ValueError as error:
        raise ValueError(
            "signal: expected as many samples of each lead, got rows of other lengths"
        ) from error
    if signal_LT.ndim != 2 or len(signal_LT) != len(leads):
        lying = signal_LT.ndim == 2 and signal_LT.shape[1] == len(leads)
        raise ValueError(
            f"signal: expected shape ({len(leads)} leads, samples) for leads {', '.join(leads)}, got "
            f"{signal_LT.shape}: {'transpose it, signal.T' if lying else 'name the rows with leads='}"
        )
    if not np.issubdtype(signal_LT.dtype, np.floating):
        raise ValueError(
            f"signal: expected floating-point mV, got {signal_LT.dtype}: stored integers are no mV until "
            "they are divided by the gain"
        )
    return signal_LT


def windows_of(recording: Conditioned, preprocessing: Preprocessing) -> Windows:
    """The windows of a recording, cut by what prepared the training data."""
    spans = conditioning.window_spans(recording.ecg_LT.shape[1], preprocessing, Settings.max_windows)
    size = preprocessing.window_samples
    cut = [conditioning.cut(recording.ecg_LT, start, length, size) for _, start, length in spans]
    lengths = np.array([length for *_, length in spans], np.int32)
    return Windows(np.stack(cut).astype(np.float32), lengths, recording.available_L, recording.flags_L)


def window_lengths(samples: int, fs: float, preprocessing: Preprocessing) -> list[int]:
    """Valid samples of each window that will be cut from so many samples at `fs` Hz."""
    conditioned = conditioning.conditioned_samples(samples, fs, preprocessing.sampling_rate)
    return [
        length for *_, length in conditioning.window_spans(conditioned, preprocessing, Settings.max_windows)
    ]


def conditioned_of(
    raw: Recording, preprocessing: Preprocessing, *, bad_leads: str = "refuse", conditioned: bool = False
) -> Conditioned:
    """A recording checked, resampled and filtered by what prepared the training data.

    Unlike those, samples are not rounded to stored units.

    Args:
      raw: the recording.
      preprocessing: of the training data.
      bad_leads: 'refuse' a recording with a lead that is flat, saturated, holds an invalid sample, or is too
        large for the stored units of the training data once it is filtered; or 'mask' such leads, as missing
        ones are.
      conditioned: the signal was resampled and filtered so already.

    Raises:
      RecordingRefused: when it cannot be used, with the reason.
      ValueError: when `bad_leads` is unknown, or a conditioned signal has another rate.
    """
    require_known(bad_leads)
    if conditioned and raw.sampling_rate != preprocessing.sampling_rate:
        raise ValueError(
            f"conditioned: expected fs = {preprocessing.sampling_rate:g} Hz, got {raw.sampling_rate:g} Hz: "
            "hand in the raw signal, it is resampled"
        )
    check_rate_and_length(raw, preprocessing)
    quality.check_unit(raw.ecg_LT)
    flags_L = quality.lead_flags(raw.ecg_LT, raw.present_L, raw.sampling_rate)
    if bad_leads == "refuse":
        _refuse_bad(raw.present_L, flags_L)
    quality.check_any_lead(flags_L, raw.ignored_signals)
    usable_LT = np.where((flags_L == 0)[:, None], raw.ecg_LT, 0.0)
    if not conditioned:
        usable_LT = conditioning.condition(usable_LT, raw.sampling_rate, preprocessing)
    too_large_L = _too_large(usable_LT, preprocessing)
    if too_large_L.any():
        if bad_leads == "refuse":
            raise _overflow(usable_LT[too_large_L], too_large_L, preprocessing)
        flags_L = np.where(too_large_L, flags_L | int(LeadFlag.UNIT), flags_L)
        quality.check_any_lead(flags_L, raw.ignored_signals)
        usable_LT = np.where(too_large_L[:, None], 0.0, usable_LT)
    return Conditioned(usable_LT, flags_L == 0, flags_L)


def require_known(bad_leads: str) -> None:
    """Raises ValueError unless this is said of bad leads."""
    if bad_leads not in BAD_LEADS:
        raise ValueError(f"bad_leads: expected one of {', '.join(BAD_LEADS)}, got {bad_leads!r}")


def derivable(available_L: np.ndarray) -> np.ndarray:
    """bool[12]: the leads that are available once those that two limb leads determine are derived."""
    limb_L = np.arange(len(LEADS)) < len(LIMB_LEADS)
    return available_L | limb_L if (available_L & limb_L).sum() >= 2 else available_L


def same_leads(one_L: np.ndarray, other_L: np.ndarray) -> bool:
    """Whether two sets of leads, bool[12], tell the same: once what they determine is derived."""
    return bool((derivable(one_L) == derivable(other_L)).all())


def leads_named(leads: Sequence[str]) -> np.ndarray:
    """bool[12]: the leads that are named."""
    return np.isin(np.arange(len(LEADS)), places_of(leads))


def _too_large(conditioned_LT: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """bool[12]: leads that no window of training can hold, for which preparing refuses a recording."""
    return np.abs(conditioned_LT).max(axis=1) > _largest(preprocessing)


def _largest(preprocessing: Preprocessing) -> float:
    """The largest voltage that the stored integers of the training data can say, mV."""
    return np.iinfo(np.int16).max * preprocessing.microvolts_per_unit / 1000.0


def _overflow(
    large_LT: np.ndarray, too_large_L: np.ndarray, preprocessing: Preprocessing
) -> RecordingRefused:
    names = ", ".join(lead for lead, is_bad in zip(LEADS, too_large_L) if is_bad)
    return RecordingRefused(
        Reason.INT16_OVERFLOW,
        f"expected at most {_largest(preprocessing):g} mV once filtered, got {np.abs(large_LT).max():.4g} mV "
        f"in {names}: {_HINT}",
    )


def _refuse_bad(present_L: np.ndarray, flags_L: np.ndarray) -> None:
    try:
        quality.check_leads(np.where(present_L, flags_L, 0))
    except RecordingRefused as refusal:
        raise RecordingRefused(refusal.reason, f"{refusal.sentence}: {_HINT}") from None
