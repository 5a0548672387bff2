"""Garbage is looked for again, whoever leaves first."""

import gc
import threading

import coreecg_jax
from coreecg_jax.startup import collected_later


def test_the_last_of_several_threads_to_leave_puts_it_back() -> None:
    """One comes while another is inside, and leaves after it."""
    first_left, second_came, seen = threading.Event(), threading.Event(), []

    def second() -> None:
        with collected_later():
            second_came.set()
            first_left.wait(10)
            seen.append(gc.isenabled())

    thread = threading.Thread(target=second)
    with collected_later():
        thread.start()
        assert second_came.wait(10)
        assert not gc.isenabled()
    first_left.set()
    thread.join(10)
    assert seen == [False]
    assert gc.isenabled()


def test_who_looks_for_no_garbage_goes_on_so() -> None:
    gc.disable()
    try:
        with collected_later(), collected_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_found_once_stays() -> None:
    assert coreecg_jax.load is vars(coreecg_jax)["load"]
