"""Which evaluations are by one run: of the same parameters, or of two steps of one training.

A run that trains on has other parameters at each step. Were each of them another run, the step could be
chosen by the test, one first opening after the other.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.provenance import digest_of_encoder, digest_of_json
from coreecg_jax.method.network import CoReECG
from coreecg_jax.training.identity import FREE_ON_RESUME

RUN = "this run"
ALIKE = "a run that a bundle does not tell from this one (of its network, data and seed, at another step)"
RIVALS_PROTOCOL = "linear"  # of random convolutions, whatever is asked (`methods`)
_LISTED = "checkpoints", "training"  # of an identity, what one in common is enough of
_NOT_LEARNT = "parent", "name", "dtype"  # of a network: a bundle computes in float32, whatever it learnt in


def identity_of(encoders: Sequence[Encoder], subset: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    """What makes it the same run that opens a test, whatever else was set; JSON."""
    # Of the encoder too: a bundle of the same run may have left out the rest.
    checkpoints = {digest for e in encoders for digest in (e.digest, digest_of_encoder(e.pretrained))}
    return {
        "checkpoints": sorted(checkpoints),
        "training": [training_of(encoder) for encoder in encoders],
        "subset": dict(subset),
        "protocol": protocol if encoders else RIVALS_PROTOCOL,
    }


def who(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """`RUN` or `ALIKE` where two identities are of one run: a checkpoint or a training in common, and the
    same subset and protocol; else None. Identities of before do not say of which training they are."""
    ours, theirs = (json.loads(json.dumps(dict(one))) for one in (before, now))  # as a line of the log has it
    ours.pop("task", None)  # lines of before had the whole task, whose name made another run of it
    for one in (ours, theirs):
        if one.get("checkpoints") == []:
            one["protocol"] = RIVALS_PROTOCOL  # lines of before say what was asked, which changes nothing
        if one.get("subset", {}).get("fraction") == 1:
            one["subset"].pop("repeat", None)  # all labels are one draw, whatever its number
    rest = [{name: each for name, each in one.items() if name not in _LISTED} for one in (ours, theirs)]
    return of_one_run(ours, theirs) if rest[0] == rest[1] else None


def of_one_run(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The same whatever the subset and protocol; without any encoder on both sides it is the rival's run."""
    if before == now:
        return RUN
    if any("checkpoints" not in each for each in (before, now)):
        return None  # nobody says who it was
    one, other = (set(each["checkpoints"]) for each in (before, now))
    if one == other or one & other:
        return RUN
    trainings = [each.get("training", ()) for each in (before, now)]
    found = {of_one_training(a, b) for a in trainings[0] for b in trainings[1]}
    return next((relation for relation in (RUN, ALIKE) if relation in found), None)


def require_comparable(identity: Any) -> None:
    """Raises TypeError or KeyError where a line of the log is none that `who` can compare."""
    who(identity, identity)
    for training in identity.get("training", ()):
        for name in ("run", "described", "step"):
            training[name]


def steps_of(identity: Mapping[str, Any]) -> str:
    """' at step 500', as far as it is known."""
    steps = sorted({each["step"] for each in identity.get("training", ())})
    return f" at step {', '.join(map(str, steps))}" if steps else ""


def training_of(encoder: Encoder) -> dict[str, Any]:
    """Of which training it is, but for the step: `run` says all of it, '' of a bundle; `described`, what both
    a run and its bundles say."""
    free = {name.removeprefix("config.") for name in FREE_ON_RESUME}
    learnt = {name: value for name, value in encoder.settings.items() if name not in free}
    data = {name: known for name, known in encoder.data_digests.items() if known}
    described = {
        "method": encoder.settings.get("training.method" if encoder.bundle else "method"),
        "seed": encoder.seed,
        "data": [encoder.trained_on, data],
        "preprocessing": dataclasses.asdict(encoder.preprocessing),
        "crop_samples": round(encoder.crop_seconds * encoder.preprocessing.sampling_rate),
        "network": _network(encoder.network),
    }
    run = "" if encoder.bundle else digest_of_json([learnt, data])
    return {"run": run, "described": digest_of_json(described), "step": encoder.step}


def _network(network: CoReECG) -> dict[str, Any]:
    """What is not the default, so that a field that comes later does not make it another network."""
    fields = network.__dataclass_fields__.items()
    values = {name: getattr(network, name) for name, _ in fields if name not in _NOT_LEARNT}
    return {name: values[name] for name, field in fields if name in values and values[name] != field.default}


def of_one_training(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """`RUN` or `ALIKE` where two of `training_of` are steps of one; else None."""
    if before["run"] and now["run"]:
        return RUN if before["run"] == now["run"] else None
    # One training has one set of parameters at a step, and these are others.
    alike = before["described"] == now["described"] and before["step"] != now["step"]
    return ALIKE if alike else None
