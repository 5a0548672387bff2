"""Bundles of older versions are read: each step takes a bundle from one version to the next.

A version is what `config.json` says and which tensors the file holds. Whoever adds a field to either, or
renames or reshapes a tensor, adds a version: `FORMAT_VERSION`, a step here, and a bundle of the version
before among those that the tests read (`tests/export/bundles`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.export.parts import PARTS
from coreecg_jax.export.refusal import BundleRefused
from coreecg_jax.export.tensors import Shapes

FORMAT = "coreecg-bundle"
FORMAT_VERSION = 4

Fields = dict[str, Any]
Tensors = dict[str, np.ndarray]


class Step(NamedTuple):
    """From one version to the next one.

    A file of tensors is compared with the shapes that it must have before it is read. So a step says what the
    older file holds, from what the newer one would, and then how the ones become the others.
    """

    config: Callable[[Fields], Fields]  # the fields of config.json, without format and version
    older_shapes: Callable[[Shapes], Shapes] = lambda shapes: shapes  # name -> shape, from the newer ones
    tensors: Callable[[Tensors], Tensors] = lambda tensors: tensors


def _from_version_1(raw: Fields) -> Fields:
    """Fields that version 1 lacks.

    Some of its bundles have a `recovery`: explained variance under the masks of training, which says nothing
    of what is shown for a set of leads; it is left out. Whether the decoder was trained follows from the
    method; another's ablation without reconstruction is not recognised.
    """
    training = raw.get("training")
    if isinstance(training, dict):
        trained = training.get("method") not in ("simclr", "cmsc")
        training = {"decoder_trained": trained, **training}
    return {**raw, "recovery": [], "training": training}


def _from_version_2(raw: Fields) -> Fields:
    """Until version 2 every bundle had the whole network."""
    return {**raw, "parts": list(PARTS)}


def _from_version_3(raw: Fields) -> Fields:
    """Until version 3 an accuracy stood alone, without what was asked beside it."""
    accuracy = raw.get("accuracy")
    if isinstance(accuracy, list):
        accuracy = [{"beside": {}, **one} if isinstance(one, dict) else one for one in accuracy]
    return {**raw, "accuracy": accuracy} if "accuracy" in raw else raw


# Version -> from it to the next one.
STEPS: dict[int, Step] = {
    1: Step(config=_from_version_1),
    2: Step(config=_from_version_2),
    3: Step(config=_from_version_3),
}


def version_of(raw: Mapping[str, Any], newest: int = FORMAT_VERSION) -> int:
    """The version of a bundle, from its `config.json`.

    Raises:
      BundleRefused: when it is no bundle, or of a version that is not known.
    """
    name, version = raw.get("format"), raw.get("format_version")
    if name != FORMAT or type(version) is not int:
        raise BundleRefused(
            f"config.json: expected format {FORMAT!r} with a format_version, got {str(name)[:60]!r} with "
            f"{str(version)[:20]!r}: no bundle of launch.export"
        )
    if version > newest:
        raise BundleRefused(
            f"config.json: format version {str(version)[:20]} is newer than this code, which reads up to "
            f"{newest}: install a newer coreecg-jax"
        )
    if version < 1:
        raise BundleRefused(
            f"config.json: expected a format version from 1 to {newest}, got {str(version)[:20]}"
        )
    return version


def migrated(
    raw: Mapping[str, Any], steps: Mapping[int, Step] = STEPS, newest: int = FORMAT_VERSION
) -> Fields:
    """The fields of `config.json` as the newest version has them, without format and version.

    Raises:
      BundleRefused: as `version_of`.
    """
    first = version_of(raw, newest)
    fields = {name: value for name, value in raw.items() if name not in ("format", "format_version")}
    for version in range(first, newest):
        fields = steps[version].config(fields)
    return fields


def older_shapes(
    shapes: Shapes, version: int, steps: Mapping[int, Step] = STEPS, newest: int = FORMAT_VERSION
) -> Shapes:
    """Name -> shape of the tensors in a file of a version, from those of the newest."""
    for step in range(newest - 1, version - 1, -1):
        shapes = steps[step].older_shapes(shapes)
    return shapes


def migrated_tensors(
    tensors: Tensors, version: int, steps: Mapping[int, Step] = STEPS, newest: int = FORMAT_VERSION
) -> Tensors:
    """The tensors of a file of a version as the newest one has them."""
    for step in range(version, newest):
        tensors = steps[step].tensors(tensors)
    return tensors
