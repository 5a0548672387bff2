"""The windows of training and their order: what both placements start from."""

import dataclasses
from pathlib import Path

from coreecg_jax.inputs.damage import ON_CORRUPT, Salvaged, salvage
from coreecg_jax.inputs.examples import names_of
from coreecg_jax.inputs.lengths import long_enough
from coreecg_jax.inputs.order import Order
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.inputs.together import ALONE, Processes


@dataclasses.dataclass(frozen=True)
class TrainingWindows:
    """What is trained on."""

    salvaged: Salvaged
    order: Order
    on_corrupt: str

    @property
    def selection(self) -> Selection:
        """What is read."""
        return self.salvaged.selection

    @property
    def usable(self) -> int:
        """Windows that are long enough."""
        return int(self.order.long_enough.sum())

    @property
    def figures(self) -> dict[str, float]:
        """For the metrics: records that no epoch sees because they are damaged, where that is allowed."""
        return {} if self.on_corrupt == "error" else {"records_skipped": self.salvaged.skipped}

    def recordings(self, step: int) -> list[str]:
        """What the batch of a step holds: 'ptbxl/00123, window 0'; its shards are read for it."""
        return names_of(self.selection, self.order.batch(step))


def training_windows(
    root: Path | str,
    spec: str,
    *,
    batch_size: int,
    seed: int,
    min_seconds: float,
    shuffle_buffer: int,
    on_corrupt: str = "error",
    readers: int = 1,
    processes: Processes = ALONE,
) -> TrainingWindows:
    """The windows of at least `min_seconds` that a data specification names, and their batches.

    Each comes exactly once in an epoch, except the remainder that does not fill a batch (of each reader its
    own), others in every epoch. With `min_seconds` > 0, or where damaged records are to be skipped, all
    shards are read once here, each by one of the processes.

    Args:
      root, spec: as `selection.select`.
      shuffle_buffer: a number of windows.
      on_corrupt: what a damaged record does: 'error', or 'skip' (`damage.salvage`).
      readers: equal parts of a batch, each from shards of its own.
      processes: that call this together, with the same arguments.

    Raises:
      FileNotFoundError, ValueError: as `selection.select`; for a damaged shard; when there are fewer usable
        windows than `batch_size`. In all processes, whichever of them it concerns.
    """
    if on_corrupt not in ON_CORRUPT:
        raise ValueError(f"data.on_corrupt: expected one of {', '.join(ON_CORRUPT)}, got {on_corrupt!r}")
    selection = select(root, spec, processes)
    min_length = selection.minimum_length(min_seconds)
    salvaged = salvage(selection, processes) if on_corrupt == "skip" else Salvaged(selection, 0, ())
    usable = long_enough(salvaged.selection, min_length, processes)
    if not 1 <= batch_size <= usable.sum():
        raise ValueError(
            f"data.batch_size: expected 1 to {usable.sum()}, the number of windows of at least "
            f"{min_seconds:g} s in {spec!r}, got {batch_size}"
        )
    if shuffle_buffer < 1:
        raise ValueError(f"data.shuffle_buffer: expected at least 1 window, got {shuffle_buffer}")
    order = Order(salvaged.selection.examples, usable, batch_size, shuffle_buffer, seed, readers)
    return TrainingWindows(salvaged, order, on_corrupt)
