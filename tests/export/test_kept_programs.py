"""What one process traced another need not trace, and nothing is computed by another program."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import coreecg_jax
from coreecg_jax.export import kept_programs, programs
from coreecg_jax.export.kept_programs import FOLDER, KeptProgram

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


def test_a_changed_source_is_another_program(cache, tmp_path, monkeypatch) -> None:
    traced, package = Traced(), tmp_path / "package"
    package.mkdir()
    for name in ("__init__.py", "other.py"):
        (package / name).write_text("one = 1\n")
    monkeypatch.setattr(coreecg_jax, "__file__", str(package / "__init__.py"))
    for text, times in (("one = 1\n", 1), ("one = 1\n", 1), ("one = 2\n", 2), ("one = 1\n", 2)):
        (package / "other.py").write_text(text)
        kept_programs._versions.cache_clear()
        traced.in_a_new_process()(TREE, X)
        assert traced.times == times
    kept_programs._versions.cache_clear()


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
