"""What a training or evaluation step receives."""

from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.records import schema
from coreecg_jax.records.leads import LEADS

# numpy on the host, jax once it has passed `transfer.to_devices`.
Array = Any


class Batch(NamedTuple):
    """A batch of B windows of W samples, leads in the order of `records.leads.LEADS`."""

    ecg: Array  # int16 (B, 12, W), units of `Preprocessing.microvolts_per_unit`; zero after `length`
    length: Array  # int32 (B,), valid samples from the start of the window
    available: Array  # bool (B, 12), whether a lead carries signal
    patient: Array  # uint32 (B,), windows with equal keys are of one patient


def empty_batch(batch_size: int, window_samples: int) -> Batch:
    """Zeros, to be filled on the host."""
    return Batch(
        ecg=np.zeros((batch_size, len(LEADS), window_samples), np.int16),
        length=np.zeros(batch_size, np.int32),
        available=np.zeros((batch_size, len(LEADS)), bool),
        patient=np.zeros(batch_size, np.uint32),
    )


def available_leads(quality: np.ndarray) -> np.ndarray:
    """Which leads carry signal, from their `schema.LeadFlag` bits: any integer shape, bool of that shape."""
    return (quality & int(schema.UNAVAILABLE)) == 0
