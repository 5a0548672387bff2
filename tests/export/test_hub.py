"""Bundles from a hub: the package is asked for the files that are read, and gives plain ones."""

import shutil
import sys
import types

import pytest

import coreecg_jax
from coreecg_jax.export.hub import CACHE
from coreecg_jax.export.refusal import MissingPackage


def test_a_bundle_comes_from_a_hub(written, bundle, tmp_path, monkeypatch) -> None:
    asked = []

    def snapshot_download(repository, *, revision, local_dir, allow_patterns):
        asked.append((repository, revision, sorted(allow_patterns)))
        for name in allow_patterns:
            local_dir.mkdir(parents=True, exist_ok=True)
            shutil.copy(written / name, local_dir)

    package = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    monkeypatch.setenv(CACHE, str(tmp_path))
    assert coreecg_jax.load("hf://lab/ecg-s").description == bundle.description
    assert coreecg_jax.load("hf://lab/ecg-s@v1.0").description == bundle.description
    files = ["SHA256SUMS", "config.json", "model.safetensors"]
    assert asked == [("lab/ecg-s", "main", files), ("lab/ecg-s", "v1.0", files)]
    assert sorted(path.name for path in (tmp_path / "lab--ecg-s").iterdir()) == ["main", "v1.0"]


def test_names_are_names(monkeypatch) -> None:
    for wrong in ("hf://lab", "hf://../x", "hf://lab/x/y", "hf://lab/x@../../y", "hf://lab/.."):
        with pytest.raises(ValueError, match="expected hf://ORGANISATION/NAME"):
            coreecg_jax.load(wrong)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackage, match=r"coreecg-jax\[hub\]"):
        coreecg_jax.load("hf://lab/x")
