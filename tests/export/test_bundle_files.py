"""What is written is read again; what was changed on the way is refused with a reason, whatever it is."""

import dataclasses
import functools
import hashlib
import json
import operator
import os
import re
import shutil
import struct
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_bundle import bounded_memory, made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.description import Recovery, read_description
from coreecg_jax.export.limits import LIMITS, require_in_limits
from coreecg_jax.export.loading import expected_tensors, load, read_bundle
from coreecg_jax.export.migration import FORMAT_VERSION
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.tensors import flat, nested, read_tensors, tensors_to_bytes
from coreecg_jax.export.vectors import read_vectors
from coreecg_jax.export.writing import write_bundle

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

EXPECTED = expected_tensors(made_description())


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def sign_again(where):
    """New digests, as one who tampers would write them."""
    names = sorted(path.name for path in where.iterdir() if path.name != folder.SUMS)
    lines = [f"{hashlib.sha256((where / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (where / folder.SUMS).write_text("".join(lines))


def test_a_bundle_comes_back_whole(written) -> None:
    loaded, expected = load(written), flat(made_parameters())
    assert loaded.description == made_description()
    for name, array in flat({"network": loaded.parameters, "fda": loaded.fda}).items():
        np.testing.assert_array_equal(array, expected[name])
    assert sorted(path.name for path in written.iterdir()) == [
        "LICENSE",
        "MODEL_CARD.md",
        "README.md",
        "SHA256SUMS",
        "config.json",
        "model.safetensors",
        "test_vectors.npz",
    ]
    card = (written / folder.CARD).read_text()
    assert (written / folder.README).read_text() == card
    assert (written / folder.LICENCE).read_text() == loaded.description.licence + "\n"
    assert set(folder.require_intact(written)) == {path.name for path in written.iterdir()} - {folder.SUMS}
    assert "made_task" in card
    assert "0.800 (0.750 to 0.850)" in card


def test_nothing_is_written_over_or_half(written, tmp_path) -> None:
    before = folder.digest_of_file(written / folder.SUMS)
    with pytest.raises(FileExistsError, match="is there already"):
        write_bundle(written, made_description(), made_parameters(), formats=())
    assert folder.digest_of_file(written / folder.SUMS) == before
    spoilt = made_parameters()
    spoilt["network"]["mask_token"][0] = np.nan
    with pytest.raises(ValueError, match="mask_token: expected finite float32"):
        write_bundle(tmp_path / "new", made_description(), spoilt, formats=())
    with pytest.raises(ValueError, match="formats: expected some of"):
        write_bundle(tmp_path / "new", made_description(), made_parameters(), formats=("x",))
    assert not list(tmp_path.iterdir())


def test_the_safetensors_package_reads_what_we_write(written) -> None:
    package = pytest.importorskip("safetensors.numpy", reason="pip install 'coreecg-jax[torch]'")
    theirs, ours = package.load_file(written / folder.TENSORS), flat(made_parameters())
    assert set(theirs) == set(ours)
    for name, array in theirs.items():
        np.testing.assert_array_equal(array, ours[name])


@FUZZ
@given(data=st.data())
def test_a_flipped_byte_anywhere_is_refused(written, tmp_path_factory, data) -> None:
    where = tmp_path_factory.getbasetemp() / "flipped"
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(written, where)
    name = data.draw(st.sampled_from([folder.CONFIG, folder.TENSORS, folder.SUMS]))
    content = bytearray((where / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (where / name).write_bytes(content)
    with pytest.raises((BundleRefused, FileNotFoundError)):
        folder.require_intact(where)  # `load` checks the files that it reads; a flip may hit another's digest


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
    assert {re.sub(r"(error|flat|hidden)\..*", r"\1", field) for field in fields} == set(LIMITS)
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


def test_tricks_with_paths_are_refused(copied, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((copied / folder.TENSORS).read_bytes())
    sums = (copied / folder.SUMS).read_text()
    for name in ("../secret", "/etc/passwd", "model.safetensors/../../secret", "secret", "SHA256SUMS"):
        (copied / folder.SUMS).write_text(sums + f"{folder.digest_of_file(secret)}  {name}\n")
        with pytest.raises(BundleRefused, match="and no others than"):
            load(copied)
    (copied / folder.SUMS).write_text(sums)
    (copied / folder.TENSORS).unlink()
    (copied / folder.TENSORS).symlink_to(secret)
    with pytest.raises(BundleRefused, match="expected a plain file"):
        load(copied)
    (copied / folder.TENSORS).unlink()
    os.mkfifo(copied / folder.TENSORS)
    with pytest.raises(BundleRefused, match="expected a plain file"):
        load(copied)
    (copied / folder.TENSORS).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks model\.safetensors"):
        load(copied)
    with pytest.raises(FileNotFoundError, match="no bundle"):
        load(tmp_path / "nowhere")


def test_test_vectors_run_nothing(written, tmp_path) -> None:
    assert len(read_vectors(written / folder.VECTORS).ecg) == 4
    path = tmp_path / folder.VECTORS
    vectors = read_vectors(written / folder.VECTORS)._asdict()
    np.savez(path, **(vectors | {"ecg": np.array([print], dtype=object)}))
    with pytest.raises(BundleRefused, match="pickle"):
        read_vectors(path)
    np.savez_compressed(path, **(vectors | {"ecg": np.zeros((4, 12, 100_000), np.float32)}))
    with pytest.raises(BundleRefused, match="not compressed"):
        read_vectors(path)
    path.write_bytes(b"no archive")
    with pytest.raises(BundleRefused, match="zip"):
        read_vectors(path)


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


def test_paths_of_leaves_are_undone() -> None:
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert nested(flat(tree)) == tree
    assert flat(tree) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_reading_without_digests_needs_two_files(written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_bundle(written).description == made_description()
