"""`label_sets.json`: the label sets of a data set's database, as they were when it was prepared.

Shards hold codes, not classes. Which classes the codes mean, and in which order, is the package's, and may
change with it: the file says what it was.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from coreecg_jax.records.label_sets import LabelSet, load_label_set

LABEL_SETS_FILE = "label_sets.json"


@dataclasses.dataclass(frozen=True)
class Stored:
    """One label set as the file has it."""

    version: str
    classes: tuple[str, ...]  # in order
    digest: str  # of classes and codes


def as_text(names: Sequence[str]) -> str:
    """The text of `label_sets.json`: by name version, classes in order, and a digest of these and the codes.

    Raises:
      ValueError: when there is no label set of a name.
    """
    sets = {name: dataclasses.asdict(_stored(load_label_set(name))) for name in names}
    return json.dumps(sets, indent=2) + "\n"


def differences(folder: Path, label_set: LabelSet) -> list[str]:
    """In words, in what a label set is another than when the data set in the folder was prepared.

    None where the data set was prepared before there was `label_sets.json`, or for a label set that is not of
    its database.

    Raises:
      ValueError: when the file is damaged.
    """
    path = folder / LABEL_SETS_FILE
    if not path.is_file():
        return []
    try:
        fields = json.loads(path.read_text(encoding="utf-8")).get(label_set.name)
        then = fields and Stored(fields["version"], tuple(fields["classes"]), fields["digest"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected label sets by name with version, classes and digest "
            f"({type(error).__name__}: {error}); copy or prepare the data set again"
        ) from error
    return _in_words(then, _stored(label_set)) if then else []


def _stored(known: LabelSet) -> Stored:
    return Stored(known.version, known.classes, known.digest())


def _in_words(then: Stored, now: Stored) -> list[str]:
    found = []
    if then.version != now.version:
        found.append(f"version was {then.version}, is {now.version}")
    if then.classes != now.classes:
        changed = set(then.classes) ^ set(now.classes)
        what = f"classes {', '.join(sorted(changed))}" if changed else "the order of classes"
        was, became = (", ".join(one.classes) for one in (then, now))
        found.append(f"{what} changed: it was {was}; it is {became}")
    elif then.digest != now.digest:
        found.append(f"codes of its classes changed (digest {then.digest}, now {now.digest})")
    return found
