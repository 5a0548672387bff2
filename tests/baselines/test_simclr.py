import functools

import jax
import numpy as np
import pytest
from made_objectives import cmsc, parameters_of, simclr, windows

from coreecg_jax.method.augmentation import Augmentation
from coreecg_jax.method.masking import STDM

OBJECTIVE = simclr()
B = 400


@functools.cache
def forward_of():
    return jax.jit(OBJECTIVE.forward)


def forward(key, data):
    return forward_of()(_parameters(), jax.random.key(key), data["ecg"], data["length"], data["available"])


@functools.cache
def _parameters():
    return parameters_of(OBJECTIVE)


def test_views_differ_by_recording_by_side_and_by_key():
    data = windows()
    data["ecg"][1] = data["ecg"][0]
    one, again, other = (forward(key, data) for key in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    z = np.concatenate([one.output.projection_BE, other.output.projection_BE])
    assert len(np.unique(z.round(5), axis=0)) == len(z)
    assert np.abs(np.asarray(one.view.ecg_BLT[0] - one.view.ecg_BLT[1])).max() > 0.1
    assert (one.clean_BLT[:4].std((1, 2)) > 0.99).all()  # what is augmented is kept beside


def test_a_dropped_lead_has_no_influence():
    data = windows()
    one = forward(0, data)
    available = np.asarray(one.available_BL)
    dropped = ~available[:4] & ~available[4:]  # in both views
    b, lead = np.argwhere(dropped)[0]
    data["ecg"][b, lead] = 9 * data["ecg"][b, lead, ::-1]
    two = forward(0, data)
    np.testing.assert_allclose(one.output.projection_BE, two.output.projection_BE, atol=1e-5)
    kept = np.flatnonzero(available[b] & available[4 + b])[0]
    data["ecg"][b, kept] = data["ecg"][b, kept, ::-1]
    three = forward(0, data)
    assert np.abs(two.output.projection_BE[b] - three.output.projection_BE[b]).max() > 1e-3


def test_leads_that_it_sees_are_those_that_it_leaves():
    """No mask hides any, and yet it seldom sees twelve."""
    seen = np.asarray(OBJECTIVE.leads_seen(jax.random.key(0), B))
    assert (seen.shape, seen.dtype) == ((B, 12), bool)
    assert seen.mean() == pytest.approx(0.8, abs=0.03)
    assert np.asarray(cmsc().leads_seen(jax.random.key(0), B)).all()


def test_other_settings_are_not_simclr():
    with pytest.raises(ValueError, match=r"method 'simclr': expected mask\.mode 'off', got 'dual': set"):
        simclr(stdm=STDM())
    with pytest.raises(
        ValueError, match=r"method 'simclr': expected an augmentation, such as augment\.amplitude 0\.2, "
    ):
        simclr(augmentation=Augmentation())
