import jax
import jax.numpy as jnp
import numpy as np

from coreecg_jax.downstream.augmentation import Crops, augment, mixup
from coreecg_jax.records.leads import LIMB_FROM_I_II


def made_crops(batch=4, samples=8):
    rng = np.random.default_rng(0)
    chest, two = rng.normal(size=(batch, 6, samples)), rng.normal(size=(batch, 2, samples))
    ecg = np.concatenate([np.einsum("li,bit->blt", LIMB_FROM_I_II, two), chest], axis=1)
    length = np.arange(samples - batch + 1, samples + 1)
    labels = np.eye(5)[:batch]
    arrays = (
        ecg.astype(np.float32),
        np.ones((batch, 12), bool),
        length.astype(np.int32),
        labels.astype(np.float32),
        np.arange(20).reshape(4, 5) != 10,
    )
    return Crops(*map(jnp.asarray, arrays))


def test_mixup_mixes_signals_and_labels_alike():
    crops = made_crops()
    available = np.ones((4, 12), bool)
    available[1, 6:9] = False
    available[2], available[3] = np.arange(12) < 6, np.arange(12) >= 6  # nothing in common
    crops = crops._replace(
        available_BL=jnp.asarray(available), ecg_BLT=jnp.where(available[:, :, None], crops.ecg_BLT, 0)
    )
    mixed = mixup(jax.random.key(3), crops, 5.0)
    share = np.asarray(mixed.labels_BC)[np.arange(4), np.arange(4)]
    assert share[3] == 1.0
    assert ((share > 0) & (share < 1))[:3].all()
    for b in range(3):
        other = (b - 1) % 4
        both = available[b] & available[other]
        assert np.asarray(mixed.available_BL)[b].tolist() == both.tolist()
        assert mixed.length_B[b] == min(crops.length_B[b], crops.length_B[other])
        expected = share[b] * crops.ecg_BLT[b] + (1 - share[b]) * crops.ecg_BLT[other]
        np.testing.assert_allclose(mixed.ecg_BLT[b], np.where(both[:, None], expected, 0), atol=1e-6)
        np.testing.assert_allclose(mixed.labels_BC[b, other], 1 - share[b], atol=1e-6)
    known = np.asarray(crops.known_BC)
    assert np.asarray(mixed.known_BC)[:3].tolist() == (known & np.roll(known, 1, axis=0))[:3].tolist()
    for one, other in zip(mixed, crops, strict=True):
        np.testing.assert_array_equal(one[3], other[3])


def test_augmenting_leaves_limb_leads_sums_of_two():
    crops = made_crops()._replace(available_BL=jnp.arange(48).reshape(4, 12) != 20)
    ecg_BLT = np.asarray(augment(jax.random.key(0), crops, 0.3).ecg_BLT)
    np.testing.assert_allclose(
        np.einsum("li,bit->blt", LIMB_FROM_I_II, ecg_BLT[:, :2]), ecg_BLT[:, :6], atol=1e-5
    )
    assert (ecg_BLT[1, 8] == 0).all()  # not available
    assert (np.abs(ecg_BLT - crops.ecg_BLT).max(axis=-1) > 1e-3).all()
    tiny = np.asarray(augment(jax.random.key(0), made_crops(), 1e-6).ecg_BLT)
    np.testing.assert_allclose(tiny, made_crops().ecg_BLT, atol=1e-5)
