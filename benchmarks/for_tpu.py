"""Compiles the train step for a TPU slice that is not here, and says what memory each device would need and
what devices would send each other.

python -m benchmarks.for_tpu [--topology=v5e:4x4] [--size=S] [--recordings=128] [--remat=dots] [--fsdp=1]
Needs the package libtpu and no TPU. Nothing is run: of speed and results it says nothing.
"""

import dataclasses
import datetime
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
from absl import app, flags
from jax.experimental import topologies

from benchmarks import machine
from benchmarks.collectives import collectives
from benchmarks.table import HEAD, Row, printed
from benchmarks.train_step import CROP_SAMPLES, PATCH, RATE, SIZES, batch_of, optimizer_of, shape_of
from coreecg_jax.method.machine import portable
from coreecg_jax.method.network import CoReECG
from coreecg_jax.method.objective import Objective
from coreecg_jax.training.mesh import place
from coreecg_jax.training.state import init_state
from coreecg_jax.training.step import make_train_step

NAME = "for TPU"
# libtpu shall ask no cloud what it runs on.
NOWHERE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-16",
    "TPU_WORKER_HOSTNAMES": "localhost",
}

_TOPOLOGY = flags.DEFINE_string("topology", "v5e:4x4", "As libtpu names it: kind and shape of the slice.")
_SIZE = flags.DEFINE_enum("size", "S", list(SIZES), "Of the network.")
_RECORDINGS = flags.DEFINE_integer("recordings", 128, "Of a batch, on each device.")
_REMAT = flags.DEFINE_enum("remat", "dots", ["none", "dots", "all"], "As run.remat.")
_FSDP = flags.DEFINE_integer("fsdp", 1, "As run.fsdp.")


def rows(topology: str, size: str, recordings: int, remat: str, fsdp: int) -> list[Row]:
    """Seconds to compile, and bytes on each device: state and batch, what the step takes besides, and what
    is gathered and reduced."""
    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices
    placement, optimizer = place(devices=devices, fsdp=fsdp), optimizer_of()
    network = CoReECG(patch=PATCH, dtype="bfloat16", **shape_of(SIZES[size]))
    objective = dataclasses.replace(Objective(network, CROP_SAMPLES, float(RATE)), remat=remat)
    with portable():
        state = jax.eval_shape(lambda: init_state(objective, optimizer, jax.random.key(0)))
        step: Any = make_train_step(
            objective, optimizer, seed=0, placement=placement, of_state=placement.of_state(state)
        )
        batch = jax.tree.map(
            lambda one: jax.ShapeDtypeStruct((recordings * len(devices), *one.shape[1:]), one.dtype),
            batch_of(1),
        )
        start = time.perf_counter()
        compiled = step.lower(state, batch).compile()
    seconds, memory = time.perf_counter() - start, compiled.memory_analysis()
    setting = f"{topology}, {size}, bfloat16, {recordings} recordings a device, remat {remat}, fsdp {fsdp}"
    figures = {
        "compiled": f"{seconds:.0f} s",
        "state and batch": f"{memory.argument_size_in_bytes / 1e9:.2f} GB a device",
        "besides, in the step": f"{memory.temp_size_in_bytes / 1e9:.2f} GB a device",
    }
    for kind, (count, size_in_bytes) in collectives(compiled.as_text()).items():
        figures[f"{kind}, a loop once"] = f"{count}: {size_in_bytes / 1e6:.1f} MB"
    return [Row(NAME, f"{setting}, {what}", figure) for what, figure in figures.items()]


def main(argv: Sequence[str]) -> None:
    """Prints one Markdown table."""
    del argv
    for name, value in NOWHERE.items():
        os.environ.setdefault(name, value)
    jax.config.update("jax_platforms", "cpu")  # else jax would look for a TPU where libtpu is
    print(f"{datetime.date.today()}, {machine.describe('none, compiled for a TPU')}\n\n{HEAD}", flush=True)
    sys.exit(printed(rows(_TOPOLOGY.value, _SIZE.value, _RECORDINGS.value, _REMAT.value, _FSDP.value)))


if __name__ == "__main__":
    app.run(main)
