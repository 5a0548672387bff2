"""What devices gather and reduce among each other in a compiled program, counted in its text."""

import math
import re

KINDS = ("all-gather", "all-reduce", "reduce-scatter")
# `%name = results kind(operands), …`
_LINE = re.compile(rf" = (.*?) ({'|'.join(KINDS)})\(")
# On a TPU what is sent while something else is computed is written once for each part of it.
_IN_PARTS = re.compile(r"(channel_id=\d+),.*async_collective_fusion_config")
_ARRAY = re.compile(r"\b[a-z]+(\d+)\[([\d,]*)\]")


def collectives(text: str) -> dict[str, tuple[int, int]]:
    """By kind, how many a program has, and how many bytes of results on each device.

    Those of a loop count once, whatever the turns it takes; those that start in one place and end in another
    (GPUs) are not found.
    """
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    seen = set()
    for line in text.splitlines():
        one, part = _LINE.search(line), _IN_PARTS.search(line)
        if one is None or (part and part[1] in seen):
            continue
        seen.update(part.groups() if part else ())
        results, kind = one.groups()
        found[kind].append(sum(_bytes(*array) for array in _ARRAY.findall(results)))
    return {kind: (len(sizes), sum(sizes)) for kind, sizes in found.items()}


def _bytes(bits: str, shape: str) -> int:
    return int(bits) // 8 * math.prod(int(size or 1) for size in shape.split(","))
