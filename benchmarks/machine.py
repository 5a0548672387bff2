"""On what was measured: one line for the machine, one for the versions."""

import importlib.metadata
import os
import platform
import resource
import sys
from pathlib import Path

from benchmarks.table import Row

PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "tensorflow-cpu", "tensorflow", "wfdb")


def describe(device: str) -> str:
    """CPU, cores, memory, device, interpreter and packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version}" for name, version in _versions().items())
    load = os.getloadavg()[0]  # of the last minute: above 0 others were at work, too
    return (
        f"{_cpu_model()}, {cores()} cores, {memory:.0f} GiB; device: {device}; load {load:.1f}\n"
        f"Python {platform.python_version()}, {versions}"
    )


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory(children: bool = False) -> str:
    """'312 MB': the most that this process, or the largest of its processes that ended, had in memory."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return f"{usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024) / 1e6:,.0f} MB"


def cpu_seconds() -> float:
    """CPU time of this process and of its processes that ended: says more than a clock on a busy machine."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def device() -> list[Row]:
    """What jax computes on, as the result of a row."""
    import jax

    told = f"{jax.device_count()} x {jax.devices()[0].device_kind} ({jax.default_backend()})"
    return [Row("device", "", told)]


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
