"""Training batches from shards through tf.data: an endless stream that is a function of (seed, step).

An epoch visits the files in an order, and draws from a shuffle buffer, that (seed, epoch) alone decide (as
long as nobody calls `tf.random.set_seed`, which TensorFlow mixes into every shuffle).
Nothing of the stream has to be saved: the batch of any step is found again by skipping the serialised
records before it in its epoch, which is far cheaper than decoding them.

TensorFlow is imported when the first batch is asked for, and kept away from the accelerators.
"""

import collections
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.batch import Batch, available_leads
from coreecg_jax.inputs.damage import ON_CORRUPT, Salvaged, salvage
from coreecg_jax.inputs.examples import decode_all, decode_length, decode_window
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.records.leads import LEADS

# Files read at once, and records taken from one before the next: fixed, for they decide the order.
_FILES_AT_ONCE = 8
_RECORDS_IN_A_ROW = 16

_RECORDS_IN_A_GROUP = 64


@dataclasses.dataclass(frozen=True)
class Stream:
    """Batches without end, a function of (seed, step)."""

    salvaged: Salvaged
    min_length: int  # samples; 0 where every window is long enough
    usable: int  # windows
    batch_size: int
    shuffle_buffer: int  # windows
    seed: int
    on_corrupt: str

    @property
    def selection(self) -> Selection:
        """What is read."""
        return self.salvaged.selection

    @property
    def figures(self) -> dict[str, float]:
        """For the metrics: records that no epoch sees because they are damaged, where that is allowed."""
        return {} if self.on_corrupt == "error" else {"records_skipped": self.salvaged.skipped}

    def __call__(self, start_step: int) -> Iterator[Batch]:
        """The batches of that step, the next, ...; numpy arrays.

        Raises:
          ValueError: for a shard that is damaged since, or does not hold what was counted.
        """
        steps_per_epoch = self.usable // self.batch_size
        epoch, first = divmod(start_step, steps_per_epoch)
        while True:
            step = first
            for columns in self._epoch(epoch, first, _of_steps):
                yield _batch(columns)
                step += 1
            # Shards that hold something else than was counted would shift every later batch.
            if step != steps_per_epoch:
                raise ValueError(
                    f"expected {steps_per_epoch} batches an epoch, as many as the windows that "
                    f"dataset_info.json or the count at the start promised, got {step}; write or copy the "
                    "data set again"
                )
            epoch, first = epoch + 1, 0

    def recordings(self, step: int) -> list[str]:
        """What the batch of a step holds: 'ptbxl/00123, window 0'. Found by reading up to it again."""
        epoch, first = divmod(step, self.usable // self.batch_size)
        columns = next(self._epoch(epoch, first, _of_names))
        names = (columns[name].tolist() for name in ("source", "recording_id", "window"))
        return [f"{source.decode()}/{id_.decode()}, window {window}" for source, id_, window in zip(*names)]

    def _epoch(
        self, epoch: int, first: int, decode: Callable[[Any, Any, tuple[int, ...]], dict[str, Any]]
    ) -> Iterator[dict[str, np.ndarray]]:
        """The columns of an epoch's batches from its batch `first` on, as `decode(tf, serialised, shape)`."""
        tf = _tensorflow()
        shape = (self.batch_size, len(LEADS), self.selection.preprocessing.window_samples)
        records = _epoch_records(tf, self.selection, self.min_length, self.shuffle_buffer, self.seed, epoch)
        batches = records.skip(first * self.batch_size).batch(self.batch_size, drop_remainder=True)
        batches = batches.map(
            lambda serialised: decode(tf, serialised, shape),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        try:
            yield from batches.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            # TensorFlow does not name the file: the strict reader does.
            decode_strictly = functools.partial(decode_window, window_samples=shape[-1])
            collections.deque(decode_all(self.selection, decode_strictly), maxlen=0)
            names = ", ".join(self.selection.names)
            raise ValueError(f"a shard of {names} is damaged: {error.message}") from error


def training_batches(
    root: Path | str,
    spec: str,
    *,
    batch_size: int,
    seed: int,
    min_seconds: float,
    shuffle_buffer: int,
    on_corrupt: str = "error",
) -> Stream:
    """A function of a step that gives the batches of that step, the next, ... without end; numpy arrays.

    Every window of at least `min_seconds` comes exactly once in an epoch, except the remainder that does
    not fill a batch: up to `batch_size` - 1 windows, others in every epoch. `shuffle_buffer` is a number of
    windows, held in memory as they are stored. With `min_seconds` > 0, or where damaged records are to be
    skipped, all shards are read once at the start.

    Args:
      root, spec: as `selection.select`.
      on_corrupt: what a damaged record does: 'error', or 'skip' (`damage.salvage`).

    Raises:
      FileNotFoundError, ValueError: as `selection.select`; for a damaged shard; when there are fewer usable
        windows than `batch_size`. All but damage met while streaming are raised here, not by the stream.
    """
    if on_corrupt not in ON_CORRUPT:
        raise ValueError(f"data.on_corrupt: expected one of {', '.join(ON_CORRUPT)}, got {on_corrupt!r}")
    selection = select(root, spec)
    min_length = selection.minimum_length(min_seconds)
    salvaged = salvage(selection) if on_corrupt == "skip" else Salvaged(selection, 0, ())
    usable = count_usable(salvaged.selection, min_length)
    if not 1 <= batch_size <= usable:
        raise ValueError(
            f"data.batch_size: expected 1 to {usable}, the number of windows of at least {min_seconds:g} s "
            f"in {spec!r}, got {batch_size}"
        )
    if shuffle_buffer < 1:
        raise ValueError(f"data.shuffle_buffer: expected at least 1 window, got {shuffle_buffer}")
    if usable == salvaged.selection.num_examples:
        min_length = 0  # spares the filter
    return Stream(salvaged, min_length, usable, batch_size, shuffle_buffer, seed, on_corrupt)


def count_usable(selection: Selection, min_length: int) -> int:
    """The number of windows with at least `min_length` valid samples.

    Raises:
      ValueError: when a shard is damaged or does not hold as many examples as it should.
    """
    if min_length == 0:
        return selection.num_examples
    return sum(length >= min_length for length in decode_all(selection, decode_length))


def _tensorflow() -> Any:
    """TensorFlow, silent and without accelerators: those belong to jax."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # announces itself where it is on, whatever the level
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    return tf


def _epoch_records(
    tf: Any, selection: Selection, min_length: int, shuffle_buffer: int, seed: int, epoch: int
) -> Any:
    """The serialised windows of one epoch that are long enough, in its order."""
    rng = np.random.default_rng((seed, epoch))
    files = rng.permutation([str(path) for path in selection.files])
    records = tf.data.Dataset.from_tensor_slices(files).interleave(
        tf.data.TFRecordDataset,
        cycle_length=_FILES_AT_ONCE,
        block_length=_RECORDS_IN_A_ROW,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    if min_length > 0:
        records = _long_enough(tf, records, min_length)
    return records.shuffle(shuffle_buffer, seed=int(rng.integers(2**31)), reshuffle_each_iteration=False)


def _long_enough(tf: Any, records: Any, min_length: int) -> Any:
    """The serialised windows with at least `min_length` valid samples; nothing but `length` is decoded."""
    length = {"length": tf.io.FixedLenFeature((), tf.int64)}

    def keep(serialised: Any) -> Any:
        return tf.boolean_mask(serialised, tf.io.parse_example(serialised, length)["length"] >= min_length)

    # In groups: twice as fast as a filter that is called for each record.
    groups = records.batch(_RECORDS_IN_A_GROUP)
    return groups.map(keep, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).unbatch()


def _of_steps(tf: Any, serialised: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """The features that a step needs."""
    features = {
        "ecg": tf.io.FixedLenFeature((), tf.string),
        "length": tf.io.FixedLenFeature((), tf.int64),
        "quality": tf.io.FixedLenFeature((len(LEADS),), tf.int64),
        "patient_key": tf.io.FixedLenFeature((), tf.int64),
    }
    columns = tf.io.parse_example(serialised, features)
    return {**columns, "ecg": tf.reshape(tf.io.decode_raw(columns["ecg"], tf.int16), shape)}


def _of_names(tf: Any, serialised: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """The features that tell which window it is."""
    del shape
    kinds = {"source": tf.string, "recording_id": tf.string, "window": tf.int64}
    return tf.io.parse_example(serialised, {n: tf.io.FixedLenFeature((), kind) for n, kind in kinds.items()})


def _batch(columns: dict[str, np.ndarray]) -> Batch:
    return Batch(
        ecg=columns["ecg"],
        length=columns["length"].astype(np.int32),
        available=available_leads(columns["quality"]),
        patient=columns["patient_key"].astype(np.uint32),
    )
