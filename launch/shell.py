"""What every launcher shares: a user's mistake is one sentence, not a traceback."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import app, logging


def run_main(main: Callable[[Sequence[str]], None]) -> None:
    """Runs an absl main; a ValueError, OSError or FloatingPointError becomes ``error: …``, exit status 2."""

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"unexpected argument {argv[1]!r}: every setting is a --flag=value")
        try:
            main(argv)
        except (ValueError, OSError, FloatingPointError) as error:
            _give_up(str(error))

    logging.set_verbosity(logging.ERROR)  # absl's default is to show what libraries tell themselves
    app.run(guarded, flags_parser=_parse)


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return app.parse_flags_with_usage(list(argv))
    except (AttributeError, KeyError, TypeError) as error:  # ml_collections, for a field that is not there
        _give_up(f"--config: no such field, or not to be set in this way: {error}")


def _give_up(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
