"""Embeddings of any number of recordings, some in memory at a time; what cannot be used is a flagged row."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from coreecg_jax.export.bundle import AT_ONCE, Bundle
from coreecg_jax.export.recordings import Windows, conditioned_of, windows_of
from coreecg_jax.records import quality
from coreecg_jax.records.leads import LEADS
from coreecg_jax.records.recording import Recording
from coreecg_jax.records.refusals import RecordingRefused


class Row(NamedTuple):
    """What becomes of one recording."""

    id: str
    status: str  # 'embedded' or 'refused'
    reason: str  # code of a refusal, else ''
    sentence: str  # of a refusal, for a human
    windows: int  # of which the embedding is the mean
    leads: list[str]  # that were used
    unseen: bool  # fewer leads than training ever left to the encoder
    flags: list[int]  # schema.LeadFlag bits of each of the twelve leads; empty where it could not be read
    ignored: list[str]  # names of signals that are none of the twelve leads
    embedding: np.ndarray | None  # float32[F]


class _Tried(NamedTuple):
    """What reading and preparing made of one recording."""

    outcome: Windows | RecordingRefused
    flags: list[int]
    ignored: list[str]


def embedded(
    bundle: Bundle, recordings: Iterable[tuple[str, Callable[[], Recording]]], *, bad_leads: str = "mask"
) -> Iterator[list[Row]]:
    """Rows of some recordings at a time, in the order in which they are given.

    Args:
      bundle: the encoder.
      recordings: id, and a function that reads the recording.
      bad_leads: as of `Bundle.embed`.
    """
    places: set[int] = set()  # only grows, so that few programs are compiled
    for some in _blocks(recordings):
        tried = [(name, _prepared(read, bundle, bad_leads)) for name, read in some]
        usable = [one.outcome for _, one in tried if isinstance(one.outcome, Windows)]
        for windows in usable:
            places |= set(np.flatnonzero(windows.available_L).tolist())
        embeddings = iter(bundle.embed_windows(usable, sorted(places)) if usable else ())
        rows = []
        for name, (outcome, flags, ignored) in tried:
            if isinstance(outcome, RecordingRefused):
                said = "refused", str(outcome.reason), outcome.sentence
                rows.append(Row(name, *said, 0, [], False, flags, ignored, None))
                continue
            leads = [lead for lead, there in zip(LEADS, outcome.available_L) if there]
            about = len(outcome.length_X), leads, bundle.is_unseen(outcome.available_L), flags, ignored
            rows.append(Row(name, "embedded", "", "", *about, next(embeddings)))
        yield rows


def write_parquet(path: Path, batches: Iterable[list[Row]], bundle: Bundle) -> None:
    """Writes rows as they come, a row group for each list; `config.json` of the bundle is in the metadata."""
    about = {b"coreecg_bundle": bundle.description.to_json().encode()}
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("sentence", pa.string()),
            ("windows", pa.int32()),
            ("leads", pa.list_(pa.string())),
            ("unseen", pa.bool_()),
            ("flags", pa.list_(pa.int32())),
            ("ignored", pa.list_(pa.string())),
            # Not of a fixed length: pyarrow 25 does not read such a column back where one is null.
            ("embedding", pa.list_(pa.float32())),
        ],
        metadata=about,
    )
    with pq.ParquetWriter(path, schema) as writer:
        for rows in batches:
            columns = {
                name: [getattr(row, name) for row in rows] for name in Row._fields if name != "embedding"
            }
            embeddings = [None if row.embedding is None else row.embedding.tolist() for row in rows]
            writer.write_table(pa.table(columns | {"embedding": embeddings}, schema=schema))


def _blocks(
    recordings: Iterable[tuple[str, Callable[[], Recording]]],
) -> Iterator[list[tuple[str, Callable[[], Recording]]]]:
    remaining = iter(recordings)
    while some := list(itertools.islice(remaining, AT_ONCE)):
        yield some


def _prepared(read: Callable[[], Recording], bundle: Bundle, bad_leads: str) -> _Tried:
    try:
        raw = read()
    except RecordingRefused as refusal:
        return _Tried(refusal, [], [])
    ignored, preprocessing = list(raw.ignored_signals), bundle.description.preprocessing
    try:
        done = conditioned_of(raw, preprocessing, bad_leads=bad_leads)
    except RecordingRefused as refusal:
        flags_L = quality.lead_flags(raw.ecg_LT, raw.present_L, raw.sampling_rate)
        return _Tried(refusal, flags_L.tolist(), ignored)
    return _Tried(windows_of(done, preprocessing), done.flags_L.tolist(), ignored)
