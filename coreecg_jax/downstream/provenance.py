"""What a result rests on, as digests, and whether anything of its test was seen before."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from coreecg_jax.downstream.features import first_windows
from coreecg_jax.downstream.overlaps import Windows, names_of, same_signals
from coreecg_jax.downstream.recording_digests import recording_digests
from coreecg_jax.downstream.tokens import ENCODER
from coreecg_jax.inputs.reader import Recordings
from coreecg_jax.training.own_code import commit_of, digest_of_code, root

# What `digest_of_data` is of; another rule needs other words, as digests by equal words alone are compared.
# Results of before say none: theirs was of ids, raw signals, settings and labels.
DATA_RULE = "samples, lengths and quality of all windows, settings, patients and labels"
_VERSIONED = ("coreecg-jax", "jax", "flax", "numpy", "scipy", "scikit-learn")
_FOLDERS = ("coreecg_jax", "configs", "launch")  # the package, and what is installed beside it


class Overlap(NamedTuple):
    """How many of some recordings are known from elsewhere, one way or another."""

    recordings: int  # by source and id
    patients: int  # recordings of known patients
    signals: int  # by their hash: one recording under two ids
    alike: int  # by fingerprint and likeness: one signal at another rate or gain, cropped, or with noise


def digest_of_parameters(parameters: Mapping[str, Any]) -> str:
    """SHA-256 of a tree of arrays: of their paths, types, shapes and bytes."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        array = np.asarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def digest_of_encoder(parameters: Mapping[str, Any]) -> str:
    """The same of the encoder alone, of whatever else of its network there is beside it."""
    return digest_of_parameters({name: each for name, each in parameters.items() if name in ENCODER})


def digest_of_array(array: np.ndarray) -> str:
    """SHA-256 of the numbers of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def digest_of_names(names: np.ndarray) -> str:
    """SHA-256 of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names.tolist())).encode()).hexdigest()


def digest_of_json(value: Any) -> str:
    """SHA-256 of a JSON value, keys in order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_of_data(recordings: Recordings) -> str:
    """SHA-256 of what recordings are and how they were prepared (`DATA_RULE`), whatever their order."""
    firsts = first_windows(recordings)
    likelihoods = (tuple(map(float, each)) for each in firsts.likelihoods)
    columns = firsts.patient_id.tolist(), firsts.signal_hash.tolist(), firsts.labels, likelihoods
    lines = [repr(row) for row in zip(recording_digests(recordings), *columns, strict=True)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def code() -> dict[str, str]:
    """Digest of all files that make a result, and the commit they are of (`own_code.commit_of`)."""
    return {"digest": digest_of_code(_FOLDERS), "commit": commit_of(root(), _FOLDERS)}


def versions() -> dict[str, str]:
    """Of the packages that may be in the numbers of a result."""
    return {name: importlib.metadata.version(name) for name in _VERSIONED}


def program() -> dict[str, Any]:
    """What makes results now."""
    return {"code": code(), "versions": versions()}


def overlap(known: Windows, asked: Windows) -> Overlap:
    """How many of the asked recordings are known, or their patient, or their signal."""
    names, patients, signals = asked.recordings()
    alike = {pair.second for pair in same_signals(known, asked)} - set(known.names.tolist())
    return Overlap(
        recordings=int(np.isin(names, known.names).sum()),
        patients=int(np.isin(patients, known.patients).sum()),
        signals=int(np.isin(signals, known.signals).sum()),
        alike=int((np.isin(names, sorted(alike)) & ~np.isin(signals, known.signals)).sum()),
    )


def require_no_recording_twice(known: Recordings, asked: Recordings, known_as: str, asked_as: str) -> None:
    """Raises ValueError when a recording stands in both: a leak that no counting can mend."""
    ours, theirs = (np.unique(names_of(some.source, some.recording_id)) for some in (known, asked))
    shared = int(np.isin(theirs, ours).sum())
    if shared:
        raise ValueError(
            f"{known_as} and {asked_as} share {shared} of {len(theirs)} recordings: what was "
            "fitted or chosen by must not be asked about; correct the task's data specifications"
        )
