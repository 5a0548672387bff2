"""The PyTorch encoder as it is trained further: modes, precisions, state dicts, programs made of it."""

import copy
import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from made_bundle import CROP

from coreecg_jax.export import folder
from coreecg_jax.export.vectors import read_vectors

torch = pytest.importorskip("torch", reason="pip install 'coreecg-jax[torch]'")
pytorch = pytest.importorskip("coreecg_jax.export.pytorch")
few_leads = pytest.mark.filterwarnings("ignore:leads .*training never left the encoder")
TINY = Path(__file__).parent / "bundles" / "version_2"
POOLINGS = ("recording", "lead", "rhythm")


@pytest.fixture(params=range(3), ids=POOLINGS)
def encoder(request, made_of_each_pooling):
    return copy.deepcopy(made_of_each_pooling[request.param])


@pytest.fixture(scope="module")
def given(written):
    """Windows with 12, 8, 11 and 1 leads, a crop long, and which leads these are."""
    vectors = read_vectors(written / folder.VECTORS)
    return torch.tensor(vectors.ecg[..., :CROP]), torch.tensor(vectors.available)


def test_in_training_leads_may_be_left_out_without_a_word(encoder, given) -> None:
    """A warning would be an error; what is computed is the same."""
    assert not encoder.training
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pytorch.UnseenLeads)
        expected = encoder(*given)
    torch.testing.assert_close(encoder.train()(*given), expected, rtol=0, atol=0)
    with pytest.warns(pytorch.UnseenLeads, match="^leads "):
        encoder.eval()(*given)


def test_of_many_sets_of_leads_there_is_one_sentence_and_always_the_same(encoder) -> None:
    rng, said = np.random.default_rng(0), set()
    for batch in (4, 16, 32):
        available = torch.tensor(rng.random((batch, 12)) < 0.3)
        with pytest.warns(pytorch.UnseenLeads) as told:
            encoder(torch.ones(batch, 12, CROP), available)
        said |= {str(one.message) for one in told}
    (sentence,) = said
    assert "more than 3 sets of leads in one batch: training never left the encoder fewer than 10" in sentence


def test_up_to_three_sets_of_leads_each_are_told(encoder) -> None:
    available = torch.eye(12, dtype=torch.bool)[[0, 1, 7]]
    with pytest.warns(pytorch.UnseenLeads) as told:
        encoder(torch.ones(3, 12, CROP), available)
    assert sorted(str(one.message).split(":")[0] for one in told) == [
        "leads I alone",
        "leads II alone",
        "leads V2 alone",
    ]


@pytest.mark.slow
def test_it_compiles_whole_and_says_nothing_of_leads() -> None:
    """Without a break in the graph (`fullgraph`), for another length and a mask of numbers too."""
    vectors, encoder = read_vectors(TINY / folder.VECTORS), pytorch.load(TINY)
    compiled = torch.compile(encoder, fullgraph=True, backend="eager")
    ecg, available = torch.tensor(vectors.ecg), torch.tensor(vectors.available)
    odd = available.float()
    odd[1, 0] = 0.5
    computed = [compiled(ecg, available), compiled(ecg[..., :-3], available.float())]
    assert compiled(ecg[..., :-3], odd).isnan().all(1).tolist() == [False, True, False, False]
    encoder.train()  # where it says nothing uncompiled
    expected = [encoder(ecg, available), encoder(ecg[..., :-3], available)]
    for got, one in zip(computed, expected, strict=True):
        torch.testing.assert_close(got, one, rtol=0, atol=1e-6)


@pytest.mark.slow
@few_leads
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:To copy construct:UserWarning")  # of torch
def test_it_is_made_into_machine_code(capfd) -> None:
    vectors, encoder = read_vectors(TINY / folder.VECTORS), pytorch.load(TINY)
    given = torch.tensor(vectors.ecg), torch.tensor(vectors.available)
    with torch.no_grad():
        got = torch.compile(encoder, fullgraph=True)(*given)
        torch.testing.assert_close(got, encoder(*given), rtol=0, atol=1e-5)
    assert capfd.readouterr() == ("", "")


def similarity(one, other):
    """Cosine of each row with each row."""
    return torch.nn.functional.cosine_similarity(one.double(), other.double(), dim=1).min()


@few_leads
@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.9999), (torch.bfloat16, 0.998)])
def test_it_is_computed_in_half_precision(encoder, given, dtype, least) -> None:
    """Whole, as the head behind it is; or by autocast, where parameters and embeddings stay float32."""
    expected = encoder(*given)
    with torch.autocast("cpu", dtype=dtype):
        mixed = encoder(*given)
    whole = encoder.to(dtype)(*given)
    assert (mixed.dtype, whole.dtype) == (torch.float32, dtype)
    assert similarity(mixed, expected) > least
    assert similarity(whole, expected) > least


@few_leads
def test_in_double_precision_it_is_the_same(encoder, given) -> None:
    expected = encoder(*given)
    got = encoder.double()(*given)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got.float(), expected, rtol=0, atol=1e-4)


def test_autocast_leaves_the_limb_leads_and_the_scale_alone(encoder, given) -> None:
    ecg, available = given
    expected = encoder.normalise(ecg, available)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = encoder.normalise(ecg, available)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_flat_recording_has_finite_gradients(encoder) -> None:
    """Of what is before the encoder: the scale of what is flat is bounded, and so is its slope."""
    encoder.network = encoder.network | {"voltage": False}  # divided by its own scale
    ecg = torch.zeros(2, 12, CROP, requires_grad=True)
    encoder(ecg).square().sum().backward()
    assert ecg.grad.isfinite().all()


@few_leads
def test_copies_and_state_dicts_give_the_same(encoder, given, made_of_each_pooling) -> None:
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(1.1)
    expected, file = encoder(*given), io.BytesIO()
    torch.save(encoder.state_dict(), file)
    file.seek(0)
    loaded = copy.deepcopy(next(one for one in made_of_each_pooling if one.width == encoder.width))
    assert (loaded(*given) - expected).abs().max() > 1e-3
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for same in (loaded, copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        torch.testing.assert_close(same(*given), expected, rtol=0, atol=0)


def test_a_state_dict_of_before_is_read(encoder) -> None:
    """When all layers were one parameter; within a model of the user's too."""
    state = encoder.state_dict()
    names = {name.removeprefix("layers.0.parts.") for name in state if name.startswith("layers.0.")}
    before = {f"0.{name}": x + 1 for name, x in state.items() if not name.startswith("layers.")}
    for name in names:
        layers = [state[f"layers.{layer}.parts.{name}"] + 1 for layer in range(len(encoder.layers))]
        before[f"0.parts.encoder_stack/layers/{name}"] = torch.stack(layers)
    model = torch.nn.Sequential(copy.deepcopy(encoder))
    model.load_state_dict(before)
    for name, x in model[0].state_dict().items():
        torch.testing.assert_close(x, state[name] + 1, rtol=0, atol=0)
    assert len(names) == 12
    model.load_state_dict(before, assign=True)  # each has its own memory, as what saves it asks for
    for x in model.state_dict().values():
        assert x.untyped_storage().nbytes() == x.numel() * x.element_size()


def test_each_layer_has_a_rate_of_its_own(encoder, given) -> None:
    rates = [0.0, 1.0]
    groups = [
        {"params": each.parameters(), "lr": rate} for each, rate in zip(encoder.layers, rates, strict=True)
    ]
    optimizer = torch.optim.SGD([*groups, {"params": encoder.parts.parameters(), "lr": 0.0}], lr=0.0)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(encoder.parameters()))
    before = copy.deepcopy(encoder.state_dict())
    encoder.train()(*given).square().sum().backward()
    optimizer.step()
    changed = {name for name, x in encoder.state_dict().items() if not torch.equal(x, before[name])}
    assert changed
    assert all(name.startswith("layers.1.") for name in changed)


def test_activations_computed_again_give_the_same_gradients(encoder, given) -> None:
    gradients = []
    for again in (False, True):
        encoder.train().zero_grad()
        call = (encoder, *given)
        one = torch.utils.checkpoint.checkpoint(*call, use_reentrant=False) if again else encoder(*given)
        one.square().sum().backward()
        gradients.append({name: x.grad.clone() for name, x in encoder.named_parameters()})
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, rtol=1e-4, atol=1e-5, msg=name)


@few_leads
def test_it_is_exported_for_any_number_of_recordings(made_of_each_pooling, given) -> None:
    encoder, batch = made_of_each_pooling[POOLINGS.index("recording")], torch.export.Dim("batch")
    program = torch.export.export(encoder, given, dynamic_shapes=({0: batch}, {0: batch}))
    for rows in (slice(None), slice(1, 3)):
        some = tuple(x[rows] for x in given)
        torch.testing.assert_close(program.module()(*some), encoder(*some), rtol=0, atol=1e-5)


@pytest.mark.slow  # that it can be exported at all is shown by torch.export above
@few_leads
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Constant folding:UserWarning")  # of torch
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_it_is_written_as_onnx(encoder, given) -> None:
    pytest.importorskip("onnx", reason="pip install 'coreecg-jax[onnx]'")
    runtime = pytest.importorskip("onnxruntime", reason="pip install 'coreecg-jax[onnx]'")
    file, axes = io.BytesIO(), {"ecg": {0: "batch"}, "available": {0: "batch"}}
    torch.onnx.export(encoder, given, file, dynamo=False, input_names=list(axes), dynamic_axes=axes)
    session = runtime.InferenceSession(file.getvalue())
    for rows in (slice(None), slice(1, 3)):
        ecg, available = (x[rows] for x in given)
        (got,) = session.run(None, {"ecg": ecg.numpy(), "available": available.numpy()})
        np.testing.assert_allclose(got, encoder(ecg, available).detach().numpy(), atol=1e-4)
