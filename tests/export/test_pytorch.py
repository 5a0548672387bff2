"""The PyTorch module computes what jax does, from the written files alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_bundle import NETWORK, made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.vectors import TOLERANCE, read_vectors
from coreecg_jax.export.writing import write_bundle

torch = pytest.importorskip("torch", reason="pip install 'coreecg-jax[torch]'")
pytest.importorskip("safetensors", reason="pip install 'coreecg-jax[torch]'")
pytorch = pytest.importorskip("coreecg_jax.export.pytorch")
PLAIN = NETWORK.clone(voltage=False, normalise_patches=True, time_bias=False, kernels=0, registers=0)


@pytest.fixture(scope="module", params=["lead", "rhythm", "recording, other settings"])
def made(request, tmp_path_factory):
    pooling, _, other = request.param.partition(",")
    network = PLAIN if other else NETWORK
    where = tmp_path_factory.mktemp("torch") / "bundle"
    write_bundle(where, made_description(network, pooling), made_parameters(network), formats=())
    return where


def test_it_matches_on_the_test_vectors(made) -> None:
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    with torch.no_grad():
        embedding = encoder(torch.tensor(vectors.ecg), torch.tensor(vectors.available)).numpy()
    np.testing.assert_allclose(embedding, vectors.embedding, atol=TOLERANCE)
    assert np.abs(vectors.embedding).std() > 0.1


def test_what_is_not_available_changes_nothing_and_gradients_reach_the_parameters(made) -> None:
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    there = vectors.available[..., None]
    ecg = torch.tensor(np.where(there, vectors.ecg, np.float32("nan")))
    embedding = encoder(ecg, torch.tensor(vectors.available))
    np.testing.assert_allclose(embedding.detach().numpy(), vectors.embedding, atol=TOLERANCE)
    embedding.square().sum().backward()
    used = {name for name, part in encoder.parts.items() if part.grad is not None and part.grad.abs().any()}
    assert {"lead_embedding", "embed/linear/kernel", "encoder_stack/layers/qkv/kernel"} <= used


def test_another_shape_or_version_is_refused(made, tmp_path) -> None:
    encoder = pytorch.load(made)
    with pytest.raises(ValueError, match=r"expected ecg \[B, 12, 400 or more\]"):
        encoder(torch.zeros(1, 12, 300))
    copy = shutil.copytree(made, tmp_path / "copy")
    config = (copy / folder.CONFIG).read_text()
    (copy / folder.CONFIG).write_text(config.replace('"format_version": 2', '"format_version": 3'))
    with pytest.raises(ValueError, match="expected format version 1 or 2"):
        pytorch.load(copy)


def test_the_file_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(pytorch.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    assert {name.split(".")[0] for name in imported} == {"json", "pathlib", "numpy", "torch", "safetensors"}


@pytest.mark.slow
def test_the_file_is_used_alone(written, tmp_path) -> None:
    """Copied, and run where nothing of ours and no jax can be imported."""
    shutil.copy(Path(pytorch.__file__), tmp_path / "encoder.py")
    program = (
        "import sys; sys.modules.update(jax=None, flax=None, coreecg_jax=None)\n"
        "import encoder, torch; print(tuple(encoder.load(sys.argv[1])(torch.ones(2, 12, 1000)).shape))"
    )
    command = [sys.executable, "-c", program, str(written)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert result.stdout.startswith("(2, "), result.stderr
