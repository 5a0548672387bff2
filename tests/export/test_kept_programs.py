"""What one process traced another need not trace, and nothing is computed by another program."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coreecg_jax.export import kept_programs, programs
from coreecg_jax.export.kept_programs import ENDING, FOLDER, KeptProgram
from coreecg_jax.method import representation

X = np.arange(6, dtype=np.float32).reshape(2, 3)
TREE = {"weights": np.float32(3.0), "stack": [np.ones(3, np.float32), None]}


@pytest.fixture
def cache(tmp_path):
    """Where jax is told to keep what it compiles; the folder of traced programs in it."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path / FOLDER
    jax.config.update("jax_compilation_cache_dir", before)


class Traced:
    """A function that counts how often it is traced."""

    def __init__(self):
        self.times = 0

    def __call__(self, tree, x):
        self.times += 1
        return jnp.tanh(x * tree["weights"] + tree["stack"][0][None])

    def in_a_new_process(self, about="it"):
        """As another process of this machine would have it."""
        return KeptProgram(jax.jit(self.__call__), about)


def expected(x=X):
    return np.tanh(x * 3.0 + 1.0)


def test_what_was_traced_once_is_not_traced_again(cache) -> None:
    traced = Traced()
    first = traced.in_a_new_process()(TREE, X)
    assert traced.times == 1
    kept = traced.in_a_new_process()
    again = kept(TREE, X)
    kept(TREE, X + 1)
    assert traced.times == 1
    assert np.asarray(first).tobytes() == np.asarray(again).tobytes()
    np.testing.assert_allclose(again, expected(), rtol=1e-5)
    assert len(list(cache.iterdir())) == 1


def test_to_compile_it_is_to_compute_nothing_and_to_trace_it_once(cache) -> None:
    traced = Traced()
    kept = traced.in_a_new_process()
    kept.compile(TREE, jax.ShapeDtypeStruct(X.shape, X.dtype))
    np.testing.assert_allclose(kept(TREE, X), expected(), rtol=1e-5)
    assert traced.times == 1


def test_other_shapes_types_settings_and_functions_are_other_programs(cache) -> None:
    traced = Traced()
    traced.in_a_new_process()(TREE, X)
    np.testing.assert_allclose(traced.in_a_new_process()(TREE, X[:1]), expected(X[:1]), rtol=1e-5)
    assert traced.times == 2
    traced.in_a_new_process()(TREE, X.astype(np.int32))
    assert traced.times == 3
    traced.in_a_new_process("another")(TREE, X)
    assert traced.times == 4
    one = traced.in_a_new_process()
    with jax.default_matmul_precision("float32"):
        one(TREE, X)
    assert traced.times == 5
    one(TREE, X)
    assert traced.times == 5
    assert len(list(cache.iterdir())) == 5


def test_another_code_is_another_program(cache, monkeypatch) -> None:
    """Whatever lies on the disk, and whoever changed what is loaded."""
    traced = Traced()
    traced.in_a_new_process()(TREE, X)
    pool = representation.pool
    monkeypatch.setattr(representation, "pool", lambda *arguments: pool(*arguments))
    traced.in_a_new_process()(TREE, X)
    assert traced.times == 2
    monkeypatch.undo()
    jax.config.update("jax_compilation_cache_dir", str(cache.parent))
    traced.in_a_new_process()(TREE, X)
    assert traced.times == 2


def test_under_a_mesh_nothing_is_kept(cache) -> None:
    """A program for four devices would be used where there is one."""
    traced = Traced()
    with jax.set_mesh(jax.make_mesh((4,), ("x",))):
        np.testing.assert_allclose(traced.in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert not cache.exists()
    np.testing.assert_allclose(traced.in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert traced.times == 2


def test_what_cannot_be_kept_is_used_as_it_is(cache, monkeypatch) -> None:
    monkeypatch.setattr(jax.export, "export", lambda function: 1 / 0)
    np.testing.assert_allclose(Traced().in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert not cache.exists()


def test_a_mistake_is_told_as_by_the_function(cache) -> None:
    with pytest.raises(TypeError, match="incompatible shapes"):
        Traced().in_a_new_process()(TREE, X[:, :2])
    assert not cache.exists()


@pytest.mark.parametrize("here", [OSError(30, "Read-only file system"), None])
def test_a_folder_that_is_read_only_is_read(cache, monkeypatch, here) -> None:
    traced = Traced()
    traced.in_a_new_process()(TREE, X)

    def touch(file):
        if here:
            raise here

    monkeypatch.setattr(os, "utime", touch)
    np.testing.assert_allclose(traced.in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert traced.times == 1


def test_others_who_share_the_folder_may_read_it(cache) -> None:
    umask = os.umask(0o022)
    try:
        Traced().in_a_new_process()(TREE, X)
    finally:
        os.umask(umask)
    (file,) = cache.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644


def test_what_others_write_and_remove_meanwhile_is_nothing_to_tell(cache, monkeypatch) -> None:
    """A warning would be an error."""
    monkeypatch.setattr(kept_programs, "MOST", 1)
    traced, glob = Traced(), Path.glob
    gone = cache / f"gone{ENDING}"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [*glob(folder, pattern), gone])
    for number in range(3):
        traced.in_a_new_process(str(number))(TREE, X)
        (cache / "other.7.7.part").write_bytes(b"half of one")
    assert {file.suffix for file in cache.iterdir()} == {ENDING, ".part"}
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty"])
def test_a_damaged_file_is_written_again(cache, damage) -> None:
    traced = Traced()
    traced.in_a_new_process()(TREE, X)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    there = {"a bit": whole[:-1] + bytes([whole[-1] ^ 1]), "cut off": whole[: len(whole) // 2], "empty": b""}
    file.write_bytes(there[damage])
    np.testing.assert_allclose(traced.in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert traced.times == 2
    traced.in_a_new_process()(TREE, X)
    assert traced.times == 2


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(tmp_path, cache) -> None:
    cache.write_text("a file in its place")
    with pytest.warns(UserWarning, match="expected to keep a traced program there"):
        np.testing.assert_allclose(Traced().in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == [FOLDER]


def test_the_programs_used_longest_ago_go_first(cache, monkeypatch) -> None:
    monkeypatch.setattr(kept_programs, "MOST", 2)
    traced = Traced()
    for number in range(2):
        traced.in_a_new_process(str(number))(TREE, X)
    for file in cache.iterdir():
        os.utime(file, (0, 0))
    traced.in_a_new_process("0")(TREE, X)  # which was used just now
    traced.in_a_new_process("2")(TREE, X)
    assert traced.times == 3
    traced.in_a_new_process("0")(TREE, X)
    assert traced.times == 3
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [("jax_compilation_cache_dir", None), ("jax_enable_compilation_cache", False), ("jax_disable_jit", True)],
)
def test_where_jax_keeps_nothing_nothing_is_kept(cache, setting, value) -> None:
    before, traced = getattr(jax.config, setting), Traced()
    jax.config.update(setting, value)
    try:
        kept = traced.in_a_new_process()
        np.testing.assert_allclose(kept(TREE, X), expected(), rtol=1e-5)
    finally:
        jax.config.update(setting, before)
    assert traced.times == 1
    assert not cache.exists()


@pytest.mark.parametrize("missing", ["cpu", "flatbuffers"])
def test_elsewhere_the_function_is_used_as_it_is(cache, monkeypatch, missing) -> None:
    if missing == "cpu":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    else:
        monkeypatch.setattr(kept_programs.importlib.util, "find_spec", lambda name: None)
    np.testing.assert_allclose(Traced().in_a_new_process()(TREE, X), expected(), rtol=1e-5)
    assert not cache.exists()


def test_a_bundle_embeds_alike_by_a_program_that_was_kept(cache, bundle, ecg) -> None:
    """Traced here, traced by another and read, and as if nothing were kept: the same to the bit."""
    embeddings = []
    for kept in (True, True, False):
        programs.embedding.cache_clear()  # as in a new process
        jax.config.update("jax_enable_compilation_cache", kept)
        embeddings.append(bundle.embed(ecg, fs=500).tobytes())
        assert len(list(cache.iterdir())) == 1
    jax.config.update("jax_enable_compilation_cache", True)
    programs.embedding.cache_clear()
    assert len(set(embeddings)) == 1
