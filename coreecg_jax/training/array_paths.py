"""How the arrays of a state are called, in checkpoints and in the rule that divides them."""

from typing import Any

import jax


def path_of(path: Any) -> str:
    """The path of a leaf, the same for a class and for the dict that it is read back as."""
    return jax.tree_util.keystr(path, simple=True, separator="/")
