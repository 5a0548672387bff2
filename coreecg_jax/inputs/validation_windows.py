"""The windows of validation, read batch by batch, by each process those that its devices are given."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from coreecg_jax.inputs.batch import Batch, available_leads, empty_batch
from coreecg_jax.inputs.examples import decode_some, decode_window
from coreecg_jax.inputs.lengths import long_enough
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.inputs.together import ALONE, Processes


@dataclasses.dataclass(frozen=True)
class ValidationWindows:
    """What is validated on; the samples stay in the shards until they are asked for."""

    selection: Selection
    numbers: np.ndarray  # int64[windows], of those that are long enough, through the shards

    def __len__(self) -> int:
        return len(self.numbers)

    def batches(self, batch_size: int, rows: Sequence[int]) -> Iterator[Batch]:
        """Whole batches in the order of the shards; what is left over is in none.

        Args:
          batch_size: windows.
          rows: of each batch that are wanted, ascending; the others are zeros, and of them nothing is read.

        Raises:
          OSError, ValueError: for a shard that cannot be read or is damaged.
        """
        samples = self.selection.preprocessing.window_samples
        whole = self.numbers[: len(self) // batch_size * batch_size].reshape(-1, batch_size)
        decode = functools.partial(decode_window, window_samples=samples)
        windows = decode_some(self.selection, decode, whole[:, list(rows)].reshape(-1).tolist())
        for _ in whole:
            batch = empty_batch(batch_size, samples)
            for row, (_, fields) in zip(rows, windows):
                batch.ecg[row] = fields["ecg"]
                batch.length[row], batch.patient[row] = fields["length"], fields["patient_key"]
                batch.available[row] = available_leads(np.asarray(fields["quality"]))
            yield batch


def validation_windows(
    root: Path | str, spec: str, *, min_seconds: float, processes: Processes = ALONE
) -> ValidationWindows:
    """The windows of at least `min_seconds` that a data specification names.

    Args:
      root, spec: as `selection.select`.
      processes: that call this together; each reads the lengths of some shards.

    Raises:
      FileNotFoundError, ValueError: as `selection.select`; for a damaged shard. In all processes, whichever
        of them it concerns.
    """
    selection = select(root, spec, processes)
    enough = long_enough(selection, selection.minimum_length(min_seconds), processes)
    return ValidationWindows(selection, np.flatnonzero(enough))
