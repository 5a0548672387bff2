"""Whether a result that is there may be written over: it answers the same question about the same runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.result_files import Report
from coreecg_jax.downstream.same_run import of_one_training, training_of
from coreecg_jax.training.identity import differences, flat

_DIGITS = 8  # of a digest in a name


def require_same_question(
    file: Path, before: Report, question: Mapping[str, Any], encoders: Sequence[Encoder]
) -> None:
    """Refuses to write over a result of another question or other runs; those of before do not say theirs.

    A run that went on is the same; another of that folder's name is not, where the result says its training.

    Raises:
      ValueError: naming what differs.
    """
    if "asked" not in before:
        return
    there, now = flat(before["asked"]), flat(question)
    differing = [f"{name} {there.get(name)} there, {now.get(name)} asked" for name in differences(there, now)]
    known = before["encoders"]
    same = len(known) == len(encoders) and all(map(_is_same, known, encoders))
    if not same:
        asked = [{**vars(encoder), "training": training_of(encoder)} for encoder in encoders]
        differing.append(f"checkpoints {_texts(known)} there, {_texts(asked)} asked")
    if differing:
        raise ValueError(
            f"{file} holds a result of other settings ({'; '.join(differing)}): name another file by --out, "
            "or move that one"
        )


def told(name: str, digest: str = "") -> str:
    """A folder by its own name, however it was reached; of a bundle, as many have one name, its digest."""
    return "_".join([Path(name).resolve().name, *([digest[:_DIGITS]] if digest else [])])


def _is_same(before: Mapping[str, Any], now: Encoder) -> bool:
    """Of bundles by name and digest, as runs alone go on and stay the same question."""
    if before["pooling"] != now.pooling or bool(before.get("bundle")) != bool(now.bundle):
        return False
    if now.bundle or "training" not in before:
        return _told_of(before) == _told_of(vars(now))
    return before["digest"] == now.digest or of_one_training(before["training"], training_of(now)) is not None


def _told_of(encoder: Mapping[str, Any]) -> str:
    return told(encoder["name"], encoder["digest"] if encoder.get("bundle") else "")


def _texts(encoders: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = []
    for each in encoders:
        training = each.get("training", {}).get("run", "")  # neither bundles nor results of before say it
        of_training = f" of training {training[:_DIGITS]}" if training else ""
        texts.append(f"{_told_of(each)} by {each['pooling']}{of_training}")
    return texts
