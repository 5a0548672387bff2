import jax
import numpy as np
import pytest
from made_objectives import NETWORK, masked_autoencoder

from coreecg_jax.method.masking import STDM
from coreecg_jax.method.views import FDA


def test_each_lead_hides_the_same_number_of_patches_at_places_of_its_own():
    stdm = masked_autoencoder().stdm
    mask = jax.jit(stdm, static_argnums=(1, 2))(jax.random.key(0), 50, 20)
    hidden = ~np.asarray(mask.visible_BLN)
    np.testing.assert_array_equal(hidden.sum(-1), 15)
    assert mask.seen_BK.shape == (50, stdm.tokens_kept(20)) == (50, 12 * 5)
    assert np.asarray(mask.seen_BK).all()
    assert len(np.unique(hidden.reshape(-1, 20), axis=0)) > 500
    np.testing.assert_allclose(hidden.mean((0, 1)), 0.75, atol=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambda_c": 0.1}, r"objective\.lambda_c 0\.0, got 0\.1"),
        ({"stdm": STDM(mode="random")}, r"mask\.random_count 'fixed', got 'bernoulli'"),
        ({"stdm": STDM()}, r"method 'masked_autoencoder': expected mask\.mode 'random', got 'dual'"),
        ({"fda": FDA()}, r"view\.mode 'off', got 'learned'"),
        ({"network": NETWORK}, r"model\.decoder 'lead_wise', got 'joint'"),
    ],
)
def test_other_settings_are_no_masked_autoencoder(changes, message):
    with pytest.raises(ValueError, match=message):
        masked_autoencoder(**changes)
