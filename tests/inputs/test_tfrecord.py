import contextlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_shards import example, serialise

from coreecg_jax.inputs.tfrecord import parse_example, read_records
from coreecg_jax.records.record_file import masked_crc32c, write_records


def tensorflow_values(record: bytes) -> dict:
    """What TensorFlow reads from an Example."""
    import tensorflow as tf

    message = tf.train.Example.FromString(record)
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value) if feature.WhichOneof("kind") else []
        for name, feature in message.features.feature.items()
    }


def same(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(
        np.array_equal(ours[name], theirs[name], equal_nan=isinstance(ours[name], np.ndarray))
        for name in ours
    )


@pytest.fixture
def file(tmp_path):
    import tensorflow as tf

    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in (b"first", b"", b"third" * 1000):
            writer.write(record)
    return path


def test_records_are_those_that_tensorflow_wrote(file):
    assert list(read_records(file)) == [b"first", b"", b"third" * 1000]


def test_the_checksum_is_that_of_the_published_vector():
    # CRC-32C of "123456789" is 0xE3069283 (RFC 3720).
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == ((crc >> 15 | crc << 17) % 2**32 + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("size", [1, 11, 14, 20, 36, 5000])
def test_a_truncated_file_is_told_with_the_place_of_the_record(file, size):
    file.write_bytes(file.read_bytes()[:size])
    number, offset = (1, 0) if size < 21 else (2, 21) if size < 37 else (3, 37)
    with pytest.raises(ValueError, match=f"records, record {number}: truncated .* at byte {offset};"):
        list(read_records(file))


def test_what_is_written_is_what_tensorflow_writes(file, tmp_path):
    write_records(tmp_path / "again", read_records(file))
    assert (tmp_path / "again").read_bytes() == file.read_bytes()


def test_what_is_not_wanted_is_passed_over(file):
    assert list(read_records(file, {0, 2})) == [b"first", b"third" * 1000]
    whole = bytearray(file.read_bytes())
    whole[14] ^= 1  # in the data of the first
    file.write_bytes(whole)
    assert list(read_records(file, {1, 2})) == [b"", b"third" * 1000]
    with pytest.raises(ValueError, match=r"record 1: wrong checksum of the data at byte 0;"):
        list(read_records(file, {0}))


@settings(deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_told(tmp_path_factory, data):
    body = b"some data"
    header = struct.pack("<Q", len(body))
    whole = header + struct.pack("<I", masked_crc32c(header)) + body + struct.pack("<I", masked_crc32c(body))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.getbasetemp() / "one_bit"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"one_bit, record 1: .* at byte 0;"):
        list(read_records(path))


@pytest.mark.parametrize("number", range(6))
def test_an_example_is_read_as_tensorflow_reads_it(number):
    record = serialise(example(number))
    assert same(parse_example(record), tensorflow_values(record))


@settings(deadline=None)
@given(
    integers=st.lists(st.integers(-(2**63), 2**63 - 1)),
    floats=st.lists(st.floats(width=32)),
    texts=st.lists(st.binary()),
    name=st.text(),
)
def test_any_values_are_read_as_tensorflow_reads_them(integers, floats, texts, name):
    import tensorflow as tf

    features = {
        f"i{name}": tf.train.Feature(int64_list=tf.train.Int64List(value=integers)),
        f"f{name}": tf.train.Feature(float_list=tf.train.FloatList(value=floats)),
        f"b{name}": tf.train.Feature(bytes_list=tf.train.BytesList(value=texts)),
        name: tf.train.Feature(),
    }
    record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    ours = parse_example(record)
    assert same(ours, tensorflow_values(record))
    assert np.asarray(ours[f"i{name}"]).tolist() == integers


def delimited(field: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([field << 3 | 2, len(data)]) + data


def one_feature(feature: bytes) -> bytes:
    return delimited(1, delimited(1, delimited(1, b"x") + delimited(2, feature)))


def test_unpacked_and_mixed_lists_are_read():
    negative = b"\x08" + b"\xff" * 9 + b"\x01"  # -1, unpacked
    integers = one_feature(delimited(3, negative + delimited(1, b"\x05\x96\x01") + b"\x08\x07"))
    floats = one_feature(
        delimited(2, b"\x0d" + struct.pack("<f", 1.5) + delimited(1, struct.pack("<2f", 2, 3)))
    )
    for record, expected in ((integers, [-1, 5, 150, 7]), (floats, [1.5, 2.0, 3.0])):
        assert parse_example(record)["x"].tolist() == expected
        assert same(parse_example(record), tensorflow_values(record))


def test_only_the_named_features_are_read():
    assert parse_example(serialise(example(1)), ("length", "absent")).keys() == {"length"}


@pytest.mark.parametrize(
    "record",
    [
        b"\x0a",  # no length
        b"\x0a\x05abc",  # beyond the end
        b"\x0a" + b"\xff" * 10 + b"\x01",  # a length of more than 64 bits
        b"\x0a" + b"\xff" * 9 + b"\x02",
        b"\x12\x00",  # a field that an Example has not
        b"\x0b",  # a group
        delimited(1, delimited(1, delimited(3, b"x"))),
        delimited(1, delimited(1, delimited(1, b"\xff"))),  # not UTF-8
        one_feature(delimited(4, b"")),
        one_feature(delimited(1, b"") + delimited(1, b"")),  # two lists
        one_feature(delimited(2, delimited(1, b"abc"))),  # three quarters of a float
        one_feature(delimited(3, delimited(1, b"\x80"))),  # half a number
        one_feature(delimited(3, b"\x0d1234")),  # a float among integers
        one_feature(b"") + one_feature(b""),  # a name twice
    ],
)
def test_malformed_bytes_are_told(record):
    with pytest.raises(ValueError, match=r"malformed Example|codec can't decode"):
        parse_example(record)


@pytest.fixture(scope="module")
def small_record():
    return serialise(example(5, samples=4))


@settings(deadline=None, max_examples=400)
@given(position=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), cut=st.booleans())
def test_damage_gives_an_example_or_a_value_error(small_record, position, value, cut):
    record = bytearray(small_record)
    place = math.floor(position * len(record))
    record[place] = value
    with contextlib.suppress(ValueError):
        parse_example(bytes(record[: place + 1] if cut else record))


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=80))
def test_any_bytes_give_an_example_or_a_value_error(record):
    with contextlib.suppress(ValueError):
        parse_example(record)
