"""Which windows are long enough: what has to be known of every shard before the first batch."""

import numpy as np

from coreecg_jax.inputs.examples import decode_all, decode_length
from coreecg_jax.inputs.selection import Selection
from coreecg_jax.inputs.together import ALONE, Processes


def long_enough(selection: Selection, min_length: int, processes: Processes = ALONE) -> np.ndarray:
    """Whether each window has at least `min_length` valid samples; bool[examples].

    Each shard is read by one of the processes, so that a corpus is read once however many they are; what they
    tell one another is a bit a window.

    Raises:
      OSError, ValueError: when a shard cannot be read, is damaged or does not hold as many examples as it
        should, in all processes.
    """
    if min_length == 0:
        return np.ones(selection.num_examples, bool)

    def bits(file: int) -> str:
        lengths = list(decode_all(selection.only(file), decode_length))  # to its end: it may hold too many
        return np.packbits(np.array(lengths, np.int64) >= min_length).tobytes().hex()

    told = processes.shared(range(len(selection.files)), bits)
    return np.concatenate([_unpacked(text, count) for text, count in zip(told, selection.examples)])


def _unpacked(text: str, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8), count=count).astype(bool)
