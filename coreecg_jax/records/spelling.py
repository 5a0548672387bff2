"""Names that a user writes: a slip is answered with the name that was meant."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

_LONGEST = 200  # characters of a name that are shown


def with_guess(name: object, known: Sequence[str], others: Mapping[str, str] | None = None) -> str:
    """A name in quotes, and the known one that it is nearest to, whatever the case and '_'.

    `others` has further spellings of known names, in lower case and without '_'.
    """
    if not isinstance(name, str):  # of a config, say, which may hold anything
        return repr(name)
    plain = {_plain(one): one for one in known} | (dict(others) if others else {})
    near = difflib.get_close_matches(_plain(name), plain, n=1)
    meant = f" (did you mean {plain[near[0]]}?)" if near and plain[near[0]] != name else ""
    return f"{name[:_LONGEST]!r}{meant}"


def written_for(known: str, names: Iterable[str], most: int) -> list[str]:
    """Of names that a user wrote at most so many that may mean the known one, the nearest first.

    Digits aside: of `record_1`, `record_2`, … only the shortest is looked at, as there may be very many.
    """
    plain = {re.sub(r"\d", "", _plain(name)): name for name in sorted(names, key=len, reverse=True)}
    return [plain[near] for near in difflib.get_close_matches(_plain(known), plain, n=most)]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
