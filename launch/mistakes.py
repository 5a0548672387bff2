"""What went wrong, in one sentence: what was expected, what came, what to do; of names, the near one."""

import difflib
import errno
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from absl import flags

from coreecg_jax.records.spelling import with_guess
from launch.config_files import config_mistake
from launch.writable import unwritable

# What tells of a folder that cannot be written; a file that is missing is told as such.
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_WRITTEN = ("out", "workdir")  # flags that name what a launcher writes


def parse_mistake(argv: Sequence[str], error: Exception) -> str:
    """The sentence for what absl or ml_collections raised while they read `argv`."""
    return (
        config_mistake(argv)
        or _missing_flags(error)
        or _unknown_flag(error)
        or _wrong_value(error)
        or " ".join(str(error).split())
    )


def is_no_space(error: BaseException) -> bool:
    """Whether a full disk is at the bottom of it: libraries wrap the OSError, or keep only its words."""
    if getattr(error, "errno", None) in _NO_SPACE or "No space left on device" in str(error):
        return True
    below = error.__cause__ or error.__context__
    return below is not None and is_no_space(below)


def failure(error: Exception) -> str:
    """The sentence for what a launcher's main raised; the system's own errors get the flag to change."""
    if is_no_space(error):
        flag, folder = next(iter(_written()), ("--workdir or --out", "the folder that is written"))
        return (
            f"no space left on the disk of {folder}: free some there, or choose another {flag}; "
            "what was complete is kept, what is not is never read"
        )
    if not (isinstance(error, OSError) and error.strerror and error.filename):
        return f"{error}{_data_flag(error)}"
    file = Path(error.filename).absolute()
    for flag, folder in _written() if error.errno in (*_NOT_WRITABLE, errno.ENOENT) else ():
        written = Path(folder).absolute()
        if error.errno in _NOT_WRITABLE and file.is_relative_to(written):
            return f"{flag}={folder} cannot be written ({error.strerror.lower()}): choose another {flag}"
        # What is missing may be so for another reason; and a temporary file stands beside what it will be.
        if file.is_relative_to(written.parent) and (why := unwritable(folder)):
            return f"{flag}={folder} cannot be written ({why}): choose another {flag}"
    return f"{error.filename}: {error.strerror.lower()}"


def _data_flag(error: Exception) -> str:
    """Of a launcher that reads data sets, the flag to change where `inputs.selection` misses their folder."""
    if not (isinstance(error, FileNotFoundError) and str(error).startswith("no data folder ")):
        return ""
    if "data_root" in flags.FLAGS:
        return ": change --data_root"
    config = flags.FLAGS["config"].value if "config" in flags.FLAGS else None
    if config is None:
        return ""
    return f": change --config.{'base.' if 'base' in config else ''}data.root"  # of a sweep it is of the base


def _written() -> Iterable[tuple[str, str]]:
    """('--out', 'data') for each flag that names what is written."""
    for name in _WRITTEN:
        value = flags.FLAGS[name].value if name in flags.FLAGS else None
        for folder in [value] if isinstance(value, str) else value or []:
            yield f"--{name}", folder


def _missing_flags(error: Exception) -> str | None:
    missing = re.findall(r"Flag --([\w.]+) must have a value other than None", str(error))
    about = [f"--{name} ({(flags.FLAGS[name].help or '').rstrip('.')})" for name in missing]
    return f"expected {' and '.join(about)}: not given" if missing else None


def _unknown_flag(error: Exception) -> str | None:
    if not isinstance(error, flags.UnrecognizedFlagError):
        return None
    near = difflib.get_close_matches(error.flagname, list(flags.FLAGS), n=1)
    hint = f"did you mean --{near[0]}?" if near else "--help names all flags"
    return f"--{error.flagname}: no such flag; {hint}"


def _wrong_value(error: Exception) -> str | None:
    """'--x: expected …, got …', where the flag says what it takes."""
    found = re.match(r"flag --(?P<name>[\w.]+)=(?P<value>.*?): ", str(error), re.DOTALL)
    if not found or found["name"] not in flags.FLAGS:
        return None
    flag = flags.FLAGS[found["name"]]
    choices = list(getattr(flag.parser, "enum_values", ()))
    if choices:
        return (
            f"--{flag.name}: expected one of {', '.join(choices)}, got {with_guess(found['value'], choices)}"
        )
    expected = flag.parser.syntactic_help
    if flag.flag_type() == "bool":
        expected = "True or False"
    if not expected:
        return None
    such_as = f" such as {flag.default}" if "." in flag.name else ""  # of a config file
    return f"--{flag.name}: expected {expected}{such_as}, got {found['value']!r}"
