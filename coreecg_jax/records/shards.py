"""TFRecord shards by tensorflow-datasets. TensorFlow is loaded when a data set is written, not before."""

import contextlib
import io
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.one_recording import Outcome
from coreecg_jax.records.refusals import NothingReadable
from coreecg_jax.records.schema import FIELDS, Field

VERSION = "1.0.0"
Split = tuple[list[Outcome], Iterator[Outcome]]  # outcomes up to the first with an example, and the others


def write_shards(
    data_dir: Path,
    name: str,
    window_samples: int,
    outcomes: Mapping[str, Iterable[Outcome]],
    on_outcome: Callable[[Outcome], None],
) -> Path:
    """Writes the examples of each split to `data_dir/name/VERSION` and returns that folder.

    `on_outcome` sees every outcome, split after split. A split without any example gets no file.
    tensorflow-datasets orders examples by a hash of their keys, and the fields of each are written in the
    order of their names: equal input gives equal bytes.

    Raises:
      ValueError: when no split has an example.
    """
    splits = _with_examples(name, outcomes, on_outcome)
    builder = _builder_class(name, window_samples, splits, on_outcome)(data_dir=data_dir)
    config = _tensorflow_datasets().download.DownloadConfig(try_download_gcs=False)
    # Its greeting would announce the staging folder as the final one.
    with contextlib.redirect_stdout(io.StringIO()), _fields_in_order():
        builder.download_and_prepare(download_config=config)
    return Path(builder.data_dir)


def _tensorflow_datasets() -> Any:
    """The package, quiet."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # announces itself where it is on, whatever the level
    import tensorflow_datasets as tfds

    logger = logging.getLogger("absl")
    logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))  # never louder than it was
    tfds.disable_progress_bar()
    return tfds


def _fields_in_order() -> contextlib.AbstractContextManager[Any]:
    """While it lasts, tensorflow-datasets writes the fields of an example in one order.

    The package has no setting for it, and protobuf orders the entries of a map differently in each process.
    """
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    def serialize(self: Any, example: Any) -> bytes:
        return self.get_tf_example(example).SerializeToString(deterministic=True)

    return mock.patch.object(ExampleSerializer, "serialize_example", serialize)


def _builder_class(
    name: str, window_samples: int, splits: Mapping[str, Split], on_outcome: Callable[[Outcome], None]
) -> Any:
    tfds = _tensorflow_datasets()

    class Shards(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Windows of 12-lead ECG, with the features of `schema.FIELDS`."""

        VERSION = tfds.core.Version(VERSION)
        # No checksum files beside this module; looking for them needs a package that tfds does not install.
        code_path = None

        def _info(self) -> Any:
            features = {key: _feature(tfds, field, window_samples) for key, field in FIELDS.items()}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager: Any) -> Any:
            del dl_manager  # nothing is downloaded
            return {split: self._generate_examples(*parts) for split, parts in splits.items()}

        def _generate_examples(self, head: list[Outcome], rest: Iterator[Outcome]) -> Any:
            for outcome in itertools.chain(head, rest):
                on_outcome(outcome)
                for example in outcome.examples:
                    yield f"{example['recording_id']}#{example['window']}", example

    Shards.name = name
    return Shards


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


def _with_examples(
    name: str, outcomes: Mapping[str, Iterable[Outcome]], on_outcome: Callable[[Outcome], None]
) -> dict[str, Split]:
    """Splits that have an example; the package cannot write the others."""
    splits: dict[str, Split] = {}
    refused: list[Outcome] = []
    for split, found in outcomes.items():
        rest, head = iter(found), []
        for outcome in rest:
            head.append(outcome)
            if outcome.examples:
                splits[split] = (head, rest)
                break
        else:
            for outcome in head:
                on_outcome(outcome)
            refused += head
    if not splits:
        first = f"; the first: {refused[0].line['sentence']}" if refused else ""
        raise NothingReadable(
            f"{name}: expected a recording that can be read, got {len(refused)} refused ones{first}"
        )
    return splits
