"""Bundles of older versions are read: each step takes `config.json` from one version to the next."""

from collections.abc import Callable, Mapping
from typing import Any

from coreecg_jax.export.refusal import BundleRefused

FORMAT = "coreecg-bundle"
FORMAT_VERSION = 1

# Version -> from it to the next one; a new version of the format adds a step here, and a test.
STEPS: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def migrated(
    raw: dict[str, Any],
    steps: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = STEPS,
    newest: int = FORMAT_VERSION,
) -> dict[str, Any]:
    """The fields of `config.json` as the newest version has them, without format and version.

    Raises:
      BundleRefused: when it is no bundle, or of a version that is not known.
    """
    rest = dict(raw)
    name, version = rest.pop("format", None), rest.pop("format_version", None)
    if name != FORMAT or type(version) is not int:
        raise BundleRefused(
            f"config.json: expected format {FORMAT!r} with a format_version, got {str(name)[:60]!r} with "
            f"{str(version)[:20]!r}: no bundle of launch.export"
        )
    if not version <= newest:
        raise BundleRefused(
            f"config.json: format version {version} is newer than this code, which reads up to {newest}: "
            "install a newer coreecg-jax"
        )
    while version < newest:
        if version not in steps:
            raise BundleRefused(f"config.json: expected a format version from 1 to {newest}, got {version}")
        rest, version = steps[version](rest), version + 1
    return rest
