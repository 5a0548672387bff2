"""Shards written by Apache Beam: one shard is one element, so the bytes are those of any other run.

What tensorflow-datasets does on Beam was not used: it shuffles examples between workers and starts over after
a failure. Apache Beam is loaded when it is asked for, not before.
"""

import contextlib
import dataclasses
import difflib
import logging
import pickle
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from coreecg_jax.records.local_runs import Tick
from coreecg_jax.records.one_shard import Work, Written, finished, note_of
from coreecg_jax.records.plan import Shard

_TASKS = "tasks"
_LOOK_SECONDS = 1.0  # between two looks at what is finished
# Beam's own DirectRunner first fetches a program from GitHub and, where it cannot, goes on with this one.
_DIRECT, _LOCAL = "DirectRunner", "FnApiRunner"


def run_on_beam(
    work: Work, shards: Sequence[Shard], tick: Tick, *, runner: str, options: Sequence[str] = ()
) -> Iterator[Written]:
    """By a runner of Beam. Its workers see `work.folder` and the source under the same paths as we do.

    Args:
      work: what to write.
      shards: which of it.
      tick: told of so many recordings as shards are seen to be finished.
      runner: 'DirectRunner', 'DataflowRunner', 'FlinkRunner', 'SparkRunner', …
      options: of the pipeline, 'name=value' each.

    Raises:
      ValueError: when Beam is not installed, or does not know the runner or an option.
      ChildProcessError: when the pipeline failed.
    """
    beam, pipeline_options = _apache_beam()
    asked = _checked_options(options, pipeline_options)
    try:
        pipeline = beam.Pipeline(runner=_LOCAL if runner == _DIRECT else runner, options=asked)
    except (ValueError, ImportError) as error:
        raise ValueError(f"--beam_runner={runner}: {error}") from error
    # Workers may have another current folder.
    work = dataclasses.replace(work, folder=work.folder.absolute())
    tasks = [str(path) for path in _write_tasks(work, shards)]
    # Reshuffled, so that a runner may give each shard to another worker.
    pipeline | beam.Create(tasks) | beam.Reshuffle() | beam.Map(write_task)
    with _followed(work, shards, tick):
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:  # what runners raise has no common class
            raise ChildProcessError(
                f"Beam's {runner} stopped ({_last_line(error)}): run the same command again, which goes on "
                "with the shards that are finished"
            ) from error
    for shard in shards:
        if (written := finished(work.folder, shard)) is None:
            raise ChildProcessError(
                f"Beam's {runner} ended without {shard.file} in {work.folder}: its workers must see that "
                "folder under the same path, as on a shared file system; run the same command again"
            )
        yield written


def write_task(path: str) -> str:
    """Writes the shard that a file asks for, unless it is finished: a runner may try again. Its file."""
    work, shard = pickle.loads(Path(path).read_bytes())
    return (finished(work.folder, shard) or work.write(shard)).file


def _write_tasks(work: Work, shards: Sequence[Shard]) -> Iterator[Path]:
    """A file a shard: 800,000 recordings in the graph of a pipeline are more than runners take."""
    folder = work.folder / _TASKS
    folder.mkdir(exist_ok=True)
    for shard in shards:
        path = folder / f"{shard.file}.pickle"
        path.write_bytes(pickle.dumps((work, shard)))
        yield path


@contextlib.contextmanager
def _followed(work: Work, shards: Sequence[Shard], tick: Tick) -> Generator[None]:
    """Tells of shards as their notes appear, whoever writes them."""
    ended = threading.Event()

    def follow() -> None:
        left = {note_of(work.folder, shard): len(shard.recordings) for shard in shards}
        last = False
        while not last:
            last = ended.wait(_LOOK_SECONDS)
            for note in [note for note in left if note.is_file()]:
                tick(left.pop(note))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _checked_options(options: Sequence[str], pipeline_options: Any) -> Any:
    """Options of a pipeline; Beam would drop without a word what it does not know."""
    known = pipeline_options.PipelineOptions([]).get_all_options()
    for option in options:
        name = option.partition("=")[0]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"--beam_options: expected NAME=VALUE of an option of Beam, got {option!r}{hint}"
            )
    return pipeline_options.PipelineOptions([f"--{option}" for option in options])


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__


def _apache_beam() -> tuple[Any, Any]:
    """The package and its options, quiet: it warns of clouds that nobody asked for."""
    logging.disable(logging.WARNING)
    try:
        import apache_beam
        from apache_beam.options import pipeline_options
    except ImportError as error:
        raise ValueError(f"--beam_runner needs pip install 'coreecg-jax[beam]' ({error})") from error
    finally:
        logging.disable(logging.NOTSET)
    return apache_beam, pipeline_options
