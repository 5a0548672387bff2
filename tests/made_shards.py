"""Shards for the tests: written by TensorFlow, laid out as a data set is."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from coreecg_jax.records import schema

# 2 s at 100 Hz keeps the files small.
PREPROCESSING = schema.Preprocessing(sampling_rate=100.0, window_seconds=2.0)


def example(number: int, source: str = "ptbxl", samples: int = 200, **changes: Any) -> dict[str, Any]:
    """The fields of one window, all different from those of any other number; as in `schema.FIELDS`."""
    rng = np.random.default_rng(number)
    quality = np.zeros(12, np.int64)
    quality[number % 12] = number % 16
    patient_id = f"p{number // 2}"
    fields = {
        "ecg": rng.integers(-32768, 32768, (12, samples)).astype("<i2"),
        "length": samples - number % 3 * 50,
        "quality": quality,
        "recording_id": f"r{number}",
        "window": number % 2,
        "patient_id": patient_id,
        "patient_key": schema.patient_key(source, patient_id),
        "source": source,
        "fold": number % 10 + 1,
        "labels": [f"é{code}" for code in range(number % 3)],
        "likelihoods": [float("nan"), 80.0][: number % 3],
        "age": float("nan") if number % 2 else 50.5,
        "sex": ["F", "M", ""][number % 3],
        "signal_hash": f"{number:016x}",
    }
    return {**fields, **changes}


def serialise(fields: dict[str, Any]) -> bytes:
    """A tf.train.Example of the fields, through TensorFlow."""
    import tensorflow as tf

    def feature(name: str, value: Any) -> Any:
        kind = schema.FIELDS[name].kind
        values = [value] if np.ndim(value) == 0 else value
        if kind == "signal":
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.tobytes()]))
        if kind == "text":
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in values]))
        if kind == "int":
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    features = {name: feature(name, value) for name, value in fields.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_data_set(
    root: Path,
    name: str,
    splits: dict[str, list[list[bytes]]],
    version: str = "1.0.0",
    preprocessing: schema.Preprocessing = PREPROCESSING,
) -> Path:
    """A data set folder of serialised records, one list a shard of a split."""
    import tensorflow as tf

    folder = root / name / version
    folder.mkdir(parents=True)
    for split, shards in splits.items():
        for shard, records in enumerate(shards):
            path = folder / f"{name}-{split}.tfrecord-{shard:05d}-of-{len(shards):05d}"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for record in records:
                    writer.write(record)
    info = [
        {"name": split, "shardLengths": [str(len(r)) for r in shards]} for split, shards in splits.items()
    ]
    (folder / "dataset_info.json").write_text(json.dumps({"name": name, "splits": info}))
    (folder / "preprocessing.json").write_text(preprocessing.to_json())
    return folder


def records(start: int, stop: int, source: str = "ptbxl") -> list[bytes]:
    """Serialised windows of the given numbers."""
    return [serialise(example(number, source)) for number in range(start, stop)]
