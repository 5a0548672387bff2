import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_cohorts import made_recordings

from coreecg_jax.downstream.features import crop_features, first_windows, recording_rows


def _first_sample(ecg_BLT, available_BL, length_B):
    """What the crop looks like: its first sample in lead I (mV), its valid length, its leads."""
    return np.stack([ecg_BLT[:, 0, 0], length_B, available_BL.sum(axis=1)], axis=1)


def _ramp(recordings):
    """Lead I counts samples in microvolts."""
    recordings.ecg[:, 0] = np.arange(recordings.ecg.shape[-1])
    return recordings


def test_crops_are_evenly_spaced_and_in_millivolts():
    recordings = _ramp(made_recordings(3))  # 40 samples
    features = crop_features(_first_sample, recordings, crop_seconds=1.0, crops=3)  # 20 samples: 0, 10, 20
    np.testing.assert_allclose(features, [[0.010, 20, 12]] * 3, rtol=1e-6)
    one = crop_features(_first_sample, recordings, crop_seconds=1.0, crops=1)
    np.testing.assert_allclose(one[:, 0], 0)


def test_who_watches_is_told_how_many_recordings_were_reached():
    recordings, told = _ramp(made_recordings(5)), []
    crop_features(
        _first_sample,
        recordings,
        crop_seconds=1.0,
        crops=1,
        batch_size=2,
        watch=lambda *far: told.append(far),
    )
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_a_short_window_is_padded_and_says_so():
    recordings = _ramp(made_recordings(2))
    recordings.length[1] = 13
    seen = []

    def represent(ecg_BLT, available_BL, length_B):
        seen.append((ecg_BLT.copy(), length_B))
        return _first_sample(ecg_BLT, available_BL, length_B)

    features = crop_features(represent, recordings, crop_seconds=1.0)
    assert features[:, 1].tolist() == [20, 13]
    ecg_BLT, length_B = seen[0]
    short = np.flatnonzero(length_B == 13)[0]
    assert (ecg_BLT[short, 0, :13] > 0).sum() == 12
    assert (ecg_BLT[short, :, 13:] == 0).all()


def test_windows_of_a_recording_are_averaged():
    ids = np.array(["b", "a", "b", "b"])
    recordings = made_recordings(4, recording_id=ids)
    recordings.ecg[:, 0] = np.array([1000, 5000, 2000, 6000])[:, None]
    assert recording_rows(recordings).tolist() == [0, 1, 0, 0]
    features = crop_features(_first_sample, recordings, crop_seconds=2.0)
    np.testing.assert_allclose(features[:, 0], [3.0, 5.0])
    assert first_windows(recordings).recording_id.tolist() == ["b", "a"]


def test_equal_ids_of_two_sources_are_two_recordings():
    recordings = made_recordings(2, recording_id=np.array(["1", "1"]), source=np.array(["x", "y"]))
    assert len(crop_features(_first_sample, recordings, crop_seconds=2.0)) == 2


def test_batch_size_does_not_matter_and_it_compiles_once():
    recordings = made_recordings(7)
    compiled = []

    @jax.jit
    def represent(ecg_BLT, available_BL, length_B):
        compiled.append(ecg_BLT.shape)
        return jnp.concatenate([ecg_BLT.mean(-1), ecg_BLT.std(-1)], axis=-1)

    small = crop_features(represent, recordings, crop_seconds=1.0, batch_size=4)
    assert compiled == [(4, 12, 20)]
    large = crop_features(represent, recordings, crop_seconds=1.0, batch_size=64)
    np.testing.assert_allclose(small, large, rtol=1e-5, atol=1e-6)


def test_availability_follows_its_window():
    recordings = made_recordings(3)
    recordings.quality[1, 4] = 2
    assert crop_features(_first_sample, recordings, crop_seconds=1.0)[:, 2].tolist() == [12, 11, 12]


def test_features_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="finite features"):
        crop_features(lambda x, a, n: np.full((len(x), 1), np.nan), made_recordings(2), crop_seconds=1.0)
    with pytest.raises(ValueError, match="positive crop_seconds"):
        crop_features(_first_sample, made_recordings(2), crop_seconds=0.0)


def test_other_units_become_millivolts():
    recordings = _ramp(made_recordings(1))
    coarse = dataclasses.replace(recordings.preprocessing, microvolts_per_unit=5.0)
    recordings = dataclasses.replace(recordings, preprocessing=coarse)
    assert crop_features(_first_sample, recordings, crop_seconds=1.0)[0, 0] == pytest.approx(0.05)
