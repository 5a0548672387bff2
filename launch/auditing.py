"""The sides of an audit."""

from collections.abc import Sequence


def sides(roots: Sequence[str], specs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name in the tables -> root and specification of each side; the root is named where there are two.

    Raises:
      ValueError: when roots and specifications do not go together, or a side is there twice.
    """
    if len(roots) not in (1, len(specs)):
        raise ValueError(
            f"--data_root: expected one, or one for each of {len(specs)} --data, got {len(roots)}"
        )
    pairs = list(zip(roots if len(roots) > 1 else [*roots] * len(specs), specs))
    if repeated := {spec for root, spec in pairs if pairs.count((root, spec)) > 1}:
        raise ValueError(
            f"--data: expected each specification once, got {', '.join(repeated)} more than once"
        )
    return {spec if len(set(roots)) == 1 else f"{root}/{spec}": (root, spec) for root, spec in pairs}
