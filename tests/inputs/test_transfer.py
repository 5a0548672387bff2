import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec, SingleDeviceSharding

from coreecg_jax.inputs.batch import Batch
from coreecg_jax.inputs.transfer import to_devices


def batch(number: int) -> Batch:
    return Batch(
        ecg=np.full((8, 12, 5), number, np.int16),
        length=np.arange(8, dtype=np.int32),
        available=np.ones((8, 12), bool),
        patient=np.full(8, 2**32 - 1, np.uint32),
    )


@pytest.fixture
def sharding():
    """The leading axis over all devices."""
    mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec("data"))


@pytest.mark.parametrize("ahead", [0, 1, 2, 9])
def test_batches_arrive_whole_in_order_and_divided(sharding, ahead):
    arrived = list(to_devices(map(batch, range(5)), sharding, ahead=ahead))
    assert len(arrived) == 5
    for number, got in enumerate(arrived):
        for array, expected in zip(got, batch(number)):
            assert isinstance(array, jax.Array)
            assert array.sharding == sharding
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


def test_it_draws_as_many_batches_ahead_as_it_is_told_and_no_more(sharding):
    drawn = []

    def source():
        for number in range(10):
            drawn.append(number)
            yield batch(number)

    arriving = to_devices(source(), sharding, ahead=3)
    assert drawn == []
    next(arriving)
    assert drawn == [0, 1, 2, 3]
    next(arriving)
    assert drawn == [0, 1, 2, 3, 4]


def test_an_error_of_the_source_arrives(sharding):
    def source():
        yield batch(0)
        raise ValueError("a damaged shard")

    with pytest.raises(ValueError, match="a damaged shard"):
        list(to_devices(source(), sharding))


def test_a_consumer_that_stops_leaves_no_source_open(sharding):
    closed = []

    def source():
        try:
            while True:
                yield batch(0)
        finally:
            closed.append(True)

    arriving = to_devices(source(), sharding)
    next(arriving)
    del arriving
    assert closed == [True]


def test_no_transfer_is_implicit():
    sharding = SingleDeviceSharding(jax.devices()[0])
    with jax.transfer_guard("disallow"):
        assert next(to_devices([batch(3)], sharding)).ecg.shape == (8, 12, 5)
