"""What is read of a recording, as a digest: its samples as they were prepared, not what they came from.

The hash that a recording keeps is of its raw signal. The same raw signal prepared again, at a sampling rate
that was corrected or with other limits of quality, has other samples.
"""

import hashlib
from typing import Any

import numpy as np

from coreecg_jax.downstream.features import recording_rows
from coreecg_jax.inputs.reader import Recordings


def recording_digests(recordings: Recordings) -> list[str]:
    """SHA-256 of each of the R recordings, in the order of first appearance.

    Of how they were prepared, source, id, and of every window its number, length, quality and samples; equal
    whatever the order of the windows. 1 GB/s where the processor has instructions for SHA-256.
    """
    owner = recording_rows(recordings)
    settings = recordings.preprocessing.to_json().encode()
    hashes = [hashlib.sha256(settings) for _ in range(int(owner.max(initial=-1)) + 1)]
    for row in np.argsort(recordings.window, kind="stable").tolist():
        _add_window(hashes[owner[row]], recordings, row)
    return [each.hexdigest() for each in hashes]


def _add_window(total: Any, recordings: Recordings, row: int) -> None:
    """What is said of the window has as many samples as it says after it: nothing can run into another."""
    samples = np.ascontiguousarray(recordings.ecg[row])
    about = (
        str(recordings.source[row]),
        str(recordings.recording_id[row]),
        int(recordings.window[row]),
        int(recordings.length[row]),
        recordings.quality[row].tolist(),
        str(samples.dtype),
        samples.shape,
    )
    total.update(repr(about).encode())
    total.update(samples)
