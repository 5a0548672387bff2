"""The PyTorch module computes what jax does, from the written files alone."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_bundle import NETWORK, made_description, made_parameters

from coreecg_jax.export import folder
from coreecg_jax.export.bundle import UnseenLeads
from coreecg_jax.export.loading import RELEASED
from coreecg_jax.export.parts import PARTS
from coreecg_jax.export.vectors import TOLERANCE, read_vectors
from coreecg_jax.export.writing import write_bundle
from coreecg_jax.records.leads import LEADS

torch = pytest.importorskip("torch", reason="pip install 'coreecg-jax[torch]'")
safetensors_torch = pytest.importorskip("safetensors.torch", reason="pip install 'coreecg-jax[torch]'")
pytorch = pytest.importorskip("coreecg_jax.export.pytorch")
# The test vectors have windows with few leads.
few_leads = pytest.mark.filterwarnings("ignore:leads .*training never left the encoder")
PLAIN = NETWORK.clone(voltage=False, normalise_patches=True, time_bias=False, kernels=0, registers=0)


@pytest.fixture(scope="module", params=["lead", "rhythm", "recording, other settings"])
def made(request, tmp_path_factory):
    pooling, _, other = request.param.partition(",")
    network = PLAIN if other else NETWORK
    where = tmp_path_factory.mktemp("torch") / "bundle"
    parts = ("encoder",) if other else PARTS
    write_bundle(where, made_description(network, pooling, parts), made_parameters(network), formats=())
    return where


@few_leads
def test_it_matches_on_the_test_vectors(made) -> None:
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    with torch.no_grad():
        embedding = encoder(torch.tensor(vectors.ecg), torch.tensor(vectors.available)).numpy()
    np.testing.assert_allclose(embedding, vectors.embedding, atol=TOLERANCE)
    assert np.abs(vectors.embedding).std() > 0.1


@few_leads
def test_what_is_not_available_changes_nothing_and_gradients_reach_the_parameters(made) -> None:
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    there = vectors.available[..., None]
    ecg = torch.tensor(np.where(there, vectors.ecg, np.float32("nan")))
    embedding = encoder(ecg, torch.tensor(vectors.available))
    np.testing.assert_allclose(embedding.detach().numpy(), vectors.embedding, atol=TOLERANCE)
    embedding.square().sum().backward()
    used = {name for name, x in encoder.named_parameters() if x.grad is not None and x.grad.abs().any()}
    each = {f"layers.{layer}.parts.qkv/kernel" for layer in range(len(encoder.layers))}
    assert {"parts.lead_embedding", "parts.embed/linear/kernel", *each} <= used


@few_leads
def test_a_row_that_cannot_be_used_is_nan_as_in_onnx(made) -> None:
    """NaN or infinity in a lead that is there, no lead at all; the other rows are as ever."""
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    ecg, available = vectors.ecg.copy(), vectors.available.copy()
    ecg[0, 3, 500], ecg[1, 0, 500] = np.nan, -np.inf
    available[2] = False
    with torch.no_grad():
        embedding = encoder(torch.tensor(ecg), torch.tensor(available)).numpy()
    assert np.isnan(embedding[:3]).all()
    np.testing.assert_allclose(embedding[3], vectors.embedding[3], atol=TOLERANCE)


@few_leads
def test_a_row_that_cannot_be_used_leaves_the_gradients_of_the_others(made) -> None:
    vectors, encoder = read_vectors(made / folder.VECTORS), pytorch.load(made)
    ecg, available = torch.tensor(vectors.ecg), torch.tensor(vectors.available)
    gradients = []
    for bad in (False, True):
        encoder.zero_grad()
        if bad:
            ecg[0, 3, 500], ecg[1, 0, 500], available[2] = torch.nan, -torch.inf, False
        encoder(ecg, available)[3:].square().mean().backward()
        grads = {name: x.grad for name, x in encoder.named_parameters() if x.grad is not None}
        gradients.append(grads)
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, atol=1e-5, rtol=1e-3, msg=name)


def test_without_a_path_it_is_the_released_encoder() -> None:
    vectors = read_vectors(RELEASED / folder.VECTORS)
    with torch.no_grad():
        embedding = pytorch.load()(torch.tensor(vectors.ecg[:1]), torch.tensor(vectors.available[:1]))
    np.testing.assert_allclose(embedding.numpy(), vectors.embedding[:1], atol=TOLERANCE)


def test_a_copy_without_the_released_encoder_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(pytorch.reading, "RELEASED", tmp_path / "released")
    with pytest.raises(FileNotFoundError, match=r"expected the folder of a bundle, got none: .*released"):
        pytorch.load()


SETS = [("I",), ("V1", "V2"), ("I", "II", "V2"), ("II", "aVF"), ("I", "III", "V1", "V2", "V3")]


@pytest.mark.parametrize("leads", SETS, ids=", ".join)
def test_of_leads_that_training_never_left_it_warns_as_jax_does(written, bundle, leads) -> None:
    available = np.isin(LEADS, leads)[None]
    ecg = np.random.default_rng(0).normal(size=(1, 12, 1000)).astype(np.float32)
    with pytest.warns(UnseenLeads) as ours:
        bundle.embed(ecg[0][available[0]], fs=100.0, leads=leads, conditioned=True)
    with pytest.warns(pytorch.UnseenLeads) as theirs:
        pytorch.load(written)(torch.tensor(ecg), torch.tensor(available))
    assert [str(one.message) for one in theirs] == [str(one.message) for one in ours]
    assert Path(theirs[0].filename) == Path(__file__)


@pytest.mark.parametrize("leads", [LEADS, ("I", "aVL", *LEADS[6:]), LEADS[:6] + LEADS[8:], ()])
def test_of_leads_that_training_left_or_none_at_all_it_says_nothing(written, leads) -> None:
    available = torch.tensor(np.isin(LEADS, leads)[None])
    pytorch.load(written)(torch.ones(1, 12, 1000), available)  # a warning would be an error


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")  # of torch
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_of_each_recording_by_vmap_are_those_of_each_alone(written, masked) -> None:
    encoder = pytorch.load(written)
    parameters = dict(encoder.named_parameters())
    ecg = torch.tensor(np.random.default_rng(0).normal(size=(2, 1, 12, 1000)), dtype=torch.float32)
    there = torch.ones(2, 1, 12, dtype=torch.bool)

    def loss(parameters, *one):
        return torch.func.functional_call(encoder, parameters, one).square().sum()

    given = (ecg, there) if masked else (ecg,)
    by_row = torch.func.vmap(torch.func.grad(loss), in_dims=(None, *[0] * len(given)))(parameters, *given)
    alone = torch.func.grad(loss)(parameters, *(each[1] for each in given))
    for name, expected in alone.items():
        torch.testing.assert_close(by_row[name][1], expected, atol=1e-4, rtol=1e-3, msg=name)


def test_shapes_are_known_without_numbers(written) -> None:
    encoder = pytorch.load(written).to("meta")
    ecg, there = torch.ones(2, 12, 1000, device="meta"), torch.ones(2, 12, dtype=torch.bool, device="meta")
    assert encoder(ecg, there).shape == pytorch.load(written)(torch.ones(2, 12, 1000)).shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.uint8])
def test_a_mask_of_zeros_and_ones_is_one_of_bool(written, dtype) -> None:
    vectors, encoder = read_vectors(written / folder.VECTORS), pytorch.load(written)
    ecg, available = torch.tensor(vectors.ecg[:2]), torch.tensor(vectors.available[:2])
    assert set(available.flatten().tolist()) == {True, False}
    with torch.no_grad():
        torch.testing.assert_close(encoder(ecg, available.to(dtype)), encoder(ecg, available), rtol=0, atol=0)


@pytest.mark.parametrize(("value", "said"), [(0.5, "0.5"), (2.0, "2"), (-1.0, "-1"), (float("nan"), "nan")])
def test_a_mask_of_other_numbers_is_refused(written, value, said) -> None:
    available = torch.ones(2, 12)
    available[1, 3] = value
    with pytest.raises(ValueError, match=rf"^available: expected bool, or 0 and 1 .*, got {said}: "):
        pytorch.load(written)(torch.ones(2, 12, 1000), available)


def test_another_shape_is_refused(made) -> None:
    encoder = pytorch.load(made)
    with pytest.raises(ValueError, match=r"expected ecg \[B, 12, 400 or more\]"):
        encoder(torch.zeros(1, 12, 300))


@pytest.mark.parametrize("samples", [1001, 5000])
def test_what_lies_beyond_a_window_is_not_passed_over(made, samples) -> None:
    encoder = pytorch.load(made)
    said = rf"expected windows of 400 to 1000 samples at 100 Hz, got {samples}: resample, or cut it"
    with pytest.raises(ValueError, match=said):
        encoder(torch.zeros(1, 12, samples))


def changed_config(where, *path, to):
    raw = json.loads((where / folder.CONFIG).read_text())
    node = raw
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = to
    (where / folder.CONFIG).write_text(json.dumps(raw))


def changed_tensors(where, change):
    tensors = safetensors_torch.load_file(where / folder.TENSORS)
    safetensors_torch.save_file(
        change({name: x.clone() for name, x in tensors.items()}), where / folder.TENSORS
    )


LEAD, TOKENS = "network.lead_embedding", "network.free_tokens"
CONFIGS = [
    (
        ("preprocessing", "window_seconds"),
        2.0,
        "windows of at least representation.crop_samples = 400, got 2 s",
    ),
    (("format_version",), 5, "format_version: expected 1 or 2 or 3 or 4, got 5"),
    (("network", "depth"), 1, r"layers\.[\w.]+: expected finite float32 \[1, .*got torch.float32 \[2, "),
    (("network", "kernels"), 0, r"missing \[\], unknown \['network.embed.bias', 'network.embed.taps'\]"),
    (("network", "normalise_patches"), True, r"missing \['network.patch_norm.bias', "),
    (("network", "heads"), 3, r"network.width of 2 \* network.heads, got .* 16 and 3"),
    (("network", "width"), "16", "network.width: expected 1 or more, got '16'"),
    (("normalisation", "typical_scale"), 0.3, r"typical_scale: expected \[0.001, 0.2\], got \[0.001, 0.3\]"),
    (
        ("representation", "pooling"),
        "sum",
        "representation.pooling: expected rhythm or lead or recording, got",
    ),
    (("representation", "crops"), 0, "representation.crops: expected 1 or more, got 0"),
    (("training", "fewest_leads"), 0, "training.fewest_leads: expected 1 or more, got 0"),
    (("accuracy",), [{}], "config.json: a field is missing or of another type: KeyError"),
    (("network",), [], "config.json: a field is missing or of another type"),
]
TENSORS = [
    (lambda x: x | {LEAD: x[LEAD] * float("nan")}, f"{LEAD}: expected finite float32"),
    (lambda x: x | {LEAD: x[LEAD].half()}, rf"{LEAD}: .* got torch.float16 \[12, 16\]"),
    (lambda x: x | {"fda.a": x["fda.a"].half()}, "fda.a: .* got torch.float16"),
    (
        lambda x: x | {LEAD: x[LEAD][:11].clone()},
        rf"{LEAD}: expected finite float32 \[12, 16\], got .*\[11, 16\]",
    ),
    (lambda x: x | {"network.more": x[LEAD].clone()}, r"unknown \['network.more'\]"),
    (lambda x: {name: each for name, each in x.items() if name != TOKENS}, rf"missing \['{TOKENS}'\]"),
]


@pytest.mark.parametrize(("path", "to", "said"), CONFIGS)
def test_another_config_is_refused_by_its_digest_and_by_itself(copied, path, to, said) -> None:
    changed_config(copied, *path, to=to)
    with pytest.raises(ValueError, match=r"config\.json: its SHA-256 is not that of SHA256SUMS"):
        pytorch.load(copied)
    with pytest.raises(ValueError, match=said):
        pytorch.read(copied)


@pytest.mark.parametrize(("change", "said"), TENSORS)
def test_other_tensors_are_refused_by_their_digest_and_by_themselves(copied, change, said) -> None:
    changed_tensors(copied, change)
    with pytest.raises(ValueError, match=r"model\.safetensors: its SHA-256 is not that of SHA256SUMS"):
        pytorch.load(copied)
    with pytest.raises(ValueError, match=said):
        pytorch.read(copied)


def test_what_is_missing_or_no_tensor_file_is_refused(copied) -> None:
    (copied / folder.TENSORS).write_bytes((copied / folder.TENSORS).read_bytes()[:100])
    with pytest.raises(ValueError, match=r"^model\.safetensors: "):
        pytorch.read(copied)
    for name in (folder.TENSORS, folder.SUMS):
        (copied / name).unlink()
        with pytest.raises(ValueError, match=r"expected SHA256SUMS and .*: no bundle, or not copied whole"):
            pytorch.load(copied)


@few_leads
@pytest.mark.parametrize("version", [1, 2])
def test_a_bundle_of_an_older_version_is_read(version) -> None:
    where = Path(__file__).parent / "bundles" / f"version_{version}"
    vectors = read_vectors(where / folder.VECTORS)
    with torch.no_grad():
        embedding = pytorch.load(where)(torch.tensor(vectors.ecg), torch.tensor(vectors.available)).numpy()
    np.testing.assert_allclose(embedding, vectors.embedding, atol=TOLERANCE)


def test_the_folder_imports_nothing_of_ours() -> None:
    """Nor from above itself: its own files are one dot away."""
    imported = set()
    for file in Path(pytorch.__file__).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        assert {node.level for node in froms} <= {0, 1}
        imported |= {node.module for node in froms if node.level == 0}
        imported |= {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    assert {name.split(".")[0] for name in imported} == {
        *("collections", "hashlib", "json", "pathlib", "typing", "warnings"),
        *("numpy", "torch", "safetensors"),
    }


@pytest.mark.slow
def test_the_folder_is_used_alone(written, tmp_path) -> None:
    """Copied, and run where nothing of ours and no jax can be imported."""
    shutil.copytree(Path(pytorch.__file__).parent, tmp_path / "copied")
    program = (
        "import sys; sys.modules.update(jax=None, flax=None, coreecg_jax=None)\n"
        "import copied, torch; print(tuple(copied.load(sys.argv[1])(torch.ones(2, 12, 1000)).shape))"
    )
    command = [sys.executable, "-c", program, str(written)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
    assert result.stdout.startswith("(2, "), result.stderr
