"""The launchers, one a verb: `python -m launch.VERB --help`."""

import sys
from types import TracebackType


def _one_line(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Ctrl-C while a launcher still imports, which takes seconds, is no mistake: no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


if sys.argv[:1] == ["-m"]:  # as runpy has it while `python -m launch.VERB` imports: not a notebook's business
    sys.excepthook = _one_line
