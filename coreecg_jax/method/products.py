"""The matrix product of a linear layer, with the gradient of its weights computed as a CPU likes it."""

import jax

from coreecg_jax.method.division import by_rows, whole
from coreecg_jax.method.machine import traced_for_cpu


@jax.custom_vjp
def product(x_MK: jax.Array, w_KN: jax.Array) -> jax.Array:
    """x w, [M, N]; the gradients are those of `jnp.matmul`, to rounding. Has no forward-mode derivative."""
    return _forward(x_MK, w_KN)[0]


def _forward(x_MK: jax.Array, w_KN: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    x_MK = by_rows(x_MK)
    # Of weights that are divided a device keeps its part for the gradient; they are gathered again for it.
    # Not so where they were cast before (bfloat16): then jit keeps what was gathered.
    return by_rows(x_MK @ whole(w_KN)), (x_MK, w_KN)


def _backward(saved: tuple[jax.Array, jax.Array], gradient_MN: jax.Array) -> tuple[jax.Array, jax.Array]:
    x_MK, w_KN = saved
    weights = _by_transposed if traced_for_cpu() else _plain
    gradient_MN = by_rows(gradient_MN)
    return by_rows(gradient_MN @ whole(w_KN).T), whole(weights(x_MK, gradient_MN))


product.defvjp(_forward, _backward)


def _plain(x_MK: jax.Array, gradient_MN: jax.Array) -> jax.Array:
    return x_MK.T @ gradient_MN


def _by_transposed(x_MK: jax.Array, gradient_MN: jax.Array) -> jax.Array:
    """The same, the smaller factor written as its transpose before the product.

    Both factors have the summed axis first. XLA's fast products on a CPU want it last in the left one, and
    otherwise fall back to one of half the speed; its simplifier would undo a transpose that it can see
    through, hence the barriers (docs/performance.md).
    """
    written = jax.lax.optimization_barrier
    if x_MK.shape[1] <= gradient_MN.shape[1]:
        return written(x_MK.T) @ gradient_MN
    return written(written(gradient_MN.T) @ x_MK).T
