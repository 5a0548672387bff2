"""Fixtures that every room uses."""

import gc
import os
from pathlib import Path

import pytest

# Set before jax is imported, and for what tests start: compiling takes most of their time, and half of that
# is optimising programs that run once.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's newer way to compile fused operations on a CPU goes through MLIR; the older takes half the time. Code
# made in one part takes a fifth less than in many parts, which pay where more cores wait for it.
for flag in ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1"):
    if flag.partition("=")[0] not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"
# The workers are the parallelism; threads that wait for work they never get spin, and take a core from them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is compiled once serves both workers and what tests start, small programs too; kept where make has it,
# not in the user's own cache, to which launchers turn without this.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

# Traced programs are millions of objects that stay; to look through them again and again took a sixteenth of
# the time.
gc.set_threshold(100_000, 50, 100)

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
