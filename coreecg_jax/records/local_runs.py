"""Shards written on this machine: here, or in processes of their own."""

import collections
import concurrent.futures
import contextlib
import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

from coreecg_jax.records.databases.listing import Listed
from coreecg_jax.records.one_recording import Outcome
from coreecg_jax.records.one_shard import Work, Written
from coreecg_jax.records.plan import Shard

Tick = Callable[[int], object]  # told of so many recordings
Run = Callable[[Work, Sequence[Shard], Tick], Iterator[Written]]

_CHUNK = 16  # recordings handed to a worker at a time, where they share a shard
_AHEAD = 4  # chunks a worker is ahead of the writing: none waits, and the memory is bounded
_ENOUGH = 4  # shards a worker, from which on each shard is written by one


def local(workers: int) -> Run:
    """One worker is this process, more are processes of their own."""
    return run_here if workers == 1 else functools.partial(run_in_processes, workers=workers)


def run_here(work: Work, shards: Sequence[Shard], tick: Tick) -> Iterator[Written]:
    """Shard after shard, in this process."""
    for shard in shards:
        yield work.write(shard, _told(map(work.outcome, shard.recordings), tick))


def run_in_processes(work: Work, shards: Sequence[Shard], tick: Tick, *, workers: int) -> Iterator[Written]:
    """In `workers` processes: a shard each where there are many, else they share the recordings of one.

    Raises:
      ChildProcessError: when a process was killed.
    """
    try:
        with _pool(workers) as pool:
            if len(shards) < _ENOUGH * workers:
                for shard in shards:
                    yield work.write(shard, _told(_outcomes(pool, work, shard, _AHEAD * workers), tick))
                return
            # The largest first, so that none is left over at the end.
            largest = sorted(shards, key=lambda shard: -len(shard.recordings))
            for future in _as_completed(pool, work, largest, 2 * workers):
                written = future.result()
                tick(written.recordings)
                yield written
    except concurrent.futures.BrokenExecutor as error:
        raise ChildProcessError(
            "a worker process was killed, perhaps for memory: run the same command again, which goes on with "
            "the shards that are finished, with fewer --workers if it happens again"
        ) from error


def _told(outcomes: Iterator[Outcome], tick: Tick) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield outcome
        tick(1)


def _as_completed(
    pool: ProcessPoolExecutor, work: Work, shards: Sequence[Shard], ahead: int
) -> Iterator[Future[Written]]:
    """Shards as they are done; only `ahead` are handed over at a time, for each carries its recordings."""
    waiting = iter(shards)
    under_way = {pool.submit(work.write, shard) for shard in itertools.islice(waiting, ahead)}
    while under_way:
        done, under_way = concurrent.futures.wait(under_way, return_when=concurrent.futures.FIRST_COMPLETED)
        under_way |= {pool.submit(work.write, shard) for shard in itertools.islice(waiting, len(done))}
        yield from done


def _outcomes(pool: ProcessPoolExecutor, work: Work, shard: Shard, ahead: int) -> Iterator[Outcome]:
    """The outcomes in order; up to `ahead` chunks are under way, so the workers go on during the writing."""
    under_way: collections.deque[Future[list[Outcome]]] = collections.deque()
    for start in range(0, len(shard.recordings), _CHUNK):
        chunk = shard.recordings[start : start + _CHUNK]
        under_way.append(pool.submit(_processed, work, chunk))
        if len(under_way) == ahead:
            yield from under_way.popleft().result()
    while under_way:
        yield from under_way.popleft().result()


def _processed(work: Work, recordings: Sequence[Listed]) -> list[Outcome]:
    return [work.outcome(listed) for listed in recordings]


@contextlib.contextmanager
def _pool(workers: int) -> Generator[ProcessPoolExecutor]:
    """Processes that end with this one, and at once when it is interrupted or fails."""
    # Spawned, not forked: threads of libraries do not survive a fork.
    context, others = multiprocessing.get_context("spawn"), set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, context, initializer=_at_the_parents_side) as pool:
        try:
            yield pool
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise


def _at_the_parents_side() -> None:
    """Ctrl-C reaches workers too, and is for the parent to answer; without the parent there is no work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
