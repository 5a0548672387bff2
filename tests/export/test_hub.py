"""Bundles from a hub: the package is asked for the files that are read, and gives plain ones."""

import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

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
    assert coreecg_jax.load("hf://lab/ecg-s@refs/pr/1").description == bundle.description
    files, revisions = ["SHA256SUMS", "config.json", "model.safetensors"], ["main", "v1.0", "refs/pr/1"]
    assert asked == [("lab/ecg-s", revision, files) for revision in revisions]
    folders = sorted(path.name for path in (tmp_path / "lab--ecg-s").iterdir())
    assert folders == ["main", "refs%2Fpr%2F1", "v1.0"]


def test_the_hub_reads_the_card(written) -> None:
    """Front matter as the hub's package understands it; `other` needs a name and a file of the bundle."""
    hub = pytest.importorskip("huggingface_hub", reason="pip install 'coreecg-jax[hub]'")
    card = hub.ModelCard.load(written / "README.md")
    said = card.data.to_dict()
    assert (said["license"], said["library_name"]) == ("other", "coreecg-jax")
    assert re.fullmatch("[a-z-]+", said["license_name"])
    assert (written / said["license_link"]).is_file()
    assert said["pipeline_tag"] == "feature-extraction"
    assert "ecg" in said["tags"]
    assert card.text.startswith("# A CoRe-ECG encoder")


def test_the_package_of_the_hub_downloads_a_bundle(written, tmp_path) -> None:
    """The real package against a hub of this machine, which is gone in the end: what was loaded still is."""
    pytest.importorskip("huggingface_hub", reason="pip install 'coreecg-jax[hub]'")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), CACHE: str(tmp_path / "cache")}
    environment |= {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, str(Path(__file__).parent / "made_hub.py"), str(written)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["main 7", "refs/pr/1 7", "gone 7", "never there: FileNotFoundError"]
    downloaded = tmp_path / "cache" / "lab--ecg-s" / "refs%2Fpr%2F1"
    names = {path.name for path in downloaded.iterdir() if path.is_file()}
    assert names == {"SHA256SUMS", "config.json", "model.safetensors"}


def test_names_are_names(monkeypatch) -> None:
    for wrong in (
        "hf://lab",
        "hf://../x",
        "hf://lab/x/y",
        "hf://lab/x@../../y",
        "hf://lab/x@a/../b",
        "hf://lab/x@/a",
        "hf://lab/x@a/",
        "hf://lab/..",
    ):
        with pytest.raises(ValueError, match="expected hf://ORGANISATION/NAME"):
            coreecg_jax.load(wrong)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackage, match=r"coreecg-jax\[hub\]"):
        coreecg_jax.load("hf://lab/x")
