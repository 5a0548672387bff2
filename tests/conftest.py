"""Fixtures that every room uses."""

import os
from pathlib import Path

import pytest

# Set before jax is imported, and for what tests start: compiling takes most of their time, and half of that
# is optimising programs that run once.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

_ROOT = Path(__file__).parents[1]
_REAL_ECG = Path(os.environ.get("COREECG_REAL_ECG", _ROOT.parent / "shared" / "ecg"))


@pytest.fixture(scope="session")
def real_ecg() -> Path:
    """Folder of real recordings (one folder a database), or the test is skipped."""
    if not (_REAL_ECG / "index.csv").is_file():
        pytest.skip(f"no real recordings at {_REAL_ECG}: set COREECG_REAL_ECG to a folder that has them")
    return _REAL_ECG


def pytest_configure(config: pytest.Config) -> None:
    """Eight CPU devices for all tests, so that data parallelism is tested everywhere."""
    import jax

    jax.config.update("jax_num_cpu_devices", 8)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
