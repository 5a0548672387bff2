"""A config.json that was changed, digests too, is refused by its field, or says what it says, harmlessly."""

import dataclasses
import functools
import json
import operator
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bundle import FUZZ, bounded_memory, made_description, sign_again

from coreecg_jax.export import folder
from coreecg_jax.export.description import Recovery, read_description
from coreecg_jax.export.limits import LIMITS, require_in_limits
from coreecg_jax.export.loading import expected_tensors, load
from coreecg_jax.export.migration import FORMAT_VERSION
from coreecg_jax.export.refusal import BundleRefused


@FUZZ
@given(data=st.data())
def test_a_tampered_config_is_refused_or_understood(written, data) -> None:
    raw = json.loads((written / folder.CONFIG).read_text())
    part = data.draw(st.sampled_from(sorted(raw)))
    node = raw
    while isinstance(node[part], dict) and node[part] and data.draw(st.booleans()):
        node, part = node[part], data.draw(st.sampled_from(sorted(node[part])))
    action = data.draw(st.sampled_from(["drop", "replace", "add"]))
    junk = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=9)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner)),
        max_leaves=5,
    )
    if action == "drop":
        del node[part]
    else:
        node[part if action == "replace" else "more"] = data.draw(junk)
    require_refused_or_understood(raw)


def require_refused_or_understood(raw):
    """`load` does no more with a config before it opens the tensors."""
    with bounded_memory():
        try:
            description = read_description(json.dumps(raw).encode())
        except BundleRefused:
            return
        expected_tensors(description)
    assert json.loads(description.to_json()) == {**raw, "format_version": FORMAT_VERSION}


def numbers_in(node, path=()):
    """Path of each number, those within lists and objects of any keys too."""
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        return [found for key, inner in items for found in numbers_in(inner, (*path, key))]
    return [path] if type(node) in (int, float) else []


def with_number(raw, path, number):
    *parents, last = path
    functools.reduce(operator.getitem, parents, raw)[last] = number
    return raw


SIZES = st.one_of(
    st.integers(0, 80).map(lambda power: 2**power),
    st.integers(0, 3000).map(lambda power: 2**power - 1),
    st.integers(0, 200),
    st.integers(-(2**70), -1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@FUZZ
@given(data=st.data())
def test_any_number_is_refused_or_harmless(written, data) -> None:
    raw = json.loads((written / folder.CONFIG).read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        with_number(raw, data.draw(st.sampled_from(numbers_in(raw))), data.draw(SIZES))
    require_refused_or_understood(raw)


HUGE = [
    ("network.patch", 2**16, "1 to 4096"),
    ("network.registers", 2**16, "0 to 1024"),
    ("network.heads", 0, "1 to 1024"),
    ("network.kernel_length", 2**15, "0 to 4096"),
    ("preprocessing.filter_order", 60_000, "1 to 20"),
    ("preprocessing.sampling_rate", 1e-3, "10 to 10000"),
    ("preprocessing.window_seconds", 3600, "at most 131072 samples"),
    ("representation.crops", 2**16, "1 to 64"),
    ("representation.crop_samples", 2**31, "1 to 131072"),
    ("training.crop_samples", 2**31, "1 to 131072"),
    ("training.crop_samples", 2**40, "1 to 131072"),
    ("training.crop_samples", 2**63, "1 to 131072"),
    ("training.crop_samples", 0, "1 to 131072"),
    ("training.crop_samples", 425, "a multiple of network.patch = 50"),
    ("training.step", -1, "0 to"),
    ("training.target_floor", 10**400, "float"),
    ("training.fewest_leads", 13, "1 to 12"),
    ("accuracy[0].macro_auroc", 1.5, "0 to 1"),
]


@pytest.mark.parametrize(("field", "number", "expected"), HUGE)
def test_a_number_out_of_bounds_is_refused_by_its_field(written, field, number, expected) -> None:
    raw = json.loads((written / folder.CONFIG).read_text())
    if field == "preprocessing.window_seconds":
        raw["preprocessing"]["sampling_rate"] = 10_000
    path = [int(step) if step.isdecimal() else step for step in re.findall(r"\w+", field)]
    with bounded_memory(), pytest.raises(BundleRefused) as refused:
        read_description(json.dumps(with_number(raw, path, number)).encode())
    before, got = str(refused.value).split(", got ")
    assert f"{field}: expected {expected}" in before
    assert str(number)[:20] in got


def test_every_number_has_bounds() -> None:
    """A field that is new in the format stands in the table of bounds, or no bundle is written."""
    every = dataclasses.replace(
        made_description(), recovery=(Recovery("x", 1, ("II",), ((1.0, 2.0),), {"I": 0.5}, {"I": 0.5}),)
    )
    fields = {".".join(str(step) for step in path) for path in numbers_in(json.loads(every.to_json()))}
    fields = {re.sub(r"\.0", "", field) for field in fields} - {"format_version"}
    assert {re.sub(r"(error|flat|hidden|beside)\..*", r"\1", field) for field in fields} == set(LIMITS)
    require_in_limits(every)


def test_huge_numbers_allocate_nothing(copied) -> None:
    raw = json.loads((copied / folder.CONFIG).read_text())
    raw["network"] |= {"width": 65536, "depth": 65536, "heads": 16}
    raw["network"] |= {"patch": 4096, "kernels": 65536, "kernel_length": 2048, "registers": 1024}
    raw["preprocessing"] |= {"sampling_rate": 10_000, "window_seconds": 13}
    raw["representation"]["crop_samples"] = 126_976
    raw["training"] |= {"crop_samples": 126_976, "fda_mode": "per_bin"}
    (copied / folder.CONFIG).write_text(json.dumps(raw))
    sign_again(copied)
    with bounded_memory(), pytest.raises(BundleRefused, match=r"expected \{'dtype': 'F32'"):
        load(copied)
    (copied / folder.TENSORS).write_bytes(struct.pack("<Q", 2**63) + b"{}")
    sign_again(copied)
    with pytest.raises(BundleRefused, match=r"expected a header of 2 to 2 bytes, got 9223372036854775808"):
        load(copied)


def test_json_is_strict(written) -> None:
    text = (written / folder.CONFIG).read_text()
    for changed, said in (
        (text.replace('"unit": "mV"', '"unit": "mV", "unit": "uV"'), "stands there twice"),
        (text.replace('"target_floor": 0.1', '"target_floor": NaN'), "no number of JSON"),
        (text.replace('"step": 7', '"step": true'), "training.step: expected int"),
        (text.replace('"pooling": "lead"', '"pooling": "sum"'), "representation.pooling: expected of"),
        (text.replace('"crop_samples": 400', '"crop_samples": 401'), "multiple of network.patch"),
        (
            text.replace('"smallest_scale": 0.001', '"smallest_scale": 0.1'),
            "normalisation: this version knows",
        ),
        ("[" * 100_000, "expected JSON"),
    ):
        assert changed != text
        with pytest.raises(BundleRefused, match=said):
            read_description(changed.encode())
