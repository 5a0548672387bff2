"""How the cost of a training step grows with batch, tokens and devices: a table, and one plot.

python -m benchmarks.growth --out=docs/growth.png
The network is a small one, so that thousands of recordings fit on a CPU; what grows is the shape of the work.
Devices are simulated ones of a CPU, which share its cores; elsewhere they are left out.
"""

import concurrent.futures
import datetime
import multiprocessing
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
from absl import app, flags
from matplotlib.figure import Figure

from benchmarks import machine
from benchmarks.table import HEAD, failed, isolated, measured, printed
from benchmarks.train_step import RATE, first_step
from coreecg_jax.figures.style import COLOURS, bare
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.records.leads import LEADS

NAME = "growth"
PATCH, REPEATS = 50, 3
# (recordings, columns of tokens, devices) of each panel; one thing grows in each.
BATCHES = tuple((batch, 12, 1) for batch in (64, 256, 1024, 4096))
TOKENS = tuple((64, columns, 1) for columns in (12, 25, 37, 50))
DEVICES = tuple((64, 25, devices) for devices in (1, 2, 4, 8))
PANELS = {"recordings a batch": (BATCHES, 0), "tokens": (TOKENS, 1), "devices (simulated)": (DEVICES, 2)}

Setting = tuple[int, int, int]

_OUT = flags.DEFINE_string("out", None, "Where the plot is written; none without.")
_LARGEST = flags.DEFINE_integer("largest", 4096, "Batches above are left out.", lower_bound=64)


def objective_of(columns: int) -> Objective:
    """The method on crops of so many columns, with a network of width 32 and one layer a stack."""
    network = CoReECG(PATCH, 32, 1, 1, 32, 1, 1, projection=32)
    return Objective(network, PATCH * columns, float(RATE))


def seconds_of(batch: int, columns: int, devices: int) -> list[float]:
    """Of each repeat of a step, after one that compiles; in a process of its own, as it sets the devices."""
    if devices > 1:
        jax.config.update("jax_num_cpu_devices", devices)
    step, state, given = first_step(objective_of(columns), batch)
    state, _ = jax.block_until_ready(step(state, given))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, given))
        seconds.append(time.perf_counter() - start)
    return seconds


def drawn(seconds: Mapping[Setting, Sequence[float]]) -> Figure:
    """Milliseconds of a recording over each of what grows: medians, and the range of the repeats."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots(1, len(PANELS))
    for panel, (title, (settings, grows)) in zip(axes, PANELS.items()):
        there = [setting for setting in settings if setting in seconds]
        x = [setting[grows] * (len(LEADS) if grows == 1 else 1) for setting in there]
        each = [[1000 * value / setting[0] for value in seconds[setting]] for setting in there]
        middle = [statistics.median(values) for values in each]
        below = [value - min(values) for value, values in zip(middle, each)]
        above = [max(values) - value for value, values in zip(middle, each)]
        bare(panel, f"over {title}")
        panel.errorbar(x, middle, (below, above), color=COLOURS[0], marker="o", markersize=4, capsize=3)
        panel.set_xscale("log", base=2)
        panel.set_xticks(x, [f"{value:,}" for value in x])
        panel.minorticks_off()
        panel.set_ylim(bottom=0)
    axes[0].set_ylabel("ms a recording")
    return figure


def main(argv: Sequence[str]) -> None:
    """Prints each row as it comes, then draws."""
    del argv
    (device,) = isolated("device", "", "machine", "device")
    print(f"{datetime.date.today()}, {machine.describe(device.result)}\n\n{HEAD}", flush=True)
    seconds: dict[Setting, list[float]] = {}
    any_failed = False
    for setting in dict.fromkeys((*BATCHES, *TOKENS, *DEVICES)):
        if setting[0] > _LARGEST.value or (setting[2] > 1 and "cpu" not in device.result):
            continue
        batch, columns, devices = setting
        about = f"batch {batch}, {len(LEADS) * columns} tokens, {devices} device{'s' if devices > 1 else ''}"
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                seconds[setting] = pool.submit(seconds_of, *setting).result()
            except Exception as error:  # the others may still be had
                any_failed |= printed([failed(NAME, about, error)])
                continue
        each = [1000 * value / batch for value in seconds[setting]]
        printed([measured(NAME, about, each, "ms a recording", digits=1)])
    if _OUT.value:
        drawn(seconds).savefig(Path(_OUT.value), dpi=150)
    sys.exit(any_failed)


if __name__ == "__main__":
    app.run(main)
