"""A sketch of the recordings of a test: little enough for a line of a log, and it tells whether two tests
have recordings in common, whatever their data sets and splits are called.

The k smallest digests of a set are a sample of it, and below one digest those of two sets are samples of both
by the same rule (bottom-k; Cohen and Kaplan 2007).
"""

import hashlib
from collections.abc import Sequence

from coreecg_jax.inputs.reader import Recordings

KEPT = 256
_DIGITS = 16  # hex, of each digest
# Of the smaller set: databases hold a few signals under two ids, in other splits and in one another; one fold
# of ten that was dealt anew holds a tenth of each of before.
_LEAST_SHARED = 0.02
# Digests, where a sketch lacks some: of a small test beside a large one few are compared, and one that is
# common by chance is more than a fiftieth of them.
_LEAST_OF_A_SAMPLE = 4


def sketch_of(recordings: Recordings) -> tuple[str, ...]:
    """The `KEPT` smallest digests of the raw signals, in order; of few recordings all."""
    signals = set(recordings.signal_hash.tolist()) - {""}
    return tuple(sorted(hashlib.sha256(one.encode()).hexdigest()[:_DIGITS] for one in signals)[:KEPT])


def meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the sets of two sketches share more than stray recordings; without one it is not known."""
    ours, theirs = (set(each) for each in (one, other))
    whole = [max(each) for each in (ours, theirs) if len(each) >= KEPT]
    if whole:  # below the last digest of both, each sketch lacks nothing
        ours, theirs = ({digest for digest in each if digest <= min(whole)} for each in (ours, theirs))
    least = _LEAST_OF_A_SAMPLE if whole else 1
    return len(ours & theirs) >= max(least, _LEAST_SHARED * min(len(ours), len(theirs)))
