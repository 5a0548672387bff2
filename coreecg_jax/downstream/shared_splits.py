"""What two data specifications have in common by name, whatever lies on a disk."""

from coreecg_jax.inputs.selection import named_splits


def shared_splits(one: str, other: str) -> tuple[str, ...]:
    """'NAME:SPLIT' that both name, in the order of the first; 'NAME' where both mean all of it.

    Raises:
      ValueError: when one is malformed.
    """
    others = named_splits(other)
    found = (_common(split, another) for split in named_splits(one) for another in others)
    return tuple(dict.fromkeys(split for split in found if split))


def as_specification(splits: tuple[str, ...]) -> str:
    """'ptbxl:fold1+fold2, ludb' of 'ptbxl:fold1', 'ptbxl:fold2', 'ludb'."""
    by_name: dict[str, list[str]] = {}
    for split in splits:
        name, _, part = split.partition(":")
        by_name.setdefault(name, []).extend([part] if part else [])
    return ", ".join(f"{name}:{'+'.join(parts)}" if parts else name for name, parts in by_name.items())


def _common(one: str, other: str) -> str:
    """The narrower of the two where they meet: 'ptbxl:fold9' is of 'ptbxl', and not of 'ptbxl:fold10'."""
    (name, _, split), (other_name, _, other_split) = one.partition(":"), other.partition(":")
    if name != other_name or (split and other_split and split != other_split):
        return ""
    return one if split else other
