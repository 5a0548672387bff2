"""A tensor file that was changed, digests too, is refused, or read exactly as it was written."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bundle import FUZZ, made_description, made_parameters, sign_again

from coreecg_jax.export import folder
from coreecg_jax.export.loading import expected_tensors, load
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.tensors import flat, read_tensors, tensors_to_bytes

EXPECTED = expected_tensors(made_description())


def mutated(data, content):
    """Header and numbers of a tensor file, changed in some way that a program could be fooled by."""
    length = struct.unpack("<Q", content[:8])[0]
    header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    name = data.draw(st.sampled_from(sorted(set(header) - {"__metadata__"})))
    odd = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.none(), st.booleans(), st.text(max_size=5))
    key = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", "name", "twice", "length", "cut"]))
    value = data.draw(st.one_of(odd, st.lists(odd, max_size=4)))
    if key == "length":
        return struct.pack("<Q", data.draw(st.integers(0, 2**64 - 1))) + content[8:]
    if key == "cut":
        return content[: data.draw(st.integers(0, len(content) - 1))]
    if key == "name":
        header[data.draw(st.text(max_size=30))] = header.pop(name)
    elif key == "twice":
        header[name + "x"] = dict(header[name])
    else:
        header[name][key] = value
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@FUZZ
@given(data=st.data())
def test_a_tampered_tensor_file_is_refused_or_equal(written, tmp_path_factory, data) -> None:
    """Without the digests: the reader alone must refuse, or read exactly what was there."""
    path = tmp_path_factory.getbasetemp() / "tampered.safetensors"
    content = (written / folder.TENSORS).read_bytes()
    path.write_bytes(mutated(data, content))
    try:
        tensors = read_tensors(path, EXPECTED)
    except BundleRefused:
        return
    for name, array in flat(made_parameters()).items():
        np.testing.assert_array_equal(tensors[name], array)


def test_wrong_shapes_types_and_numbers_are_refused(copied) -> None:
    for name, change, said in (
        ("mask_token", lambda x: x[:-1], r"mask_token: expected .*'shape': \[8\]"),
        ("mask_token", lambda x: x.reshape(2, 4), "mask_token: expected"),
        ("free_tokens", lambda x: x * np.float32("nan"), "finite"),
    ):
        parameters = made_parameters()
        parameters["network"][name] = change(parameters["network"][name])
        try:
            content = tensors_to_bytes(flat(parameters))
        except ValueError:  # our writer writes no NaN: another did
            content = tensors_to_bytes(flat(made_parameters()))
            content = content.replace(made_parameters()["network"][name].tobytes(), b"\xff" * 4 * 32)
        (copied / folder.TENSORS).write_bytes(content)
        sign_again(copied)
        with pytest.raises(BundleRefused, match=said):
            load(copied)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["encoder"], r"unknown \['network\.decoder_context\.bias'"),
        (
            ["decoder", "projector"],
            "parts: expected encoder and, where wanted, decoder and projector, got dec",
        ),
        (["encoder", "head"], "parts: expected encoder .*, got encoder, head"),
        (["encoder", "encoder"], "parts: expected encoder .*, got encoder, encoder"),
        ([], "parts: expected encoder .*, got none"),
    ],
)
def test_parts_are_those_of_the_file(copied, parts, said) -> None:
    raw = json.loads((copied / folder.CONFIG).read_text())
    (copied / folder.CONFIG).write_text(json.dumps({**raw, "parts": parts}))
    sign_again(copied)
    with pytest.raises(BundleRefused, match=said):
        load(copied)
