"""The shapes that are written down are those that the network makes."""

import jax
import pytest
from made_parameters import made_parameters

from coreecg_jax.export.shapes import network_shapes
from coreecg_jax.export.tensors import flat
from coreecg_jax.method.network import CoReECG

SMALL = CoReECG(
    patch=10, width=8, depth=3, heads=2, decoder_width=4, decoder_depth=2, decoder_heads=1, kernel_length=5
)
OTHERS = {
    "as it is": {},
    "without kernels": {"kernels": 0},
    "patches normalised": {"normalise_patches": True, "registers": 0},
    "without context": {"context": False, "decoder": "lead_wise"},
    "global token aligned": {"aligned": "global", "projection": 6, "zero_output": False},
}


@pytest.mark.parametrize("name", OTHERS)
def test_they_are_those_of_the_network(name) -> None:
    network = SMALL.clone(**OTHERS[name])
    made = flat(
        jax.tree.map(lambda leaf: leaf.shape, made_parameters(network), is_leaf=lambda x: hasattr(x, "shape"))
    )
    assert network_shapes(network) == made
