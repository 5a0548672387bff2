"""Training batches from shards through tf.data: an endless stream that is a function of (seed, step).

An epoch visits the files in an order, and draws from a shuffle buffer, that (seed, epoch) alone decide (as
long as nobody calls `tf.random.set_seed`, which TensorFlow mixes into every shuffle).
Nothing of the stream has to be saved: the batch of any step is found again by skipping the serialised
records before it in its epoch, which is far cheaper than decoding them.

TensorFlow is imported when the first batch is asked for, and kept away from the accelerators.
"""

import collections
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.inputs.batch import Batch, available_leads
from coreecg_jax.inputs.examples import decode_all, decode_length, decode_window
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.records.leads import LEADS

# Files read at once, and records taken from one before the next: fixed, for they decide the order.
_FILES_AT_ONCE = 8
_RECORDS_IN_A_ROW = 16

_RECORDS_IN_A_GROUP = 64


def training_batches(
    root: Path | str,
    spec: str,
    *,
    batch_size: int,
    seed: int,
    min_seconds: float,
    shuffle_buffer: int,
) -> Callable[[int], Iterator[Batch]]:
    """A function of a step that gives the batches of that step, the next, ... without end; numpy arrays.

    Every window of at least `min_seconds` comes exactly once in an epoch, except the remainder that does
    not fill a batch: up to `batch_size` - 1 windows, others in every epoch. `shuffle_buffer` is a number of
    windows, held in memory as they are stored. With `min_seconds` > 0 all shards are read once at the start,
    to count the windows that are long enough.

    Raises:
      FileNotFoundError, ValueError: as `selection.select`; for a damaged shard; when there are fewer usable
        windows than `batch_size`. All but damage met while streaming are raised here, not by the stream.
    """
    selection = select(root, spec)
    min_length = selection.minimum_length(min_seconds)
    usable = count_usable(selection, min_length)
    if not 1 <= batch_size <= usable:
        raise ValueError(
            f"data.batch_size: expected 1 to {usable}, the number of windows of at least {min_seconds:g} s "
            f"in {spec!r}, got {batch_size}"
        )
    if shuffle_buffer < 1:
        raise ValueError(f"data.shuffle_buffer: expected at least 1 window, got {shuffle_buffer}")

    if usable == selection.num_examples:
        min_length = 0  # spares the filter

    def epoch_batches(epoch: int, first: int) -> Iterator[Batch]:
        return _epoch_batches(selection, min_length, batch_size, shuffle_buffer, seed, epoch, first)

    return functools.partial(_endless, epoch_batches, usable // batch_size)


def count_usable(selection: Selection, min_length: int) -> int:
    """The number of windows with at least `min_length` valid samples.

    Raises:
      ValueError: when a shard is damaged or does not hold as many examples as it should.
    """
    if min_length == 0:
        return selection.num_examples
    return sum(length >= min_length for length in decode_all(selection, decode_length))


def _endless(
    epoch_batches: Callable[[int, int], Iterator[Batch]], steps_per_epoch: int, start_step: int
) -> Iterator[Batch]:
    epoch, first = divmod(start_step, steps_per_epoch)
    while True:
        step = first
        for batch in epoch_batches(epoch, first):
            yield batch
            step += 1
        # Shards that hold something else than was counted would shift every later batch.
        if step != steps_per_epoch:
            raise ValueError(
                f"expected {steps_per_epoch} batches an epoch, as many as the windows that dataset_info.json "
                f"or the count at the start promised, got {step}; write or copy the data set again"
            )
        epoch, first = epoch + 1, 0


def _epoch_batches(
    selection: Selection,
    min_length: int,
    batch_size: int,
    shuffle_buffer: int,
    seed: int,
    epoch: int,
    first: int,
) -> Iterator[Batch]:
    """The batches of one epoch from its batch `first` on."""
    tf = _tensorflow()
    records = _epoch_records(tf, selection, min_length, shuffle_buffer, seed, epoch)
    batches = _decoded(tf, records.skip(first * batch_size), batch_size, selection)
    damage = (tf.errors.DataLossError, tf.errors.InvalidArgumentError)
    try:
        yield from map(_batch, batches.as_numpy_iterator())
    except damage as error:
        # TensorFlow does not name the file: the strict reader does.
        decode = functools.partial(decode_window, window_samples=selection.preprocessing.window_samples)
        collections.deque(decode_all(selection, decode), maxlen=0)
        raise ValueError(f"a shard of {', '.join(selection.names)} is damaged: {error.message}") from error


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


def _decoded(tf: Any, records: Any, batch_size: int, selection: Selection) -> Any:
    """Batches of the features that a step needs."""
    features = {
        "ecg": tf.io.FixedLenFeature((), tf.string),
        "length": tf.io.FixedLenFeature((), tf.int64),
        "quality": tf.io.FixedLenFeature((len(LEADS),), tf.int64),
        "patient_key": tf.io.FixedLenFeature((), tf.int64),
    }
    shape = (batch_size, len(LEADS), selection.preprocessing.window_samples)

    def decode(serialised: Any) -> dict[str, Any]:
        columns = tf.io.parse_example(serialised, features)
        return {**columns, "ecg": tf.reshape(tf.io.decode_raw(columns["ecg"], tf.int16), shape)}

    batches = records.batch(batch_size, drop_remainder=True)
    return batches.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(
        tf.data.AUTOTUNE
    )


def _batch(columns: dict[str, np.ndarray]) -> Batch:
    return Batch(
        ecg=columns["ecg"],
        length=columns["length"].astype(np.int32),
        available=available_leads(columns["quality"]),
        patient=columns["patient_key"].astype(np.uint32),
    )
