"""Threads stand for processes; two real ones are in tests/training/test_several_processes.py."""

import errno

import pytest
from made_threads import together

from coreecg_jax.inputs.together import ALONE


def said(results):
    """Kind and words of errors."""
    return [(type(result), str(result)) for result in results]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_item_is_done_by_one_and_all_have_all_in_order(count):
    done = []

    def work(processes):
        def shout(item):
            done.append((processes.number, item))
            return item.upper()

        return processes.shared("abcde", shout)

    assert together(count, work) == [list("ABCDE")] * count
    assert sorted(item for _, item in done) == list("abcde")
    assert {(number, item) for number, item in done} == {
        (place % count, item) for place, item in enumerate("abcde")
    }


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_the_first_bad_item_raises_is_raised_in_all(count):
    """As one process alone, which meets it first, whoever of several is sooner."""

    def work(processes):
        def refuse(item):
            if item in "cd":
                raise ValueError(f"{item} is damaged")
            return item

        return processes.shared("abcde", refuse)

    assert said(together(count, work)) == [(ValueError, "c is damaged")] * count


@pytest.mark.parametrize(
    ("error", "kind", "number", "filename"),
    [
        (FileNotFoundError("no data folder x"), FileNotFoundError, None, None),
        (OSError(errno.ENOSPC, "No space left on device"), OSError, errno.ENOSPC, None),
        (OSError(errno.EACCES, "Permission denied", "/data"), PermissionError, errno.EACCES, "/data"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"), ValueError, None, None),
    ],
)
def test_an_error_comes_to_the_others_with_what_the_launchers_make_their_sentence_of(
    error, kind, number, filename
):
    def work(processes):
        def fail():
            if processes.number == 1:
                raise error

        return processes.each(fail)

    results = together(3, work)
    assert said(results) == [(kind, str(error))] * 3
    for result in results if issubclass(kind, OSError) else ():
        assert (result.errno, result.filename) == (number, filename)


def test_each_keeps_what_is_its_own():
    one = [object(), object()]
    assert together(2, lambda processes: processes.each(lambda: one[processes.number])) == one


def test_each_tells_what_it_is_asked():
    assert together(3, lambda processes: processes.told(lambda: f"{processes.number}")) == [list("012")] * 3


def test_what_differs_is_named_in_all():
    results = together(2, lambda processes: processes.require_same("seed", f"{processes.number}"))
    message = "seed: expected the same in all processes, got 0 in process 0 and 1 in process 1"
    assert said(results) == [(ValueError, message)] * 2
    assert together(2, lambda processes: processes.require_same("seed", "1")) == [None, None]


def test_one_alone_asks_nobody():
    assert ALONE.shared("ab", str.upper) == ["A", "B"]
    with pytest.raises(ZeroDivisionError):
        ALONE.each(lambda: 1 / 0)
