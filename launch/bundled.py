"""Encoders of exported bundles, as the rooms downstream receive them."""

import json
from pathlib import Path

import jax

from coreecg_jax.downstream.methods import Encoder
from coreecg_jax.downstream.provenance import digest_of_parameters
from coreecg_jax.export.description import Description, Representation
from coreecg_jax.export.folder import NEEDED, TENSORS, read_sums
from coreecg_jax.export.hub import PREFIX, downloaded
from coreecg_jax.export.loading import RELEASED, load
from coreecg_jax.inputs.selection import named_splits
from coreecg_jax.training.identity import flat
from coreecg_jax.training.state import init_parameters

NAME = "released"  # stands for the folder of the encoder that comes with the package


def bundle_at(name: str) -> Path | None:
    """The folder of the bundle that `name` means, downloaded where it is one of a hub; None where it is none.

    Raises:
      ValueError, FileNotFoundError: as `export.hub.downloaded`.
    """
    if name.startswith(PREFIX):
        return downloaded(name)
    if name == NAME and not Path(name).is_dir():
        return RELEASED
    return Path(name) if Path(name, TENSORS).is_file() else None


def encoder_of_bundle(where: Path, name: str, pooling: str | None = None) -> Encoder:
    """The encoder of a bundle, as trained and, by its architecture and seed, as drawn before its first step.

    Args:
      where: its folder.
      name: by which it is asked for.
      pooling: of the representation; None: the bundle's own.

    Raises:
      FileNotFoundError, BundleRefused: as `export.loading.load`.
    """
    bundle, sums = load(where), read_sums(where)
    about, training = bundle.description, bundle.description.training
    return Encoder(
        name=name,
        step=training.step,
        seed=training.seed,
        crop_seconds=training.crop_samples / about.preprocessing.sampling_rate,
        preprocessing=about.preprocessing,
        trained_on=training.data,
        network=about.network,
        pretrained=bundle.parameters,
        untrained=init_parameters(about.network, jax.random.key(training.seed)),
        digest=digest_of_parameters(bundle.parameters),
        pooling=pooling or about.representation.pooling,
        crops=_crops(about.representation, pooling),
        data_digests=_manifests(about),
        settings=_settings(about),
        bundle={file: sums[file] for file in NEEDED},
    )


def _crops(own: Representation, pooling: str | None) -> int:
    """Those that it embeds with; of another pooling it says nothing, and rhythm reads whole windows."""
    return own.crops if own.pooling != "rhythm" and pooling in (None, own.pooling) else Encoder.crops


def _manifests(about: Description) -> dict[str, str]:
    """Digests by data set; '' of those that were not at hand when the bundle was written."""
    names = {split.partition(":")[0] for split in named_splits(about.training.data)}
    return {name: about.training.manifests.get(name, "") for name in sorted(names)}


def _settings(about: Description) -> dict[str, object]:
    """What a bundle says of how its encoder was trained, but for seed and data, field -> value."""
    said = json.loads(about.to_json())
    apart = ("seed", "step", "data", "manifests")  # told otherwise, or not the same in two seeds
    said["training"] = {name: value for name, value in said["training"].items() if name not in apart}
    return flat({name: said[name] for name in ("network", "training")} | {"data": about.training.data})
