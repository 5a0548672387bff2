"""From a data specification such as ``'ptbxl:fold1-8, ludb'`` to the shard files it names.

A specification is a comma separated list of ``NAME[:SPLIT[+SPLIT...]]``. ``fold1-8`` is short for
``fold1+fold2+...+fold8``; no split, or ``all``, means every split. Data sets lie under one root as
``<root>/<name>/<version>/``; of several versions the newest is taken.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from coreecg_jax.inputs.together import ALONE, Processes
from coreecg_jax.records.schema import MANIFEST_FILE, PREPROCESSING_FILE, Preprocessing

DATASET_INFO_FILE = "dataset_info.json"

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_RANGE = re.compile(r"(?P<stem>.*\D)(?P<first>\d+)-(?P<last>\d+)")


@dataclasses.dataclass(frozen=True)
class Selection:
    """The shards that a specification names, in the order of the specification."""

    files: tuple[Path, ...]
    examples: tuple[int, ...]  # in each file
    preprocessing: Preprocessing
    names: tuple[str, ...]  # of the data sets, each once
    folders: tuple[Path, ...]  # of the data sets, in the order of `names`
    digests: tuple[str, ...] | None = None  # of the data sets where their folders are not read

    @property
    def num_examples(self) -> int:
        """Examples (windows) in all files."""
        return sum(self.examples)

    def only(self, file: int) -> "Selection":
        """One of its files."""
        return dataclasses.replace(self, files=(self.files[file],), examples=(self.examples[file],))

    def manifest_digests(self) -> dict[str, str]:
        """SHA-256 by data set of what says which recordings it holds, wherever the data set lies.

        That is the manifest as `launch.prepare` writes it; where there is none, the list of shards.
        """
        digests = map(_manifest_digest, self.folders) if self.digests is None else self.digests
        return dict(zip(self.names, digests))

    def minimum_length(self, min_seconds: float) -> int:
        """The smallest `length` in samples that lasts `min_seconds`.

        Raises:
          ValueError: when no window can last that long.
        """
        if not 0 <= min_seconds <= self.preprocessing.window_seconds:
            raise ValueError(
                f"data.crop_seconds (or min_seconds): expected 0 to {self.preprocessing.window_seconds:g} s, "
                f"the length of the stored windows, got {min_seconds:g}"
            )
        # The small number keeps 0.29 s x 100 Hz = 28.999999999999996 from asking for one sample too many.
        return math.ceil(min_seconds * self.preprocessing.sampling_rate - 1e-6)


def select(root: Path | str, spec: str, processes: Processes = ALONE, *, shards: bool = True) -> Selection:
    """The shards under `root` that `spec` names.

    Args:
      processes: that call this together; each looks into its own `root`, which must hold the same.
      shards: whether they must be there, and not only what tells of them.

    Raises:
      FileNotFoundError: when `root`, a file of a data set or a shard is missing.
      ValueError: when the specification is empty or malformed, names an unknown data set or split or one
        split twice, or joins data sets whose preprocessing differs; when processes see other shards.
    """
    selection = processes.each(lambda: _selected(Path(root), spec, shards))
    processes.require_same(f"the data {spec!r} below {root}", _described(selection))
    return selection


def _selected(root: Path, spec: str, must_be_there: bool) -> Selection:
    if not root.is_dir():
        beside = [path.name for path in root.parent.glob("*/")]
        raise FileNotFoundError(
            f"no data folder {root}{_near(root.name, beside)}: expected <root>/<data set>/<version>/, "
            "as launch.prepare --out=<root> writes it"
        )
    wanted = _parse(spec)
    folders = {name: _version_folder(root, name) for name, _ in wanted}
    preprocessing = _shared_preprocessing({name: _read_preprocessing(path) for name, path in folders.items()})
    shard_lengths = {name: _read_shard_lengths(path) for name, path in folders.items()}
    chosen = [(name, split) for name, text in wanted for split in _splits(name, text, shard_lengths[name])]
    _check_once(chosen, spec)
    shards = [
        shard
        for name, split in chosen
        for shard in _shards(folders[name], name, split, shard_lengths[name][split], must_be_there)
    ]
    return Selection(
        files=tuple(path for path, _ in shards),
        examples=tuple(count for _, count in shards),
        preprocessing=preprocessing,
        names=tuple(folders),
        folders=tuple(folders.values()),
    )


def _described(selection: Selection) -> str:
    """Equal where the order of training is."""
    named = [(path.name, count) for path, count in zip(selection.files, selection.examples)]
    digest = hashlib.sha256(json.dumps([named, selection.preprocessing.to_json()]).encode()).hexdigest()
    return f"{len(named)} shards of {selection.num_examples} windows (SHA-256 {digest[:12]})"


def _parse(spec: str) -> list[tuple[str, str]]:
    """The (name, splits) pairs of a specification; splits is '' where none are named."""
    items = [item.strip() for item in spec.split(",")]
    if not all(re.fullmatch(r"\w[\w.-]*\s*(:\s*[^:\s][^:]*)?", item) for item in items):
        raise ValueError(
            "data specification: expected comma separated NAME or NAME:SPLIT+SPLIT, for example "
            f"'ptbxl:fold1-8, ludb', got {spec!r}"
        )
    pairs = [item.partition(":") for item in items]
    return [(name.strip(), splits.strip()) for name, _, splits in pairs]


def named_splits(spec: str) -> tuple[str, ...]:
    """'NAME:SPLIT' of each split that a specification names, in order; 'NAME' alone where it means all.

    Raises:
      ValueError: when it is malformed.
    """
    names = []
    for name, splits in _parse(spec):
        whole = splits in ("", "all")
        parts = [] if whole else [one for part in splits.split("+") for one in _expand(part.strip())]
        names += [name] if whole else [f"{name}:{split}" for split in parts]
    return tuple(names)


def one_by_one(spec: str) -> dict[str, str]:
    """Of each data set that a specification names, the part of the specification that is of it.

    Raises:
      ValueError: when it is malformed.
    """
    parts: dict[str, list[str]] = {}
    for name, splits in _parse(spec):
        parts.setdefault(name, []).append(f"{name}:{splits}" if splits else name)
    return {name: ", ".join(of_name) for name, of_name in parts.items()}


def has_data_set(root: Path | str, name: str) -> bool:
    """Whether a version of a data set is below `root`."""
    return bool(_versions(Path(root) / name))


def _version_folder(root: Path, name: str) -> Path:
    """The folder of the newest version of a data set."""
    versions = _versions(root / name)
    if not versions:
        known = sorted(path.name for path in root.iterdir() if _versions(path))
        raise ValueError(
            f"unknown data set {name!r} in {root}{_near(name, known)}: there are {', '.join(known) or 'none'}"
        )
    return max(versions, key=lambda path: tuple(map(int, path.name.split("."))))


def _near(name: str, known: Iterable[str]) -> str:
    """' (did you mean …?)' where one of the known names is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _versions(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and _VERSION.fullmatch(path.name)]


def _read_json_text(folder: Path, filename: str) -> str:
    path = folder / filename
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} lacks {filename}: the data set was not written to its end or not copied whole; "
            "write or copy it again"
        )
    return path.read_text(encoding="utf-8")


def _read_preprocessing(folder: Path) -> Preprocessing:
    text = _read_json_text(folder, PREPROCESSING_FILE)
    try:
        return Preprocessing.from_json(text)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / PREPROCESSING_FILE}: {error}") from error


def _manifest_digest(folder: Path) -> str:
    manifest = folder / MANIFEST_FILE
    path = manifest if manifest.is_file() else folder / DATASET_INFO_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_shard_lengths(folder: Path) -> dict[str, list[int]]:
    """The number of examples in each shard of each split that has any."""
    text = _read_json_text(folder, DATASET_INFO_FILE)
    try:
        splits = {s["name"]: [int(n) for n in s.get("shardLengths", [])] for s in json.loads(text)["splits"]}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{folder / DATASET_INFO_FILE}: expected the JSON that tensorflow_datasets writes, with splits "
            f"and their shardLengths ({type(error).__name__}: {error}); write the data set again"
        ) from error
    return {name: lengths for name, lengths in splits.items() if sum(lengths)}


def _shared_preprocessing(by_name: dict[str, Preprocessing]) -> Preprocessing:
    """The preprocessing that all data sets share."""
    (first_name, first), *others = by_name.items()
    for name, other in others:
        for field in dataclasses.fields(Preprocessing):
            expected, got = getattr(first, field.name), getattr(other, field.name)
            if expected != got:
                raise ValueError(
                    f"data sets with different preprocessing do not mix: {field.name} is {expected} in "
                    f"{first_name} and {got} in {name}; write one of them again"
                )
    return first


def _splits(name: str, text: str, known: dict[str, list[int]]) -> Iterator[str]:
    """The splits that e.g. ``'fold1-8+fold10'`` names, each checked to be there."""
    if text in ("", "all"):
        text = "+".join(sorted(known, key=_natural))
    for part in text.split("+"):
        for split in _expand(part.strip()):
            if split not in known:
                there = ", ".join(sorted(known, key=_natural)) or "none"
                raise ValueError(f"data set {name!r} has no split {split!r} with examples: there are {there}")
            yield split


def _expand(split: str) -> list[str]:
    """``'fold1-3'`` as its three names, any other name as itself."""
    match = _RANGE.fullmatch(split)
    if not match:
        return [split]
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        raise ValueError(f"split range {split!r}: expected the smaller number first")
    return [f"{match['stem']}{number}" for number in range(first, last + 1)]


def _natural(split: str) -> list[tuple[int, str]]:
    """A sort key with fold2 before fold10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", split)]


def _check_once(chosen: list[tuple[str, str]], spec: str) -> None:
    repeated = sorted({f"{name}:{split}" for name, split in chosen if chosen.count((name, split)) > 1})
    if repeated:
        raise ValueError(f"data specification {spec!r} selects {', '.join(repeated)} more than once")


def _shards(
    folder: Path, name: str, split: str, lengths: list[int], must_be_there: bool
) -> Iterator[tuple[Path, int]]:
    """The shard files of a split that hold examples, with the number of examples of each."""
    for shard, count in enumerate(lengths):
        path = folder / f"{name}-{split}.tfrecord-{shard:05d}-of-{len(lengths):05d}"
        if must_be_there and count and not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing, named by {DATASET_INFO_FILE}; write or copy it again"
            )
        if count:
            yield path, count
