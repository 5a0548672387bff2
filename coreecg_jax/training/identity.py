"""What a run is: its config, its data, the code and the packages that made it."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import jax
import ml_collections

from coreecg_jax.method.normalisation import RULE
from coreecg_jax.records.schema import OtherSettings, Preprocessing
from coreecg_jax.training.own_code import version_of_code
from coreecg_jax.training.processes import texts

PACKAGES = ("coreecg-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
# What may differ between the start of a run and its resumption. The first change no result; the next five
# change the order of sums or their rounding, as other devices do; the last decides about a shard that was
# damaged meanwhile, and is told by the metrics.
FREE_ON_RESUME = (
    "config.run.log_every",
    "config.run.checkpoint_every",
    "config.run.max_skipped_in_a_row",
    "config.run.probe_task",
    "config.data.root",
    "config.data.packed",
    "config.data.placement",
    "config.run.steps_per_dispatch",
    "config.run.fsdp",
    "config.run.remat",
    "config.run.attention",
    "config.data.on_corrupt",
)


_COMPARED = ("config", "preprocessing", "normalisation", "data", "shards")
_WHERE_KNOWN = "shards."  # of a data set that was copied without its digests nothing is said


def program(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """What a run says of itself before it looks at its data: a part of `describe`."""
    return {
        "config": json.loads(config.to_json_best_effort()),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": version_of_code(),
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def describe(
    config: ml_collections.ConfigDict,
    preprocessing: Preprocessing,
    data: Mapping[str, Mapping[str, str]],
    shards: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """What a run says of itself, as JSON has it.

    Args:
      config: of the run, resolved.
      preprocessing: of its data: rate, window, filters, unit, names of the leads.
      data: digests of manifests by data set, for 'train' and 'validation'.
      shards: the same of their shards, for those of which they are known.
    """
    return program(config) | {
        "preprocessing": json.loads(preprocessing.to_json()),
        "normalisation": RULE,
        "data": {use: dict(digests) for use, digests in data.items()},
        "shards": {use: dict(digests) for use, digests in (shards or {}).items()},
    }


def require_same_run(saved: dict[str, Any], asked: dict[str, Any], workdir: str) -> None:
    """Raises OtherSettings, listing fields, when a run would go on with other settings or data than it began
    with. What an older version did not note (its data, its normalisation) is not compared."""
    parts = [name for name in _COMPARED if saved.get(name)]
    before, now = (flat({name: about[name] for name in parts}) for about in (saved, asked))
    differing = [
        f"{name}: {before.get(name)!r} in the run, {now.get(name)!r} asked"
        for name in differences(before, now)
        if name not in FREE_ON_RESUME
    ]
    if differing:
        raise OtherSettings(
            f"{workdir} holds a run with other settings ({'; '.join(differing)}): "
            "choose another --workdir, or the settings of that run"
        )


def require_same_everywhere(about: dict[str, Any]) -> None:
    """Raises OtherSettings, in all processes of a run, when they were not all started with the same settings,
    data, code and packages; the differing fields are listed."""
    first, *others = (flat(json.loads(text)) for text in texts(json.dumps(about)))
    for number, other in enumerate(others, start=1):
        differing = [
            f"{name}: {first.get(name)!r} in process 0, {other.get(name)!r} in process {number}"
            for name in differences(first, other)
        ]
        if differing:
            raise OtherSettings(
                f"the processes of the run were started differently ({'; '.join(differing[:5])}): start all "
                "with the same command, code and data"
            )


def require_same_arrays(saved: dict[str, str], asked: dict[str, str], step: str) -> None:
    """Raises OtherSettings when a checkpoint holds other arrays than the state: nothing is restored in part.

    Args:
      saved, asked: 'float32[8,3]' by path.
      step: the checkpoint's folder.
    """
    differing = [
        f"{name}: {saved.get(name, 'none')} in the checkpoint, {asked.get(name, 'none')} expected"
        for name in differences(saved, asked)
    ]
    if differing:
        more = f"; and {len(differing) - 5} more" if len(differing) > 5 else ""
        raise OtherSettings(
            f"{step} holds other arrays than this version trains ({'; '.join(differing[:5])}{more}): go on "
            "with the version that began the run, or choose another --workdir"
        )


def changed_code(saved: dict[str, Any], now: dict[str, Any]) -> str:
    """'commit abc, now def; jax 0.10.1, now 0.10.2': why a resumed run may not be the same to the bit."""
    before, after = (about["versions"] | {"commit": about.get("commit", "")} for about in (saved, now))
    changes = (name for name in differences(before, after) if before.get(name))
    return "; ".join(f"{name} {before[name]}, now {after.get(name) or 'unknown'}" for name in changes)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterable[str]:
    """Names that do not have the same value in both, in order; a digest of shards that one of them does not
    know is no difference."""
    names = (name for name in sorted({*before, *now}) if before.get(name) != now.get(name))
    return (name for name in names if not name.startswith(_WHERE_KNOWN) or (name in before and name in now))


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} as {'a.b': 1}."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        leaves.update(flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return leaves
