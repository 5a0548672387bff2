"""In which order training sees its windows: a function of (seed, step), the same whatever reads them.

An epoch opens the files in an order of its own, reads a few of them in turn, and delays each window by a
random number of windows. What streams (tf.data) so needs a buffer and no index of the corpus, and what has
the corpus in memory finds the rows of any step by arithmetic alone.

Random numbers are Philox's raw ones: their sequence is fixed, that of numpy's distributions is not.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

# Files read at once, and records taken from one before the next: fixed, for they decide the order.
FILES_AT_ONCE = 8
RECORDS_IN_A_ROW = 16


class Epoch(NamedTuple):
    """One epoch of one reader."""

    files: np.ndarray  # int64[files], in the order in which they are opened
    records: np.ndarray  # int64[records], numbers of the records as they are read, too short ones too
    read_at: np.ndarray  # int64[windows]: the window at place p of the epoch is the read_at[p]-th record read


@dataclasses.dataclass(frozen=True, eq=False)
class Order:
    """The batches of every step, as numbers of records.

    Records are numbered through the files, from 0. A batch has an equal part from each reader, and each
    reader has files of its own, in every epoch the same: so processes can share the reading.
    """

    examples: tuple[int, ...]  # records in each file
    long_enough: np.ndarray  # bool, of each record: the others are in no epoch
    batch_size: int  # windows
    shuffle_buffer: int  # windows: none is delayed by as many or more
    seed: int
    readers: int = 1
    _last: dict[int, list[Epoch]] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.readers < 1 or self.batch_size % self.readers:
            raise ValueError(
                f"data.readers: expected a divisor of data.batch_size = {self.batch_size}, got {self.readers}"
            )
        if self.readers > len(self.examples):
            raise ValueError(
                f"data.readers: expected at most {len(self.examples)} (shards), got {self.readers}"
            )
        if self.steps_per_epoch < 1:
            raise ValueError(
                f"data.readers: expected {self.part} windows for each of {self.readers} readers, got "
                f"{min(self._windows_of_readers())} for one of them; use fewer"
            )

    @property
    def part(self) -> int:
        """Windows of a batch that come from one reader."""
        return self.batch_size // self.readers

    # Asked for at every step, and at the size of a large corpus a matter of milliseconds to most of a second.
    @functools.cached_property
    def steps_per_epoch(self) -> int:
        """Batches that every reader has windows for."""
        return min(self._windows_of_readers()) // self.part

    def files_of(self, reader: int) -> np.ndarray:
        """The files of a reader, int64, in the order of the selection: dealt out by size."""
        return self._files_of_readers[reader]

    @functools.cached_property
    def _files_of_readers(self) -> list[np.ndarray]:
        windows = self._windows_of_files()
        held, files = np.zeros(self.readers, np.int64), [[] for _ in range(self.readers)]
        for file in np.argsort(-windows, kind="stable"):
            least = int(np.argmin(held))
            held[least] += windows[file]
            files[least].append(int(file))
        return [np.array(sorted(of_reader), np.int64) for of_reader in files]

    def epoch(self, number: int, reader: int) -> Epoch:
        """What a reader does in an epoch."""
        bits = np.random.Philox(key=np.array([self.seed + (reader << 32), number], np.uint64))
        files = self.files_of(reader)
        files = files[np.argsort(bits.random_raw(len(files)), kind="stable")]
        starts = np.concatenate([[0], np.cumsum(self.examples)])[files]
        records = interleaved(starts, np.array(self.examples, np.int64)[files])
        usable = np.flatnonzero(self.long_enough[records])
        buffer = max(1, self.shuffle_buffer // self.readers)
        delay = (bits.random_raw(len(usable)) % np.uint64(buffer)).astype(np.int64)
        return Epoch(files, records, usable[np.argsort(np.arange(len(usable)) + delay, kind="stable")])

    def batch(self, step: int) -> np.ndarray:
        """The numbers of the records of a step's batch, int64[batch_size], reader by reader."""
        epoch, first = divmod(step, self.steps_per_epoch)
        if epoch not in self._last:
            self._last.clear()
            self._last[epoch] = [self.epoch(epoch, reader) for reader in range(self.readers)]
        places = slice(first * self.part, (first + 1) * self.part)
        return np.concatenate([read.records[read.read_at[places]] for read in self._last[epoch]])

    def _windows_of_files(self) -> np.ndarray:
        """Windows long enough in each file."""
        ends = np.cumsum(self.examples)
        return np.diff(np.concatenate([[0], np.cumsum(self.long_enough)])[np.concatenate([[0], ends])])

    def _windows_of_readers(self) -> list[int]:
        windows = self._windows_of_files()
        return [int(windows[self.files_of(reader)].sum()) for reader in range(self.readers)]


def interleaved(starts: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """The numbers of the records of files read as `tf.data.Dataset.interleave` reads them.

    Args:
      starts: number of the first record of each file.
      examples: records of each file.
    """
    runs: list[np.ndarray] = []
    waiting, slots, slot = 0, [(0, 0)] * FILES_AT_ONCE, 0  # (next record, end) of the files that are open
    opened = [False] * FILES_AT_ONCE
    while waiting < len(starts) or any(opened):
        if not opened[slot] and waiting < len(starts):
            slots[slot], opened[slot] = (starts[waiting], starts[waiting] + examples[waiting]), True
            waiting += 1
        if opened[slot]:
            first, end = slots[slot]
            stop = min(first + RECORDS_IN_A_ROW, end)
            runs.append(np.arange(first, stop, dtype=np.int64))
            slots[slot] = (stop, end)
            # That a file is at its end is found by asking for more: one that ends with a run has a turn more.
            opened[slot] = stop - first == RECORDS_IN_A_ROW
        slot = (slot + 1) % FILES_AT_ONCE
    return np.concatenate(runs) if runs else np.zeros(0, np.int64)
