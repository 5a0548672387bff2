"""Training batches from shards through tf.data: an endless stream that is a function of (seed, step).

The order is that of `order.Order`. tf.data reads the files in turn and decodes in threads of its own; what
is delayed stays in memory until its batch is due. The readers of an epoch are started before those of the
last are used up: opening files and reading until the first batch is whole takes as long as several batches.
Nothing of the stream has to be saved: the batch of any
step is found again by skipping the serialised records before it in its epoch, which is far cheaper than
decoding them.

TensorFlow is imported when the first batch is asked for, and kept away from the accelerators.
"""

import collections
import dataclasses
import functools
import os
import threading
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.batch import Batch, available_leads, empty_batch
from coreecg_jax.inputs.examples import decode_all, decode_window
from coreecg_jax.inputs.order import FILES_AT_ONCE, RECORDS_IN_A_ROW
from coreecg_jax.inputs.started import Started
from coreecg_jax.inputs.training_windows import TrainingWindows, training_windows
from coreecg_jax.records.leads import LEADS

# Decoded together: a call for each record would cost more than its decoding.
_RECORDS_IN_A_GROUP = 64

# Batches before the end of an epoch at which the readers of the next are started. The first batch, of 256
# windows that are delayed by up to 10,000, takes 2,100 records: eight batches' worth.
_STARTED_BEFORE = 16

_SMALL_FEATURES = ("length", "quality", "patient_key")

Columns = dict[str, np.ndarray]  # "ecg" and `_SMALL_FEATURES`
Places = list[tuple[Columns, int]]  # windows, each as a row of the group that was decoded with it


@dataclasses.dataclass(frozen=True)
class Stream:
    """Batches without end, a function of (seed, step)."""

    windows: TrainingWindows

    def __call__(self, start_step: int, readers: Container[int] | None = None) -> Iterator[Batch]:
        """The batches of that step, the next, ...; numpy arrays.

        Args:
          start_step: counted from 0.
          readers: those whose part of each batch is wanted, all where None; other parts are zeros, and
            nothing is read for them.

        Raises:
          ValueError: for a shard that is damaged since, or does not hold what was counted.
        """
        order = self.windows.order
        wanted = [number for number in range(order.readers) if readers is None or number in readers]
        epoch, first = divmod(start_step, order.steps_per_epoch)
        parts = self._epoch(epoch, wanted, first, threading.Event())
        following: Started[tuple[Places, ...]] | None = None
        try:
            while True:
                for number, places in enumerate(parts, first):
                    if following is None and number + _STARTED_BEFORE >= order.steps_per_epoch:
                        following = Started(functools.partial(self._epoch, epoch + 1, wanted, 0))
                    yield self._batch(dict(zip(wanted, places)))
                assert following is not None  # every epoch has a last batch
                epoch, first, parts, following = epoch + 1, 0, iter(following), None
        finally:
            if following is not None:
                following.close()

    def _batch(self, parts: dict[int, Places]) -> Batch:
        """Each window is copied once, from the group that it was decoded in: at the size of a large batch
        these copies are what the thread that feeds the accelerators does."""
        order, samples = self.windows.order, self.windows.selection.preprocessing.window_samples
        batch = empty_batch(order.batch_size, samples)
        for reader, places in parts.items():
            start = reader * order.part
            for row, (group, place) in enumerate(places, start):
                batch.ecg[row] = group["ecg"][place]
            rows = slice(start, start + order.part)
            length, quality, patient = (
                np.array([group[name][place] for group, place in places]) for name in _SMALL_FEATURES
            )
            batch.length[rows], batch.patient[rows] = length, patient
            batch.available[rows] = available_leads(quality)
        return batch

    def _epoch(
        self, number: int, readers: list[int], first: int, abandoned: threading.Event
    ) -> Iterator[tuple[Places, ...]]:
        """The parts of the batches of an epoch, from its batch `first` on."""
        parts = [self._of_reader(number, reader, first, abandoned) for reader in readers]
        return zip(*parts, strict=True)

    def _of_reader(
        self, number: int, reader: int, first: int, abandoned: threading.Event
    ) -> Iterator[Places]:
        """A reader's part of the batches of an epoch; none more where they are abandoned."""
        order = self.windows.order
        epoch = order.epoch(number, reader)
        read_at_NB = epoch.read_at[: order.steps_per_epoch * order.part].reshape(-1, order.part)[first:]
        # From which record on what is read is still to come, at each step.
        needed_N = np.minimum.accumulate(read_at_NB.min(1)[::-1])[::-1]
        start = int(needed_N[0])
        groups = self._groups(epoch.files, start)
        held: list[Columns | None] = []
        read = start
        for needed, read_at_B in zip(needed_N.tolist(), read_at_NB, strict=True):
            _let_go(held, (needed - start) // _RECORDS_IN_A_GROUP)
            while read <= read_at_B.max():
                if abandoned.is_set():
                    return
                if (group := next(groups, None)) is None:
                    raise self._other_count(f"{read} of {len(epoch.records)}")
                held.append(group)
                read += len(group["length"])
            yield _picked(held, read_at_B - start)
        # Shards that hold something else than was counted would shift every later batch.
        read += sum(len(group["length"]) for group in groups)
        if read != len(epoch.records):
            raise self._other_count(f"{read} of {len(epoch.records)}")

    def _groups(self, files: np.ndarray, start: int) -> Iterator[Columns]:
        """The decoded records of files read in turn, in groups, from the record `start` on."""
        tf = _tensorflow()
        selection = self.windows.selection
        paths = [str(selection.files[file]) for file in files]
        records = tf.data.Dataset.from_tensor_slices(paths).interleave(
            tf.data.TFRecordDataset,
            cycle_length=FILES_AT_ONCE,
            block_length=RECORDS_IN_A_ROW,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        shape = (len(LEADS), selection.preprocessing.window_samples)
        # With the tuner reading is no faster, and at 11 ends of an epoch in 50 letting go of the iterator
        # waited over 2 s for its thread. Without it each stage has 16 threads at most, no more than cores.
        options = tf.data.Options()
        options.autotune.enabled = False
        groups = records.skip(start).batch(_RECORDS_IN_A_GROUP).with_options(options)
        groups = groups.map(
            lambda serialised: _decoded(tf, serialised, shape),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        try:
            yield from groups.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            # TensorFlow does not name the file: the strict reader does.
            decode_strictly = functools.partial(decode_window, window_samples=shape[-1])
            collections.deque(decode_all(selection, decode_strictly), maxlen=0)
            names = ", ".join(selection.names)
            raise ValueError(f"a shard of {names} is damaged: {error.message}") from error
        except tf.errors.OpError as error:  # a file that is gone, a disk or a server that fails
            raise OSError(
                f"a shard of {', '.join(selection.names)} can no longer be read: {error.message}; see that "
                "it is there, and start again with the same command"
            ) from error

    def _other_count(self, got: str) -> ValueError:
        return ValueError(
            f"{', '.join(self.windows.selection.names)}: expected the records that dataset_info.json or the "
            f"count at the start promised an epoch, got {got}; write or copy the data set again"
        )


def training_batches(root: Path | str, spec: str, **settings: Any) -> Stream:
    """A function of a step that gives the batches of that step, the next, ... without end; numpy arrays.

    Up to `shuffle_buffer` windows are held in memory as they are stored, near the end of an epoch also those
    that were read for the first batch of the next.

    Args:
      root, spec, settings: as `training_windows.training_windows`, and its errors: all but damage met while
        streaming are raised here, not by the stream.
    """
    return Stream(training_windows(root, spec, **settings))


def _picked(held: list[Columns | None], places_B: np.ndarray) -> Places:
    """Some of the records that were read, by their place since the first."""
    rows = [(held[place // _RECORDS_IN_A_GROUP], place % _RECORDS_IN_A_GROUP) for place in places_B.tolist()]
    return [(group, row) for group, row in rows if group]


def _let_go(held: list[Columns | None], before: int) -> None:
    """Forgets the groups before that number: they were in batches that are done."""
    for number in range(before - 1, -1, -1):
        if held[number] is None:
            return
        held[number] = None


def _tensorflow() -> Any:
    """TensorFlow, silent and without accelerators: those belong to jax."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # announces itself where it is on, whatever the level
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    return tf


def _decoded(tf: Any, serialised: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """The features that a step needs."""
    features = {
        "ecg": tf.io.FixedLenFeature((), tf.string),
        "length": tf.io.FixedLenFeature((), tf.int64),
        "quality": tf.io.FixedLenFeature((len(LEADS),), tf.int64),
        "patient_key": tf.io.FixedLenFeature((), tf.int64),
    }
    columns = tf.io.parse_example(serialised, features)
    ecg = tf.io.decode_raw(columns["ecg"], tf.int16)
    return {**columns, "ecg": tf.reshape(ecg, (tf.size(serialised), *shape))}
