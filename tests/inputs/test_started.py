"""The first item is made in the background, the others are not; what goes wrong there is raised here."""

import threading

import pytest

from coreecg_jax.inputs.started import Started


def until_ended(started):
    started._thread.join(20)
    assert not started._thread.is_alive()


def test_the_first_item_is_made_before_it_is_asked_for_and_the_others_when_they_are():
    made = []

    def items(abandoned):
        for number in range(3):
            made.append((number, threading.current_thread() is threading.main_thread()))
            yield number

    started = Started(items)
    until_ended(started)
    assert made == [(0, False)]
    assert list(started) == [0, 1, 2]
    assert made == [(0, False), (1, True), (2, True)]


def test_of_nothing_there_is_nothing():
    assert list(Started(lambda abandoned: iter(()))) == []


def raises(abandoned):
    raise ValueError("a damaged shard")


def raises_later(abandoned):
    raises(abandoned)
    yield


@pytest.mark.parametrize("make", [raises, raises_later])
def test_what_is_raised_in_the_background_is_raised_where_the_items_are_asked_for(make):
    started = Started(make)
    until_ended(started)
    with pytest.raises(ValueError, match="a damaged shard"):
        iter(started)
    started.close()


def test_who_closes_it_waits_until_the_thread_has_noticed():
    begun, noticed = threading.Event(), []

    def items(abandoned):
        begun.set()
        noticed.append(abandoned.wait(20))
        yield from ()

    started = Started(items)
    assert begun.wait(20)
    started.close()
    assert noticed == [True]
    assert not started._thread.is_alive()
