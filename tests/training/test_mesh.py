from types import SimpleNamespace

import jax
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from made_runs import placement_of

from coreecg_jax.training.mesh import by_process, of_kernel, partition, place


@pytest.mark.parametrize(
    ("path", "shape", "fsdp", "expected"),
    [
        ("parameters/network/encoder_stack/layers/qkv/kernel", (12, 384, 1152), 8, (None, None, "fsdp")),
        (
            "optimizer/1/mu/network/encoder_stack/layers/mlp_out/kernel",
            (12, 1536, 384),
            8,
            (None, "fsdp", None),
        ),
        ("parameters/network/decoder_out/kernel", (256, 75), 8, ("fsdp", None)),
        ("parameters/network/decoder_out/kernel", (139, 75), 8, ()),  # neither can be divided
        ("parameters/network/embed/linear/kernel", (8, 16), 8, ()),  # too small
        ("parameters/network/encoder_stack/layers/qkv/kernel", (12, 16, 48), 8, ()),  # each layer too small
        ("parameters/network/encoder_stack/layers/qkv/bias", (12, 1152), 8, ()),
        ("parameters/network/encoder_stack/layers/qkv/kernel", (12, 384, 1152), 1, ()),
    ],
)
def test_large_kernels_and_their_moments_are_divided(path, shape, fsdp, expected):
    assert partition(path, shape, fsdp) == PartitionSpec(*expected)


@pytest.mark.parametrize("shape", [(64, 256), (256, 64), (64, 75), (139, 75), (32, 96)])
def test_a_layer_is_divided_as_its_stack_is(shape):
    placement = placement_of(8, fsdp=4)
    (of_stack,) = placement.of_state({"kernel": jax.ShapeDtypeStruct((3, *shape), "float32")}).values()
    of_layer = NamedSharding(placement.divided.mesh, of_kernel(shape, placement.divided))
    assert of_stack.shard_shape((3, *shape)) == (3, *of_layer.shard_shape(shape))


def test_devices_of_a_process_are_side_by_side():
    numbers = [(1, 4), (0, 2), (1, 3), (0, 1)]
    devices = [SimpleNamespace(process_index=process, id=number) for process, number in numbers]
    assert [device.id for device in by_process(devices)] == [1, 2, 3, 4]
    assert place(devices=jax.devices()[::-1]).divided == place().divided


def test_the_mesh_has_named_axes_over_all_devices():
    assert dict(place(fsdp=4).divided.mesh.shape) == {"data": 2, "fsdp": 4}
    placement = placement_of(8, fsdp=4)
    kernel = jax.ShapeDtypeStruct((128, 64), "float32")
    (sharding,) = placement.of_state({"kernel": kernel}).values()
    assert sharding.shard_shape((128, 64)) == (32, 64)
