"""From the folder of a bundle to the bundle, every check before anything is allocated."""

from pathlib import Path
from typing import Any

from coreecg_jax.export import folder, hub, migration
from coreecg_jax.export.bundle import Bundle
from coreecg_jax.export.description import Description, read_description
from coreecg_jax.export.parsing import parse_json
from coreecg_jax.export.parts import part_of
from coreecg_jax.export.shapes import network_shapes
from coreecg_jax.export.tensors import Shapes, nested, read_tensors
from coreecg_jax.method.views import FDA

RELEASED = Path(__file__).parent / "released"


def load(path: Path | str = RELEASED) -> Bundle:
    """A bundle that `launch.export` wrote, from its folder or from a model hub; or the released encoder.

    Nothing in it is executed; sizes, names, types and shapes are checked before anything is allocated.

    Args:
      path: the folder; or 'hf://ORGANISATION/NAME', with '@REVISION' for one state of it (`hub`); default:
        the encoder that comes with the package (docs/export.md says what it was trained on, and what it is
        worth).

    Raises:
      FileNotFoundError: when there is none.
      BundleRefused: when it was damaged or changed, or is of a newer version; says what.
    """
    where = hub.downloaded(path) if str(path).startswith(hub.PREFIX) else Path(path)
    sums = folder.read_sums(where)
    for name in folder.NEEDED:
        folder.intact(where, name, sums)
    return read_bundle(where)


def read_bundle(where: Path) -> Bundle:
    """A bundle from its two needed files, whatever their digests; `load` asks for those."""
    text = (where / folder.CONFIG).read_bytes()
    description, version = read_description(text), migration.version_of(parse_json(text, folder.CONFIG))
    held = migration.older_shapes(expected_tensors(description), version)
    tree = nested(migration.migrated_tensors(read_tensors(where / folder.TENSORS, held), version))
    return Bundle(description, tree["network"], tree["fda"])


def expected_tensors(description: Description) -> Shapes:
    """Name -> shape of every tensor that a bundle of this version with such a description holds.

    Nothing is allocated, nor traced.
    """
    network: Any = description.network
    training, rate = description.training, description.preprocessing.sampling_rate
    shapes = {
        f"network.{name}": shape
        for name, shape in network_shapes(network).items()
        if part_of(name.partition(".")[0]) in description.parts
    }
    bands = len(FDA(mode=training.fda_mode).centres(training.crop_samples, rate))
    return shapes | {"fda.s": (bands,), "fda.a": ()}
