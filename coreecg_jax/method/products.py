"""The product and the sum of a linear layer, with gradients as CPUs and GPUs need them."""

import functools

import jax
import jax.numpy as jnp

from coreecg_jax.method.division import by_rows, summed_over_rows, whole
from coreecg_jax.method.machine import traced_for_cpu


@jax.custom_vjp
def product(x_MK: jax.Array, w_KN: jax.Array) -> jax.Array:
    """x w, [M, N], in the type of x; the gradient of w is of the type of w, and summed in it.

    The gradients are those of `jnp.matmul`, to rounding. Has no forward-mode derivative.
    """
    return _forward(x_MK, w_KN)[0]


def _forward(x_MK: jax.Array, w_KN: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    x_MK = by_rows(x_MK)
    # Of weights that are divided a device keeps its part for the gradient; they are gathered again for it.
    # Hence they are cast here: of weights cast before, jit would keep for each layer what was gathered.
    return by_rows(x_MK @ whole(w_KN.astype(x_MK.dtype))), (x_MK, w_KN)


def _backward(saved: tuple[jax.Array, jax.Array], gradient_MN: jax.Array) -> tuple[jax.Array, jax.Array]:
    x_MK, w_KN = saved
    of_weights = functools.partial(_by_transposed if traced_for_cpu() else _plain, dtype=w_KN.dtype)
    gradient_MN = by_rows(gradient_MN)
    gradient_KN = summed_over_rows(of_weights, x_MK, gradient_MN)
    return by_rows(gradient_MN @ whole(w_KN.astype(x_MK.dtype)).T), gradient_KN


product.defvjp(_forward, _backward)


@jax.custom_vjp
def plus(x_MN: jax.Array, bias_N: jax.Array) -> jax.Array:
    """x + bias in the type of x; the gradient of the bias is of its own type, and summed in it.

    Else it would be a sum over all rows in the type of x: of bfloat16, millions of terms of eight bits. XLA
    widens that where the device has no such sum (CPU, NVIDIA before Hopper) and not where it has one.
    """
    return x_MN + bias_N[None].astype(x_MN.dtype)


def _sum_and_bias(x_MN: jax.Array, bias_N: jax.Array) -> tuple[jax.Array, jax.Array]:
    return plus(x_MN, bias_N), bias_N


def _to_both(bias_N: jax.Array, gradient_MN: jax.Array) -> tuple[jax.Array, jax.Array]:
    return gradient_MN, gradient_MN.sum(0, dtype=bias_N.dtype)


plus.defvjp(_sum_and_bias, _to_both)


def _plain(x_MK: jax.Array, gradient_MN: jax.Array, dtype: jnp.dtype) -> jax.Array:
    return jnp.matmul(x_MK.T, gradient_MN, preferred_element_type=dtype)


def _by_transposed(x_MK: jax.Array, gradient_MN: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """The same, the smaller factor written as its transpose before the product.

    Both factors have the summed axis first. XLA's fast products on a CPU want it last in the left one, and
    otherwise fall back to one of half the speed; its simplifier would undo a transpose that it can see
    through, hence the barriers (docs/performance.md).
    """
    written = jax.lax.optimization_barrier
    times = functools.partial(jnp.matmul, preferred_element_type=dtype)
    if x_MK.shape[1] <= gradient_MN.shape[1]:
        return times(written(x_MK.T), gradient_MN)
    return written(times(written(gradient_MN.T), x_MK)).T
