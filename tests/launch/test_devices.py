"""On what a run computes is told at its start, and devices that are not there do not become a CPU unseen."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made_launches import launched

ROOT = Path(__file__).parents[2]
MADE, CONFIG = "tests.launch.made_pretraining", "--config=configs/tiny.py"
# Two in one process: a backend that could not be started is asked for anew.
ASKED = """
import jax
from configs import tiny
from launch import devices
from launch.device_mistakes import device_mistake

for platform in ("cuda", "nonesuch"):
    jax.config.update("jax_platforms", platform)
    try:
        print(devices.described(tiny.get_config()))
    except ValueError as error:
        print(error)
    try:
        jax.numpy.zeros(3) + 1
    except (RuntimeError, AssertionError) as error:
        print(device_mistake(error))
"""
WARNING = """
import logging
{early}
from launch.shell import run_main

def main(argv):
    logging.getLogger("jax._src.xla_bridge").warning("Falling back to cpu.")
    logging.getLogger("jax._src.dispatch").info("a program was compiled")
    logging.getLogger("orbax").warning("saved, by the way")

run_main(main)
"""


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="an NVIDIA device is here")
def test_devices_that_are_asked_for_and_not_there_are_a_mistake() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], cwd=ROOT, capture_output=True, text=True, check=True)
    cuda, cuda_later, other, other_later = done.stdout.splitlines()
    assert (cuda_later, other_later) == (cuda, other)  # in a launcher that did not look before
    assert cuda.startswith("no device to compute on with JAX_PLATFORMS=cuda (there is none): look at the ")
    assert other.startswith("no device to compute on with JAX_PLATFORMS=nonesuch (Unable to initialize ")


@pytest.mark.parametrize("early", ["", "import jax"])
def test_what_jax_warns_of_is_heard_and_other_libraries_are_not(early: str) -> None:
    unset = {name: value for name, value in os.environ.items() if name != "JAX_LOGGING_LEVEL"}
    command = [sys.executable, "-c", WARNING.format(early=early)]
    done = subprocess.run(command, cwd=ROOT, env=unset, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"W.* Falling back to cpu\.\n", done.stderr)


def test_a_run_says_what_it_computes_on(tmp_path: Path) -> None:
    done = launched(MADE, CONFIG, f"--workdir={tmp_path}")
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[0]
    assert re.fullmatch(r"devices: \d+ x cpu \(cpu\), 1 process, float32", first)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--dry_run"]])
def test_of_several_processes_the_first_alone_speaks(tmp_path: Path, flags: list[str]) -> None:
    arguments = [CONFIG, f"--workdir={tmp_path}", "--distributed", *flags]
    said = [launched(MADE, *arguments, MADE_PROCESS=number) for number in ("0", "1")]
    assert [done.returncode for done in said] == [0, 0]
    assert said[0].stdout.splitlines()[-1].startswith("needs" if flags else "next: ")
    assert said[1].stdout == ""
