"""How far what is filled in is from what was hidden: `filling.reconstruct` itself, on held-out recordings."""

from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.export import filling
from coreecg_jax.export.description import Description, Recovery
from coreecg_jax.records.leads import LEADS, LIMB_LEADS, lead_indices

AT_ONCE = 32  # crops; the last are filled up, so that all have one shape
HIDDEN_SECONDS = 1.0  # of the question with all leads, in the middle of the crop


class Held(NamedTuple):
    """Crops of held-out recordings, as long as those of training."""

    data: str  # where they are from
    ecg_BLT: np.ndarray  # float32 mV, conditioned; as `filling.reconstruct` takes them
    available_BL: np.ndarray  # bool
    length_B: np.ndarray  # int32, valid samples


class Question(NamedTuple):
    """What is left of a recording."""

    leads: tuple[str, ...]
    hidden: tuple[tuple[float, float], ...] = ()  # spans in seconds of the crop, in all leads


def usual_questions(description: Description) -> tuple[Question, ...]:
    """All leads with a hidden span in the middle; the limb leads; I, II and V2; I alone."""
    rate, patch = description.preprocessing.sampling_rate, description.network.patch
    columns = description.training.crop_samples // patch
    span = min(int(np.ceil(HIDDEN_SECONDS * rate / patch)), columns - 1)
    first = (columns - span) // 2
    middle = (first * patch / rate, (first + span) * patch / rate)
    alone = (LIMB_LEADS, ("I", "II", "V2"), ("I",))
    return (Question(LEADS, (middle,) if span else ()), *(Question(leads) for leads in alone))


def question_of(text: str) -> Question:
    """A question as one writes it: `I,II,V2`, or with hidden spans in seconds `I,II,V2@1.0:2.0,3.0:3.5`.

    Raises:
      UnknownLeadError, ValueError: when it is none.
    """
    names, _, spans = text.partition("@")
    leads = tuple(LEADS[place] for place in lead_indices(names.split(",")))
    try:
        hidden = [
            (float(a), float(b)) for a, _, b in (span.partition(":") for span in spans.split(",") if span)
        ]
    except ValueError:
        raise ValueError(f"expected LEAD,LEAD,…[@FROM:TO,…] with seconds of the crop, got {text!r}") from None
    return Question(leads, tuple(hidden))


def judged(description: Description, parameters: dict[str, Any], held: Held, question: Question) -> Recovery:
    """The error of each lead where it is generated, over all recordings that have the leads asked for.

    Raises:
      ValueError: when no recording has them, nothing is generated, or spans lie outside the crop.
    """
    given_L = np.zeros(len(LEADS), bool)
    given_L[list(lead_indices(question.leads))] = True
    rows = np.flatnonzero(held.available_BL[:, given_L].all(1))
    if not len(rows):
        raise ValueError(f"{held.data}: expected recordings with {', '.join(question.leads)}, got none")
    squares_QL, samples_L = np.zeros((2, len(LEADS))), np.zeros(len(LEADS))
    for first in range(0, len(rows), AT_ONCE):
        some = np.minimum(np.arange(first, first + AT_ONCE), len(rows) - 1)
        real_B = np.arange(first, first + AT_ONCE) < len(rows)
        ecg_BLT, length_B = held.ecg_BLT[rows[some]], held.length_B[rows[some]]
        given_BL = np.broadcast_to(given_L, (AT_ONCE, len(LEADS)))
        made = filling.reconstruct(description, parameters, ecg_BLT, given_BL, length_B, question.hidden)
        known_BL1 = (held.available_BL[rows[some]] & real_B[:, None])[:, :, None]
        inside_B1T = (np.arange(ecg_BLT.shape[-1])[None] < length_B[:, None])[:, None]
        compared_BLT = made.generated_BLT & known_BL1
        truth_BLT = ecg_BLT.astype(np.float64)
        mean_BL1 = np.mean(truth_BLT, axis=-1, keepdims=True, where=inside_B1T)
        for row, shown_BLT in enumerate((made.ecg_BLT, mean_BL1)):
            squares = np.where(compared_BLT, shown_BLT - truth_BLT, 0.0) ** 2
            squares_QL[row] += squares.sum((0, 2))
        samples_L += compared_BLT.sum((0, 2))
    if not samples_L.any():
        raise ValueError(f"{', '.join(question.leads)}: expected leads or spans that are hidden, got none")
    error, flat = (
        {lead: float(np.sqrt(x / n)) for lead, x, n in zip(LEADS, squares_L, samples_L) if n}
        for squares_L in squares_QL
    )
    return Recovery(held.data, len(rows), question.leads, question.hidden, error, flat)
