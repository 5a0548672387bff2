"""What several processes find of one checkpoint, as one verdict."""

import json
from collections.abc import Sequence

from coreecg_jax.training import processes


def told_by_all(wrong: Sequence[str], *, together: bool) -> str:
    """What is wrong, such as arrays, and in which processes where not in all; '' where nothing is.

    Of what each process reads for itself one may read it wrong alone; all must set the checkpoint aside, or
    none.
    """
    said = [json.loads(text) for text in processes.texts(json.dumps(wrong))] if together else [wrong]
    names = list(dict.fromkeys(name for one in said for name in one))
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    where = ", ".join(str(number) for number, one in enumerate(said) if one)
    return f"{names[0]}{more}" + ("" if all(said) else f" in process {where}")
