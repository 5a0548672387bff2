"""What tensorflow-datasets decides about shards: their number, the order in them, examples, description.

Of that package only parts that do without TensorFlow are used, and it is loaded when a data set is written,
not before.
"""

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.schema import FIELDS, Field

VERSION = "1.0.0"
_AROUND = 400  # bytes of an example beside its samples, about


class Lengths(NamedTuple):
    """One shard as the description counts it."""

    examples: int
    bytes: int  # of the examples, without framing


def file_name(name: str, split: str, shard: int, shards: int) -> str:
    """'ptbxl-fold1.tfrecord-00000-of-00002'."""
    return f"{name}-{split}.tfrecord-{shard:05d}-of-{shards:05d}"


def number_of_shards(recordings: int, window_samples: int) -> int:
    """How many shards a split has by the rule of the package (64 to 128 MiB up to 64 GiB in all).

    The package counts what was written; here each recording is taken for one window, so that nothing need
    be read before.
    """
    from tensorflow_datasets.core.utils.shard_utils import ShardConfig

    example = 2 * len(LEADS) * window_samples + _AROUND
    return ShardConfig.calculate_number_shards(recordings * example, recordings)


def hash_of(split: str) -> Callable[[str], int]:
    """The 128 bits by which the package orders the examples of a split."""
    from tensorflow_datasets.core.hashing import Hasher

    return Hasher(split).hash_key


def shard_of(key: int, shards: int) -> int:
    """The shard of a hash: equal stretches of the 128 bits, as the package has them."""
    return (key * shards) >> 128


@functools.cache
def encoder(window_samples: int) -> Callable[[Mapping[str, Any]], bytes]:
    """A function that writes the fields of an example, in the order of their names, as a tf.train.Example.

    The package's own call leaves the order of the fields to protobuf, which has another in each process.
    """
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    features = _features(window_samples)
    serializer = ExampleSerializer(features.get_serialized_info())

    def encode(example: Mapping[str, Any]) -> bytes:
        return serializer.get_tf_example(features.encode_example(example)).SerializeToString(
            deterministic=True
        )

    return encode


def write_description(
    folder: Path, name: str, window_samples: int, splits: Mapping[str, Sequence[Lengths]]
) -> None:
    """Writes `dataset_info.json` and `features.json`, by which tensorflow-datasets opens the folder.

    Args:
      folder: of the shards.
      name: of the data set.
      window_samples: of an example.
      splits: for each split its shards, in order.
    """
    tfds = _tensorflow_datasets()
    from etils import epath
    from tensorflow_datasets.core import naming
    from tensorflow_datasets.core import splits as splits_lib

    class Shards(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Windows of 12-lead ECG, with the features of `schema.FIELDS`."""

        VERSION = tfds.core.Version(VERSION)
        # No checksum files beside this module; looking for them needs a package that tfds does not install.
        code_path = None

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(builder=self, features=_features(window_samples))

        def _split_generators(self, dl_manager: Any) -> Any:
            raise NotImplementedError(dl_manager)  # the shards are there

        def _generate_examples(self, **kwargs: Any) -> Any:
            raise NotImplementedError(kwargs)

    Shards.name = name
    infos = [
        splits_lib.SplitInfo(
            name=split,
            shard_lengths=[shard.examples for shard in shards],
            num_bytes=sum(shard.bytes for shard in shards),
            filename_template=naming.ShardedFileTemplate(
                data_dir=epath.Path(folder), dataset_name=name, split=split, filetype_suffix="tfrecord"
            ),
        )
        for split, shards in splits.items()
    ]
    info = Shards(data_dir=folder).info
    info.set_splits(splits_lib.SplitDict(infos))
    info.write_to_directory(folder)


def _tensorflow_datasets() -> Any:
    """The package, quiet."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # announces itself where it is on, whatever the level
    import tensorflow_datasets as tfds

    logger = logging.getLogger("absl")
    logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))  # never louder than it was
    return tfds


def _features(window_samples: int) -> Any:
    """The tensorflow-datasets features of an example."""
    tfds = _tensorflow_datasets()
    features = {key: _feature(tfds, field, window_samples) for key, field in FIELDS.items()}
    return tfds.features.FeaturesDict(features)


def _feature(tfds: Any, field: Field, window_samples: int) -> Any:
    """The tensorflow-datasets feature of one field."""
    if field.kind == "signal":
        return tfds.features.Tensor(shape=(len(LEADS), window_samples), dtype=np.int16, encoding="bytes")
    if field.kind == "text":
        scalar = tfds.features.Text()
    else:
        scalar = tfds.features.Scalar(np.int64 if field.kind == "int" else np.float32)
    if field.shape == (None,):
        return tfds.features.Sequence(scalar)
    return tfds.features.Tensor(shape=field.shape, dtype=np.int64) if field.shape else scalar
