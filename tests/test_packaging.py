"""`pip install .` gives the library, the configs, the launchers and the label tables, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("coreecg_jax", "configs", "launch")
RELEASED = (
    "LICENSE",
    "MODEL_CARD.md",
    "README.md",
    "SHA256SUMS",
    "config.json",
    "model.safetensors",
    "test_vectors.npz",
)
BESIDE = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built offline from a copy: building leaves folders in the tree."""
    tree, out = (tmp_path_factory.mktemp(name) for name in ("tree", "wheel"))
    for name in (*PACKAGES, "tests", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", f"--wheel-dir={out}", str(tree)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_label_table_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for pattern in ("*.py", "*.csv")
        for path in (ROOT / package).rglob(pattern)
    }
    released = {f"coreecg_jax/export/released/{name}" for name in RELEASED}
    assert held == expected | released
    assert "coreecg_jax/records/labels/ptbxl_superclass.csv" in held


def test_the_wheel_offers_the_extras_that_are_told(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    extras = {line.removeprefix("Provides-Extra: ") for line in lines if line.startswith("Provides-Extra: ")}
    assert extras == {"gpu", "tpu", "torch", "onnx", "hub", "formats", "beam", "dev"}
    assert "Requires-Python: >=3.11" in lines


def test_requirements_are_locked_to_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text(encoding="utf-8").lower().replace("_", "-").splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    assert pins("requirements.txt") <= pins("requirements.lock")
