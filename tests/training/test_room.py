import jax
import numpy as np
import pytest
from made_runs import tiny_config

from coreecg_jax.training import estimate, feeds, loop
from coreecg_jax.training.room import DeviceFull, fullness_told

FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8589934592 bytes.\nBufferAssignment: …"
SENTENCE = (
    r"^expected the run to fit into the memory of its devices, got 'RESOURCE_EXHAUSTED: Out of memory while "
    r"trying to allocate 8589934592 bytes\.'; lower data\.batch_size or data\.validation_batch_size, take "
    r"more devices or raise run\.fsdp, or set run\.remat to 'dots' or 'all', which keeps less for the "
    r"gradient; with data\.placement=device the windows of training lie there too: data\.placement=host "
    r"\(with run\.steps_per_dispatch=1 and without data\.packed\) streams them$"
)


def full(*args, **kwargs):
    raise jax.errors.JaxRuntimeError(FULL)


def test_a_step_that_finds_no_room_is_one_sentence(root, tmp_path, monkeypatch):
    monkeypatch.setattr(feeds, "make_train_step", lambda *args, **kwargs: full)
    monkeypatch.setattr(loop, "_validator", lambda *args: None)
    with pytest.raises(DeviceFull, match=SENTENCE):
        loop.train(tiny_config({"data.root": str(root)}), tmp_path / "run")


def test_a_dry_run_whose_step_does_not_compile_for_want_of_room_says_the_same(root, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "make_train_step", full)
    with pytest.raises(DeviceFull, match=SENTENCE):
        estimate.estimate(tiny_config({"data.root": str(root)}), tmp_path / "run")


def test_what_a_device_really_says_is_known():
    with pytest.raises(DeviceFull, match=r"got 'RESOURCE_EXHAUSTED: Out of memory"), fullness_told():
        jax.block_until_ready(jax.numpy.zeros(2**46, np.float32))


@pytest.mark.parametrize("error", [jax.errors.JaxRuntimeError("INTERNAL: a bug"), ValueError("RESOURCE")])
def test_other_errors_stay_as_they_are(error):
    with pytest.raises(type(error)) as raised, fullness_told():
        raise error
    assert raised.value is error
