"""Some examples of a selection, by number through its files."""

import pytest

from coreecg_jax.inputs.examples import decode_all, decode_length, decode_some
from coreecg_jax.inputs.selection import select
from coreecg_jax.inputs.tfrecord import parse_example


def named(record: bytes) -> bytes:
    return parse_example(record, ("recording_id",))["recording_id"][0]


def test_each_is_the_one_of_its_number(data_root):
    selection = select(data_root, "ptbxl:fold1-2, ludb")  # 20, 19, 11 and 7 examples
    every = list(decode_all(selection, named))
    assert len(set(every)) == 57
    for numbers in ([], [0], [56], [38, 39], [49, 19, 20, 3, 19], range(57)):
        found = list(decode_some(selection, named, numbers))
        assert found == [(number, every[number]) for number in sorted(set(numbers))]


@pytest.mark.parametrize("number", [-1, 57])
def test_a_number_that_is_none_is_told(data_root, number):
    with pytest.raises(IndexError, match=rf"expected numbers of 57 examples, got \[ ?{number}"):
        list(decode_some(select(data_root, "ptbxl:fold1-2, ludb"), decode_length, [number]))


def test_an_example_that_cannot_be_decoded_is_named(data_root):
    def refuse(record: bytes) -> bytes:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"ptbxl-fold1.*-00001-of-00002, record 3: no"):
        list(decode_some(select(data_root, "ptbxl:fold1"), refuse, [22]))
