"""What is written is read again; what was changed on the way is refused with a reason, whatever it is."""

import hashlib
import json
import os
import shutil
import struct
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_bundle import made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.description import read_description
from coreecg_jax.export.loading import expected_tensors, load, read_bundle
from coreecg_jax.export.migration import FORMAT, migrated
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
        "MODEL_CARD.md",
        "SHA256SUMS",
        "config.json",
        "model.safetensors",
        "test_vectors.npz",
    ]
    card = (written / folder.CARD).read_text()
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
        require_intact(where)


def require_intact(where):
    """`load` checks the files that it reads; a flip may hit the digest of another."""
    sums = folder.read_sums(where)
    for each in sums:
        folder.intact(where, each, sums)


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
    try:
        description = read_description(json.dumps(raw).encode())
    except BundleRefused:
        return
    assert json.loads(description.to_json()) == raw


def test_huge_numbers_allocate_nothing(copied) -> None:
    raw = json.loads((copied / folder.CONFIG).read_text())
    raw["network"] |= {"width": 65536, "depth": 65536, "heads": 16}
    (copied / folder.CONFIG).write_text(json.dumps(raw))
    sign_again(copied)
    with pytest.raises(BundleRefused, match=r"expected \{'dtype': 'F32'"):
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


def test_older_versions_are_migrated_step_by_step() -> None:
    steps = {
        1: lambda raw: {**raw, "unit": "mV"},
        2: lambda raw: {"labels" if name == "classes" else name: value for name, value in raw.items()},
    }
    old = {"format": FORMAT, "format_version": 1, "classes": ["MI"]}
    assert migrated(old, steps, newest=3) == {"unit": "mV", "labels": ["MI"]}
    assert migrated({**old, "format_version": 3}, steps, newest=3) == {"classes": ["MI"]}
    for version, said in (
        (4, "newer than this code"),
        (0, "from 1 to 3"),
        ("1", "no bundle"),
        (True, "no bundle"),
    ):
        with pytest.raises(BundleRefused, match=said):
            migrated({**old, "format_version": version}, steps, newest=3)
    with pytest.raises(BundleRefused, match="no bundle"):
        migrated({"format_version": 1})


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
