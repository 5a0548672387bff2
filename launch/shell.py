"""What every launcher shares: a user's mistake is one sentence, not a traceback."""

import functools
import logging as standard_logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging

from launch import imported
from launch.config_files import read_config_mistake
from launch.device_mistakes import device_mistake
from launch.mistakes import failure, is_no_space, parse_mistake

# Exit statuses (docs/running.md): 2 a mistake, 3 a run whose updates stay NaN or infinite; interrupted, as
# shells have it, 128 + the signal: 130 Ctrl-C, 143 SIGTERM.
_MISTAKE, _NOT_FINITE = 2, 3
_SOON_SECONDS = 0.05
_CACHE_VARIABLE = "JAX_COMPILATION_CACHE_DIR"

flags.DEFINE_bool(
    "compile_cache",
    True,
    f"Keep what is compiled for the next start: in ~/.cache, of several processes below --workdir, or where "
    f"{_CACHE_VARIABLE} says.",
)


def run_main(
    main: Callable[[Sequence[str]], None],
    *,
    files: bool = False,
    cache_folder: Callable[[], Path | None] = lambda: None,
) -> None:
    """Runs an absl main: what the user has to know becomes one line and an exit status.

    With `files`, what stands on the command line beside the flags is handed on; else it is a mistake.
    `cache_folder` says, when the flags are read, where what is compiled is kept if not in the user's cache.
    """

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1 and not files:
            _give_up(f"unexpected argument {argv[1]!r}: every setting is a --flag=value")
        if "compile_cache" in flags.FLAGS:
            _set_compile_cache(flags.FLAGS.compile_cache, cache_folder())
        try:
            main(argv)
        except InterruptedError as error:
            _interrupted(error)
        except FloatingPointError as error:
            _give_up(str(error), _NOT_FINITE)
        except Exception as error:
            if isinstance(error, (ValueError, OSError)) or is_no_space(error):
                _give_up(failure(error))
            if (of_device := device_mistake(error)) is None:
                raise  # ours to mend, not the user's: with its traceback
            _give_up(of_device)

    logging.set_verbosity(logging.FATAL)  # absl's default is to show what libraries tell themselves, in pages
    _let_jax_warn()
    before = sys.unraisablehook
    sys.unraisablehook = functools.partial(_interrupted_again, before)
    try:
        imported()
        app.run(guarded, flags_parser=_parse)
    except KeyboardInterrupt as error:  # here, as it may come while flags are read and config files run
        _interrupted(error)
    finally:
        sys.unraisablehook = before


def _interrupted(error: BaseException) -> NoReturn:
    print(f"\n{str(error) or 'interrupted'}", file=sys.stderr)
    sys.exit(128 + getattr(error, "signal", signal.SIGINT))


def _interrupted_again(otherwise: Callable[[Any], object], raised: Any) -> None:
    """A Ctrl-C within a finaliser or a callback of the garbage collector comes again when that is over.

    What is raised there Python throws away.
    """
    if issubclass(raised.exc_type, KeyboardInterrupt):
        main = threading.main_thread().ident  # by a signal again, which ends a wait too
        threading.Timer(_SOON_SECONDS, signal.pthread_kill, (main, signal.SIGINT)).start()
    else:
        otherwise(raised)


def _let_jax_warn() -> None:
    """That it found no driver and computes on the CPU, above all; JAX_LOGGING_LEVEL says otherwise."""
    for name in ("jax", "jax_plugins"):
        logger = standard_logging.getLogger(name)
        if logger.level == standard_logging.NOTSET:
            logger.setLevel(standard_logging.WARNING)


def _set_compile_cache(wanted: bool, folder: Path | None) -> None:
    """For jax, imported already or later; what the environment says stays as it is."""
    if not wanted:
        _set_for_jax("jax_enable_compilation_cache", False, "false")
        return
    if os.environ.get(_CACHE_VARIABLE):
        return
    if folder is None:  # else it is a run's, and jax makes it: a mistake found before leaves no folder
        folder = _users_cache()
        if not _writable(folder):
            return
    _set_for_jax("jax_compilation_cache_dir", str(folder), str(folder))


def _users_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser(), "coreecg_jax", "jax")


def _set_for_jax(name: str, value: bool | str, text: str) -> None:
    os.environ[name.upper()] = text
    if "jax" in sys.modules:  # it has read the environment; those that need no jax do not load it for this
        sys.modules["jax"].config.update(name, value)


def _writable(folder: Path) -> bool:
    """Without a home, or where it is read only, compiling anew is no reason to stop."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _parse(argv: Sequence[str]) -> list[str]:
    """What remains of the command line when the flags are read."""
    try:
        rest = flags.FLAGS(list(argv))
    except Exception as error:  # flags.Error, and what ml_collections or the config file may raise
        _give_up(parse_mistake(argv, error))
    if mistake := read_config_mistake(argv):
        _give_up(mistake)
    return rest


def _give_up(message: str, status: int = _MISTAKE) -> NoReturn:
    sys.stderr.write(f"error: {message}\n")  # in one piece: libraries' threads may write at the same time
    sys.exit(status)
