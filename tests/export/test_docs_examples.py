"""Every example of docs/export.md is run, on a bundle of all formats."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_bundle import made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.streaming import embedded, write_parquet
from coreecg_jax.export.vectors import read_vectors
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.records.leads import LEADS
from launch.embedding import recordings_of

TEXT = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def examples(text, imported):
    """Python that begins with an import of one of these, indented by four as Markdown has code."""
    blocks = re.findall(r"(?m)(?:^    .*\n)+", text)
    begin = re.compile(rf"    (import|from) ({imported})\b")
    return [re.sub(r"(?m)^    ", "", block) for block in blocks if begin.match(block)]


EXAMPLES = examples(TEXT, "coreecg_jax|onnxruntime|jax")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    for package in ("torch", "safetensors", "onnx", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'coreecg-jax[torch,onnx]'")
    where = tmp_path_factory.mktemp("examples")
    formats = ("onnx", "stablehlo", "pytorch")
    write_bundle(where / "bundles" / "x", made_description(), made_parameters(), formats=formats)
    return where


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 6
    assert len(examples(TEXT, "scipy")) == 1
    assert len(examples(TEXT, "csv")) == 1
    assert len(examples(TEXT, "torch")) == 1


@pytest.mark.filterwarnings("ignore:leads .*training never left the encoder")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: re.findall(r"\w+", text)[1])
def test_an_example_runs(example: str, place, ecg, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(place)
    vectors = read_vectors(place / "bundles" / "x" / "test_vectors.npz")
    names = {"ecg": vectors.ecg, "available": vectors.available, "signal": ecg[[0, 1, 7]]}
    names |= {"recordings": np.stack([ecg, 2 * ecg, ecg[:, ::-1]]), "labels": [0, 0, 1]}
    if "pytorch" in example:
        import torch

        names |= {name: torch.tensor(names[name]) for name in ("ecg", "available")}
    exec(example, names)
    if "embedding" in names:
        width = vectors.embedding.shape[1]
        assert names["embedding"].shape[1] == width
        if "available" in example:
            result = names["embedding"]
            result = result.detach().numpy() if hasattr(result, "detach") else np.asarray(result)
            np.testing.assert_allclose(result, vectors.embedding, atol=1e-4)
    elif "require_intact" in example:
        shutil.copytree(place, tmp_path, dirs_exist_ok=True)
        (tmp_path / "bundles" / "x" / "model.onnx").write_bytes(b"changed")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(BundleRefused, match="its SHA-256 is not that of SHA256SUMS"):
            exec(example, names)
    else:
        assert names["probe"].predict(names["recordings"]).shape == (3,)


def test_the_encoder_is_trained_further(place, monkeypatch, tmp_path) -> None:
    """All of it moves, no warning is given, and what was saved is what was trained."""
    import torch

    from coreecg_jax.export.pytorch import load

    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles").symlink_to(place / "bundles")
    vectors = read_vectors(place / "bundles" / "x" / "test_vectors.npz")
    names = {"ecg": vectors.ecg, "available": vectors.available, "targets": np.eye(4, 1, dtype=np.float32)}
    (example,) = examples(TEXT, "torch")
    exec(example, names)
    assert names["loss"].isfinite()
    now, before = names["model"].encoder.state_dict(), load("bundles/x").state_dict()
    assert now.keys() == before.keys()
    assert not [name for name, x in now.items() if torch.equal(x, before[name])]
    saved = torch.load("trained.pt", weights_only=True)
    assert all(torch.equal(saved[f"encoder.{name}"], x) for name, x in now.items())
    rates = [group["lr"] for group in names["optimizer"].param_groups]
    assert rates == pytest.approx([4.9e-4, 7e-4, 1e-4, 1e-3])


@pytest.mark.parametrize("where", ["docs", "card"])
def test_the_filter_of_others_is_ours(where, written, bundle, ecg) -> None:
    """What the portable formats leave to the user, by scipy alone."""
    (recipe,) = examples(TEXT if where == "docs" else (written / folder.CARD).read_text(), "scipy")
    signal = ecg[[0, 1, 7]] + np.linspace(
        0.0, 3.0, ecg.shape[1]
    )  # wanders, so that ends and resampling count
    names = {"signal": signal}
    exec(recipe, names)
    asked = {"fs": 500, "leads": ("I", "II", "V2"), "bad_leads": "refuse", "conditioned": False}
    (ours,) = bundle.condition(signal, **asked)
    np.testing.assert_allclose(names["window"], ours.ecg_LT[[0, 1, 7], :1000], rtol=0, atol=1e-9)
    assert np.abs(names["window"] - signal[:, ::5]).max() > 0.5


@pytest.mark.filterwarnings("error")
def test_embeddings_of_a_file_are_asked_by_patient(bundle, ecg, monkeypatch, tmp_path) -> None:
    """Ten recordings of five patients, one with the finding and one without, whose leads are reversed."""
    folder_of, lines = tmp_path / "recordings", ["file,patient_id,labels"]
    folder_of.mkdir()
    (folder_of / "ecg.yaml").write_text(f"sampling_rate: 500\nunit: mV\nleads: [{', '.join(LEADS)}]\n")
    for number in range(10):
        shifted = np.roll(ecg, 37 * number, axis=1)
        np.save(folder_of / f"r{number}.npy", shifted if number % 2 else shifted[::-1])
        lines.append(f"r{number}.npy,p{number // 2},{'NORM;AFIB' if number % 2 else 'NORM'}")
    np.save(folder_of / "short.npy", ecg[:, :100])
    (folder_of / "recordings.csv").write_text("\n".join([*lines, "short.npy,p9,AFIB"]))
    monkeypatch.chdir(tmp_path)
    recordings = [(one.id, one.read) for one in recordings_of(["recordings/"])]
    write_parquet(Path("embeddings.parquet"), embedded(bundle, recordings), bundle)
    (example,) = examples(TEXT, "csv")
    names = {}
    exec(example, names)
    assert names["embeddings"].shape == (10, bundle.width)
    assert names["patients"] == [f"p{number // 2}" for number in range(10)]
    assert names["labels"] == [False, True] * 5
    assert names["aurocs"].shape == (5,)
    assert names["aurocs"].min() == 1.0  # that is plain to see
