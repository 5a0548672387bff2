"""The windows of training and their order: what both placements start from."""

import dataclasses
from pathlib import Path

import numpy as np

from coreecg_jax.inputs.damage import ON_CORRUPT, Salvaged, salvage
from coreecg_jax.inputs.examples import names_of
from coreecg_jax.inputs.lengths import long_enough
from coreecg_jax.inputs.order import Order
from coreecg_jax.inputs.packed_corpus import PackedCorpus, found
from coreecg_jax.inputs.selection import Selection, select
from coreecg_jax.inputs.together import ALONE, Processes


@dataclasses.dataclass(frozen=True)
class TrainingWindows:
    """What is trained on."""

    salvaged: Salvaged
    order: Order
    on_corrupt: str
    spec: str  # that names them
    min_length: int  # samples
    packed: PackedCorpus | None = None  # holds them, where that was written before

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
        """What the batch of a step holds: 'ptbxl/00123, window 0'; its shards are read for it, or the names
        in the file of the corpus."""
        records = self.order.batch(step)
        if self.packed is None:
            return names_of(self.selection, records)
        return self.packed.names((np.cumsum(self.order.long_enough) - 1)[records])


def selected(root: Path | str, spec: str, packed: Path | str = "", processes: Processes = ALONE) -> Selection:
    """What will be trained on: by the shards, or by the file that was written of them where all have it.

    Args:
      root, spec, processes: as `selection.select`.
      packed: folder of the file; '' for none.

    Raises:
      FileNotFoundError, ValueError: as `selection.select` and `packed_corpus.found`; when the file was
        written from other data.
    """
    corpus = found(packed, root, spec, processes) if packed else None
    return select(root, spec, processes) if corpus is None else corpus.selection


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
    packed: Path | str = "",
    processes: Processes = ALONE,
) -> TrainingWindows:
    """The windows of at least `min_seconds` that a data specification names, and their batches.

    Each comes exactly once in an epoch, except the remainder that does not fill a batch (of each reader its
    own), others in every epoch. With `min_seconds` > 0, or where damaged records are to be skipped, all
    shards are read once here, each by one of the processes; where they were packed, no shard is opened.

    Args:
      root, spec: as `selection.select`.
      shuffle_buffer: a number of windows.
      on_corrupt: what a damaged record does: 'error', or 'skip' (`damage.salvage`).
      readers: equal parts of a batch, each from shards of its own.
      packed: folder of a file of the corpus (`packing.packed`), which is read where all processes have it.
      processes: that call this together, with the same arguments.

    Raises:
      FileNotFoundError, ValueError: as `selected`; for a damaged shard; when the file of the corpus holds
        other windows; when there are fewer usable windows than `batch_size`. In all processes, whichever of
        them it concerns.
    """
    if on_corrupt not in ON_CORRUPT:
        raise ValueError(f"data.on_corrupt: expected one of {', '.join(ON_CORRUPT)}, got {on_corrupt!r}")
    corpus = found(packed, root, spec, processes) if packed else None
    selection = select(root, spec, processes) if corpus is None else corpus.selection
    min_length = selection.minimum_length(min_seconds)
    if corpus is not None:
        corpus.require_windows(min_length, on_corrupt)
        salvaged, usable = Salvaged(selection, selection, corpus.skipped), corpus.long_enough
    else:
        salvaged = salvage(selection, processes) if on_corrupt == "skip" else Salvaged(selection, selection)
        usable = long_enough(salvaged.selection, min_length, processes)
    if not 1 <= batch_size <= usable.sum():
        raise ValueError(
            f"data.batch_size: expected 1 to {usable.sum()}, the number of windows of at least "
            f"{min_seconds:g} s in {spec!r}, got {batch_size}"
        )
    if shuffle_buffer < 1:
        raise ValueError(f"data.shuffle_buffer: expected at least 1 window, got {shuffle_buffer}")
    order = Order(salvaged.selection.examples, usable, batch_size, shuffle_buffer, seed, readers)
    return TrainingWindows(salvaged, order, on_corrupt, spec, min_length, corpus)
