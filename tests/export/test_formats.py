"""ONNX and StableHLO: run from the written file they give what jax gives, for any leads and any number."""

import shutil
import sys

import numpy as np
import pytest
from made_bundle import NETWORK, made_description, made_parameters

from coreecg_jax.export import folder, writing
from coreecg_jax.export.loading import load
from coreecg_jax.export.parts import PARTS
from coreecg_jax.export.refusal import BundleRefused, MissingPackage
from coreecg_jax.export.stablehlo import PLATFORMS, run_stablehlo
from coreecg_jax.export.tensors import flat
from coreecg_jax.export.vectors import LEAD_SETS, TOLERANCE, read_vectors, require_same
from coreecg_jax.export.writing import write_bundle

SHALLOW = NETWORK.clone(depth=1)
PLAIN = SHALLOW.clone(voltage=False, normalise_patches=True, time_bias=False, kernels=0, registers=0)


@pytest.fixture(scope="module")
def hlo(tmp_path_factory):
    """With the encoder alone, as is the last of `onnx_bundle`."""
    where = tmp_path_factory.mktemp("hlo") / "bundle"
    description = made_description(parts=("encoder",))
    differences = write_bundle(where, description, made_parameters(), formats=("stablehlo",))
    assert 0 <= differences["stablehlo"] < TOLERANCE
    return where


@pytest.fixture(scope="module", params=["rhythm", "lead", "recording, other settings"])
def onnx_bundle(request, tmp_path_factory):
    pytest.importorskip("onnx", reason="pip install 'coreecg-jax[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'coreecg-jax[onnx]'")
    pooling, _, other = request.param.partition(",")
    network = PLAIN if other else NETWORK if pooling == "rhythm" else SHALLOW
    where = tmp_path_factory.mktemp("onnx") / "bundle"
    description = made_description(network, pooling, ("encoder",) if other else PARTS)
    differences = write_bundle(where, description, made_parameters(network), formats=("onnx",))
    assert 0 <= differences["onnx"] < TOLERANCE
    return where


def test_onnx_takes_raw_windows_and_a_mask(onnx_bundle) -> None:
    import onnx
    import onnxruntime

    path, vectors = onnx_bundle / folder.ONNX, read_vectors(onnx_bundle / folder.VECTORS)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = {each.name: (each.type, each.shape) for each in session.get_inputs()}
    assert shapes == {
        "ecg": ("tensor(float)", ["batch", 12, 1000]),
        "available": ("tensor(bool)", ["batch", 12]),
    }
    hidden = np.where(vectors.available[..., None], vectors.ecg, np.float32("nan"))
    for rows in ([0], [1, 3], [3, 2, 1, 0, 0]):
        inputs = {"ecg": hidden[rows], "available": vectors.available[rows]}
        (embedding,) = session.run(["embedding"], inputs)
        np.testing.assert_allclose(embedding, vectors.embedding[rows], atol=TOLERANCE)
    model = onnx.load(path)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 20)]
    assert "mV, 100 Hz, filtered 0.67 to 40 Hz" in model.graph.doc_string
    inputs = unusable(vectors)
    (embedding,) = session.run(["embedding"], {"ecg": inputs[0], "available": inputs[1]})
    assert_unusable_rows_are_nan(embedding, vectors)


def unusable(vectors):
    """The test vectors: one with NaN in a lead that is there, one with infinity, one without a lead."""
    ecg, available = vectors.ecg.copy(), vectors.available.copy()
    ecg[0, 3, 500], ecg[1, 0, 500] = np.nan, -np.inf
    available[2] = False
    return ecg, available


def assert_unusable_rows_are_nan(embedding, vectors) -> None:
    assert np.isnan(embedding[:3]).all()
    np.testing.assert_allclose(embedding[3], vectors.embedding[3], atol=TOLERANCE)


def test_stablehlo_takes_any_number(hlo) -> None:
    vectors = read_vectors(hlo / folder.VECTORS)
    hidden = np.where(vectors.available[..., None], vectors.ecg, np.float32("nan"))
    for rows in ([0], [3, 2, 1]):
        embedding = run_stablehlo(hlo / folder.STABLEHLO, hidden[rows], vectors.available[rows])
        np.testing.assert_allclose(embedding, vectors.embedding[rows], atol=TOLERANCE)
    assert set(PLATFORMS) == {"cpu", "cuda", "tpu"}
    embedding = run_stablehlo(hlo / folder.STABLEHLO, *unusable(vectors))
    assert_unusable_rows_are_nan(embedding, vectors)


def test_an_encoder_alone_embeds_and_explains_but_does_not_fill(hlo, written, bundle, ecg) -> None:
    alone = load(hlo)
    assert {"mask_token", "decoder_in", "projector"} <= set(bundle.parameters) - set(alone.parameters)
    assert {"lead_embedding", "free_tokens", "embed", "encoder_stack"} == set(alone.parameters)
    for name, x in flat(alone.parameters).items():
        np.testing.assert_array_equal(x, flat(bundle.parameters)[name])
    np.testing.assert_array_equal(alone.importance().logit_M, bundle.importance().logit_M)
    with pytest.raises(
        ValueError, match=r"^reconstruct: expected a bundle with a decoder, got .* encoder only"
    ):
        alone.reconstruct(ecg, fs=500)
    assert (hlo / folder.TENSORS).stat().st_size < 0.9 * (written / folder.TENSORS).stat().st_size
    assert "| model.safetensors | encoder |" in (hlo / folder.CARD).read_text()


def test_the_vectors_tell_the_leads_apart(hlo) -> None:
    """Were the mask or the derivation ignored, the test vectors would say so."""
    vectors, bundle = read_vectors(hlo / folder.VECTORS), load(hlo)
    assert vectors.available.sum(1).tolist() == [len(leads) for leads in LEAD_SETS]
    all_leads = [bundle.embed(ecg, fs=100.0, conditioned=True)[0] for ecg in vectors.ecg]
    off = np.abs(np.stack(all_leads) - vectors.embedding).max(1)
    assert (off < 1e-3).tolist() == [True, True, False, False]  # eight leads determine all twelve


def test_a_format_that_is_off_fails_the_export(hlo, tmp_path, monkeypatch) -> None:
    name, write, run = writing.PORTABLE["stablehlo"]
    off = (name, write, lambda *arguments: run(*arguments) + 2 * TOLERANCE)
    monkeypatch.setattr(writing, "PORTABLE", {"stablehlo": off})
    with pytest.raises(ValueError, match=r"model\.stablehlo: expected the test vectors within 0.0001, got"):
        write_bundle(tmp_path / "new", made_description(), made_parameters(), formats=("stablehlo",))
    assert not list(tmp_path.iterdir())
    vectors = read_vectors(hlo / folder.VECTORS)
    with pytest.raises(ValueError, match="nan off"):
        require_same(np.full_like(vectors.embedding, np.nan), vectors, "x")
    with pytest.raises(ValueError, match="expected embeddings of shape"):
        require_same(vectors.embedding[:1], vectors, "x")


@pytest.mark.parametrize(("name", "package"), [("onnx", "onnx"), ("pytorch", "torch")])
def test_a_missing_package_is_told(tmp_path, monkeypatch, name, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=r"pip install\s'coreecg-jax\["):
        write_bundle(tmp_path / "new", made_description(), made_parameters(), formats=(name,))
    assert not list(tmp_path.iterdir())


def test_a_changed_file_of_another_format_is_found_when_asked_for(hlo, tmp_path) -> None:
    copy = shutil.copytree(hlo, tmp_path / "copy")
    content = bytearray((copy / folder.STABLEHLO).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / folder.STABLEHLO).write_bytes(content)
    sums = folder.read_sums(copy)
    with pytest.raises(BundleRefused, match="its SHA-256 is not that of SHA256SUMS"):
        folder.intact(copy, folder.STABLEHLO, sums)
    with pytest.raises(FileNotFoundError, match=r"has no model\.onnx: export with it"):
        folder.intact(copy, folder.ONNX, sums)
    load(copy)  # which reads no other file
