"""A copy of a state on the host, and a checksum of each array: storage lets flipped bits through.

Measured on Orbax 0.12.8: of 40 flips of one bit in the data files of a checkpoint two were reported, five hit
nothing that is read, and 33 came back as other numbers.
"""

from typing import Any

import google_crc32c
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from coreecg_jax.training.array_paths import path_of


def on_host(tree: Any) -> Any:
    """A copy that no later step writes into: numpy, except for arrays that are spread over several hosts."""
    return jax.tree.map(lambda leaf: np.array(leaf) if _is_here(leaf) else jnp.copy(leaf), tree)


def checksums(tree: Any) -> dict[str, int]:
    """CRC-32C of the bytes of each array by its path, such as 'parameters/network/mask_token'.

    It is of the whole array, however that is divided among devices.
    """
    flat = jax.tree_util.tree_leaves_with_path(tree)
    return {path_of(path): _crc(leaf) for path, leaf in flat}


def _crc(leaf: Any) -> int:
    # Array by array: the whole of one that several hosts hold is on each of them for a moment only.
    whole = np.asarray(leaf) if _is_here(leaf) else multihost_utils.process_allgather(leaf, tiled=True)
    return google_crc32c.value(np.ascontiguousarray(whole).tobytes())


def _is_here(leaf: Any) -> bool:
    """Whether this process holds all of an array."""
    return not isinstance(leaf, jax.Array) or leaf.is_fully_addressable or leaf.is_fully_replicated
