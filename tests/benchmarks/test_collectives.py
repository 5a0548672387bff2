"""What devices send is counted as the texts of XLA's programs have it."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from benchmarks.collectives import collectives

# As libtpu 0.0.42 writes a gather while something else is computed: once for each part of it.
IN_PARTS = """
  %all-gather.41 = bf16[1,8,4]{1,2,0:T(8,128)(2,1)} all-gather(%p), channel_id=3, backend_config={"async_collective_fusion_config":{"flag_start":"-1"}}
  %all-gather.43 = bf16[1,8,4]{1,2,0:T(8,128)(2,1)S(1)} all-gather(%q), channel_id=3, backend_config={"async_collective_fusion_config":{"flag_start":"2"}}
  %all-reduce.2 = (f32[]{:T(128)}, s32[3]{0:T(128)}, /*index=2*/f32[2,2]{1,0}) all-reduce(%a, %b, %c), channel_id=4
  %reduce.1 = f32[64]{0:T(128)} reduce(%d, %e), metadata={op_name="all-reduce"}
"""  # noqa: E501


def test_what_is_sent_in_parts_counts_once() -> None:
    assert collectives(IN_PARTS) == {
        "all-gather": (1, 64),
        "all-reduce": (1, 32),
        "reduce-scatter": (0, 0),
    }


def test_a_compiled_program_is_counted() -> None:
    mesh = Mesh(np.array(jax.devices()[:4]), ("d",))

    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.lax.psum_scatter(x, "d", tiled=True), jax.lax.psum(x, "d")

    specs = PartitionSpec("d"), PartitionSpec()
    program = jax.jit(jax.shard_map(both, mesh=mesh, in_specs=PartitionSpec("d"), out_specs=specs))
    text = program.lower(jnp.zeros((64, 2))).compile().as_text()
    assert collectives(text) == {
        "all-gather": (0, 0),
        "all-reduce": (1, 16 * 2 * 4),
        "reduce-scatter": (1, 4 * 2 * 4),
    }
