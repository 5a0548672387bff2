"""How processes find one another, and what becomes of the others when one is gone."""

import signal
import socket
import threading

import jax
import pytest
from made_processes import run_together

from coreecg_jax.training.processes import join


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"process_id": 1},
            "expected --coordinator_address, --process_id, --num_processes together, got no "
            "--coordinator_address and no --num_processes; where the cluster tells them",
        ),
        (
            {"coordinator_address": "localhost", "process_id": 0, "num_processes": 2},
            "--coordinator_address: expected HOST:PORT, got 'localhost'",
        ),
        (
            {"coordinator_address": "localhost:70000", "process_id": 1, "num_processes": 2},
            "--coordinator_address: expected HOST:PORT, got 'localhost:70000'",
        ),
        (
            {"coordinator_address": "localhost:1", "process_id": 2, "num_processes": 2},
            "--process_id: expected less than --num_processes = 2, got 2",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_joined(given, message):
    with pytest.raises(ValueError, match=message):
        join(**given)


def test_a_port_that_is_taken_is_told_before_anything_is_joined():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(ValueError, match=r"process 0 cannot listen on port \d+ \(.*\): choose another"):
            join(coordinator_address=address, process_id=0, num_processes=2)


def test_a_first_process_that_does_not_answer_is_told():
    """jax would abort, with 134, which a scheduler takes for a machine that is gone."""
    with socket.socket() as silent:  # bound, so that nobody else listens there
        silent.bind(("localhost", 0))
        address = f"localhost:{silent.getsockname()[1]}"
        with pytest.raises(
            ValueError, match=f"nobody listens on {address} after 1 s; look whether process 0"
        ):
            join(coordinator_address=address, process_id=1, num_processes=2, start_seconds=1)


def test_a_first_process_that_comes_late_is_waited_for(monkeypatch):
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *given, **_: joined.append(given))
    with socket.socket() as late:
        late.bind(("localhost", 0))
        address = f"localhost:{late.getsockname()[1]}"
        timer = threading.Timer(0.7, late.listen)
        timer.start()
        join(coordinator_address=address, process_id=1, num_processes=2, start_seconds=30)
        timer.join()
    assert joined == [(address, 2, 1)]


@pytest.mark.slow
def test_where_not_all_come_jax_aborts_those_that_are_there():
    """As the docstring says; when jax raises there instead, `join` has a sentence for it."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    given = f"coordinator_address={address!r}, process_id=0, num_processes=2, start_seconds=1"
    (ended,) = run_together(f"processes.join({given})", 1)
    assert ended.status == -signal.SIGABRT
    assert "DEADLINE_EXCEEDED" in ended.stderr


def test_without_a_cluster_it_says_what_to_give():
    (ended,) = run_together("processes.join()", 1)
    assert ended.status == 1
    assert "do not come together (no cluster that jax knows: coordinator_address" in ended.stderr


# One leaves while the others wait for it in a collective.
LEAVING = """
import jax
from coreecg_jax.training.processes import own_status, wait
from coreecg_jax.training.room import fullness_told
wait("all are here")
with own_status():
    if number == given["alone"]:
        if given["how"] == "mistake":
            sys.exit(2)
        if given["how"] == "bug":
            raise RuntimeError("a bug of ours")
    try:
        if number == given["alone"]:
            with fullness_told():
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        wait("which never comes")
    except ValueError as error:  # so launch.shell would have it
        sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("alone", [0, 1])
@pytest.mark.parametrize(("how", "status"), [("mistake", 2), ("full device", 2), ("bug", 1)])
def test_one_that_ends_alone_has_its_own_status_and_the_others_follow(alone, how, status):
    ended = run_together(LEAVING, 2, {"alone": alone, "how": how})
    assert ended[alone].status == status
    assert ended[1 - alone].status == -signal.SIGABRT
    assert ("RuntimeError: a bug of ours" in ended[alone].stderr) == (how == "bug")
