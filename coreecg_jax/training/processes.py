"""Several processes as one run, joined by `jax.distributed`: one a host, or one an accelerator.

All walk through the same program and meet in its collectives: what one decides alone, from a file or a clock,
it must hear from the first, or the others wait for it without end. With one process nothing here costs
anything.
"""

import contextlib
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Callable, Generator
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from coreecg_jax.inputs.together import Processes
from coreecg_jax.training.room import is_device_full

Result = TypeVar("Result")

# A process that ends alone takes the others with it after so many seconds: the first where it said goodbye,
# the second where it is gone.
_GOODBYE_SECONDS, _HEARTBEAT_SECONDS = 30, 60
_MISTAKE, _BUG = 2, 1  # exit statuses (docs/running.md)
_FIRST_WAITS_SECONDS = 5
_ASKED_AGAIN_SECONDS = 0.5
_LEAST_TEXT = 4096  # bytes
_START_SECONDS = 300  # within which all have to be there; jax has the same


def join(
    *,
    coordinator_address: str | None = None,
    process_id: int | None = None,
    num_processes: int | None = None,
    start_seconds: int = _START_SECONDS,
) -> None:
    """Joins the processes of a run, before jax is used; without arguments as the cluster's environment says
    (TPU pods, SLURM, Open MPI, Kubernetes: jax knows them).

    Args:
      coordinator_address: 'host:port' of process 0, the same for all.
      process_id: of this process, from 0.
      num_processes: in all.
      start_seconds: how long to wait for process 0 to listen, and then for all to be there.

    Where process 0 is found and not all processes come within the time, or two have one number, jax does not
    raise: it aborts each that is there (status 134), with 'DEADLINE_EXCEEDED' and a stack of C++.

    Raises:
      ValueError: when only some are given, no cluster is recognised, process 0 cannot listen on its port, or
        nobody listens at `coordinator_address`.
    """
    given = {
        "--coordinator_address": coordinator_address,
        "--process_id": process_id,
        "--num_processes": num_processes,
    }
    missing = [name for name, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise ValueError(
            f"expected {', '.join(given)} together, got no {' and no '.join(missing)}; where the cluster "
            "tells them, give --distributed alone"
        )
    if process_id is not None and num_processes is not None and not 0 <= process_id < num_processes:
        raise ValueError(
            f"--process_id: expected less than --num_processes = {num_processes}, got {process_id}"
        )
    if coordinator_address is not None:
        host, port = _host_and_port(coordinator_address)
        if process_id == 0:
            _require_free(port)
        elif not _answers(host, port, start_seconds):
            raise ValueError(
                f"--coordinator_address: nobody listens on {coordinator_address} after {start_seconds} s; "
                "look whether process 0 runs, was given this address too, and can be reached from here"
            )
    try:
        jax.distributed.initialize(
            coordinator_address,
            num_processes,
            process_id,
            cluster_detection_method=None if missing else "deactivate",
            initialization_timeout=start_seconds,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=_GOODBYE_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        told = "no cluster that jax knows" if missing else f"{coordinator_address}, process {process_id}"
        raise ValueError(
            f"the processes of the run do not come together ({told}: {reason}); look whether process 0 runs "
            "and its port is free, or give --coordinator_address, --process_id and --num_processes"
        ) from error


@contextlib.contextmanager
def own_status() -> Generator[None]:
    """Around a whole program: a process that ends alone, after a mistake or a bug of ours, does so with its
    own exit status.

    A process that leaves as usual waits at its end for the others, who do not come, and is then aborted: the
    scheduler would see 134 of all. Of the others, to whom it is gone, that holds: they are left to it.
    """
    try:
        yield
    except SystemExit as end:
        if jax.distributed.is_initialized() and end.code == _MISTAKE and not _of_xla(end.__context__):
            _leave(_MISTAKE)
        raise
    except Exception as error:
        if jax.distributed.is_initialized() and not _of_xla(error):
            traceback.print_exc()
            _leave(_BUG)
        raise


def _of_xla(error: BaseException | None) -> bool:
    """Whether it comes from the runtime, as what is seen of a process that is gone does: 'UNKNOWN: Gloo
    all-reduce failed: …', a plain ValueError on CPUs. That its own devices are full is no word of others."""
    if error is not None and is_device_full(error):
        return False
    named = re.match(r"[A-Z_]+: ", str(error)) is not None
    return isinstance(error, jax.errors.JaxRuntimeError) or named


def _leave(status: int) -> NoReturn:
    if is_first():  # the others, who may be about to say the same, are aborted when it is gone
        time.sleep(_FIRST_WAITS_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 2**16:
        raise ValueError(f"--coordinator_address: expected HOST:PORT, got {address!r}")
    return host.strip("[]"), int(port)  # [::1]:1234


def _require_free(port: int) -> None:
    """Raises ValueError where process 0 cannot listen: jax itself crashes there."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("", port))
        except OSError as error:
            raise ValueError(
                f"--coordinator_address: process 0 cannot listen on port {port} ({error}): choose another, "
                "the same in all processes"
            ) from error


def _answers(host: str, port: int, seconds: float) -> bool:
    """Whether process 0 comes to listen within so many seconds: where it does not, jax aborts the process
    with a stack of C++. Asked again where the name is not known either, as some clusters make it late."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=left):
            return True
        time.sleep(min(_ASKED_AGAIN_SECONDS, max(0.0, until - time.monotonic())))
    return False


def is_first() -> bool:
    """Whether this process writes what is written once: journal, messages."""
    return jax.process_index() == 0


def as_first(number: int) -> int:
    """The number that the first process has."""
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def anywhere(here: bool) -> bool:
    """Whether it holds in any process."""
    return here if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.array(here)).any())


def wait(name: str) -> None:
    """Until all processes are here."""
    multihost_utils.sync_global_devices(name)


def texts(text: str) -> list[str]:
    """What each process says, in the order of the processes."""
    if jax.process_count() == 1:
        return [text]
    told = np.frombuffer(text.encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(told)))
    # To a power of two: each length is a program of its own, and most texts are short.
    room = max(_LEAST_TEXT, 1 << (int(lengths.max()) - 1).bit_length())
    padded = np.pad(told, (0, room - len(told)))
    rows = multihost_utils.process_allgather(padded)
    return [row[:length].tobytes().decode() for row, length in zip(rows, lengths, strict=True)]


def sharing() -> Processes:
    """The processes of the run, for what reads together."""
    return Processes(jax.process_index(), jax.process_count(), texts)


def alone(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """A function of a tree of arrays that each process calls by itself, with whole arrays on a device of its
    own: all come to the same, and none waits for another."""

    def called(tree: Any) -> Result:
        return function(tree if jax.process_count() == 1 else jax.tree.map(_whole, tree))

    return called


def _whole(leaf: jax.Array) -> jax.Array:
    replicated = leaf.is_fully_replicated
    array = np.asarray(leaf) if replicated else multihost_utils.process_allgather(leaf, tiled=True)
    return jax.device_put(array, jax.local_devices()[0])


def tell(message: str) -> None:
    """A warning, once of all processes."""
    if is_first():
        sys.stderr.write(f"warning: {message}\n")
