"""What is written is read again; a folder that was changed on the way is refused with a reason."""

import os
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bundle import FUZZ, made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.loading import load, read_bundle
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.tensors import flat, nested
from coreecg_jax.export.vectors import read_vectors
from coreecg_jax.export.writing import write_bundle


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
    assert "| macro AUROC (95 %) | untrained |\n|---|---|---|---|---|---|\n" in card
    assert "| 0.800 (0.750 to 0.850) | 0.700 |\n" in card


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


def test_paths_of_leaves_are_undone() -> None:
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert nested(flat(tree)) == tree
    assert flat(tree) == {"a.b": 1, "a.c.d": 2, "e": 3}


def test_reading_without_digests_needs_two_files(written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_bundle(written).description == made_description()
