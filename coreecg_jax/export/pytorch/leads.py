"""Which leads are there, and whether training ever left the encoder so few."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from torch import Tensor

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")  # any two of them determine the others
LEADS = (*LIMB_LEADS, "V1", "V2", "V3", "V4", "V5", "V6")
# From the caller of a torch.nn.Module to here: `forward`, and two functions of torch before it.
_CALLER = 5
TOLD = 3  # sets of leads of one batch: of more, each with its sentence, nobody would read one


class UnseenLeads(UserWarning):
    """An embedding from fewer leads than the encoder ever saw in training."""


class Training(NamedTuple):
    """What training left to the encoder, and what is known of its accuracy."""

    fewest_leads: int
    accuracy: tuple[tuple[frozenset[str], str], ...]  # leads, those that can be derived too, and a sentence


def training_of(config: Mapping[str, Any]) -> Training:
    """From the fields of config.json.

    Raises:
      KeyError, TypeError, ValueError: when one is missing or of another type.
    """
    known = tuple(
        (
            _derivable(one["leads"]),
            f"{one['task']}, {one['probe']}, leads {', '.join(one['leads'])}: macro AUROC "
            f"{one['macro_auroc']:.3f} ({one['low']:.3f} to {one['high']:.3f})",
        )
        for one in config["accuracy"]
    )
    return Training(config["training"]["fewest_leads"], known)


def warn_of_unseen(available: Tensor, training: Training) -> None:
    """Warns of every set of leads in bool [B, 12] that is smaller than any that training left.

    Of more than `TOLD` sets it says so in one sentence, always the same, which Python shows once. A row
    without a lead has no embedding, and no warning. Nor is there one where the values are not known, as under
    `torch.func.vmap` and on the device 'meta'.
    """
    try:
        rows = available.tolist()
    except RuntimeError:
        return
    sets = [
        [lead for lead, is_there in zip(LEADS, there) if is_there] for there in sorted(set(map(tuple, rows)))
    ]
    unseen = [names for names in sets if names and len(_derivable(names)) < training.fewest_leads]
    sentences = [_unseen(names, training) for names in unseen] if len(unseen) <= TOLD else [_many(training)]
    for sentence in sentences:
        warnings.warn(sentence, UnseenLeads, stacklevel=_CALLER)


def _many(training: Training) -> str:
    return (
        f"more than {TOLD} sets of leads in one batch: training never left the encoder fewer than "
        f"{training.fewest_leads} leads, as these are. Hand in one set at a time to be told what is known of "
        "its accuracy; train() says nothing"
    )


def _unseen(names: Collection[str], training: Training) -> str:
    known = [sentence for leads, sentence in training.accuracy if leads == _derivable(names)]
    return (
        f"leads {', '.join(names)} alone: training never left the encoder fewer than "
        f"{training.fewest_leads} leads. Accuracy of these: {'; '.join(known) or 'nothing known'}"
    )


def _derivable(names: Collection[str]) -> frozenset[str]:
    """These leads, and those that two limb leads among them determine."""
    limb = set(names) & set(LIMB_LEADS)
    return frozenset(names) | (frozenset(LIMB_LEADS) if len(limb) >= 2 else frozenset())
