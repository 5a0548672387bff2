"""What went wrong, in one sentence: what was expected, what came, what to do; of names, the near one."""

import difflib
import errno
import os
import re
import runpy
from collections.abc import Iterable, Sequence
from pathlib import Path

import ml_collections
from absl import flags

import configs
from launch.writable import unwritable

# What tells of a folder that cannot be written; a file that is missing is told as such.
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
_CONFIG = re.compile(r"--?config(?:=(?P<value>.*))?")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_WRITTEN = ("out", "workdir")  # flags that name what a launcher writes
_DATA_FLAGS = {"data_root": "--data_root", "config": "--config.data.root"}  # the first that a launcher has
_FIELD = re.compile(r"--?(?:no)?config\.(?P<path>[^=]+)(?:=(?P<value>.*))?")


def config_file_mistake(argv: Sequence[str]) -> str | None:
    """The sentence for a `--config` that is not there, with the configs that are; None where it is."""
    path = _config_file(argv)
    if path is None or path.is_file():
        return None
    shown = sorted(_shown(file) for file in Path(configs.__file__).parent.glob("[a-z]*.py"))
    near = difflib.get_close_matches(str(path), shown, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"--config: {path} is not there{hint}; there are {', '.join(shown)}"


def parse_mistake(argv: Sequence[str], error: Exception) -> str:
    """The sentence for what absl or ml_collections raised while they read `argv`."""
    return (
        config_file_mistake(argv)
        or _field_mistake(argv)
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
    ours = [flag for name, flag in _DATA_FLAGS.items() if name in flags.FLAGS]
    return f": change {ours[0]}" if ours else ""


def _written() -> Iterable[tuple[str, str]]:
    """('--out', 'data') for each flag that names what is written."""
    for name in _WRITTEN:
        value = flags.FLAGS[name].value if name in flags.FLAGS else None
        for folder in [value] if isinstance(value, str) else value or []:
            yield f"--{name}", folder


def _config_file(argv: Sequence[str]) -> Path | None:
    """What `--config=FILE` or `--config FILE` names; None without, and where there is no such flag."""
    if "config" not in flags.FLAGS:
        return None
    for argument, following in zip(argv, [*argv[1:], ""]):
        if found := _CONFIG.fullmatch(argument):
            return Path(following if found["value"] is None else found["value"])
    return None


def _shown(file: Path) -> str:
    """The path as one would type it here."""
    here = os.path.relpath(file)
    return str(file) if here.startswith("..") else here


def _field_mistake(argv: Sequence[str]) -> str | None:
    """The sentence for the first `--config.FIELD` that the config file does not have."""
    file = _config_file(argv)
    overrides = [found["path"] for argument in argv if (found := _FIELD.fullmatch(argument))]
    if file is None:
        return "--config.FIELD needs --config=FILE before it" if overrides else None
    try:
        config = runpy.run_path(str(file))["get_config"]()
    except Exception as error:  # whatever a file of Python may raise
        return f"--config: {file} is no config file ({type(error).__name__}: {error}); see configs/base.py"
    fields = ml_collections.ConfigDict(config).to_dict()
    known = list(_flat(fields))
    for path in overrides:
        if path not in known:
            return _no_such_field(path, known)
    return None


def _flat(tree: dict, prefix: str = "") -> Iterable[str]:
    """Paths of all leaves: 'model.width'."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _no_such_field(path: str, known: list[str]) -> str:
    if within := [field for field in known if field.startswith(f"{path}.")]:
        return f"--config.{path} is a group of fields: set one of them, such as --config.{within[0]}"
    by_last = {field.rpartition(".")[2]: field for field in known}
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.75) or [
        by_last[name] for name in difflib.get_close_matches(path.rpartition(".")[2], by_last, n=1)
    ]
    if near:
        return f"--config.{path}: no such field; did you mean --config.{near[0]}?"
    group = path.partition(".")[0]
    within = [field for field in known if field.startswith(f"{group}.")]
    there = [field.removeprefix(f"{group}.") for field in within] or sorted({f.split(".")[0] for f in known})
    return f"--config.{path}: no such field; {f'{group} has' if within else 'there are'} {', '.join(there)}"


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
    choices = ", ".join(getattr(flag.parser, "enum_values", ()))
    expected = f"one of {choices}" if choices else flag.parser.syntactic_help
    if flag.flag_type() == "bool":
        expected = "True or False"
    if not expected:
        return None
    such_as = f" such as {flag.default}" if _FIELD.match(f"--{flag.name}") else ""
    return f"--{flag.name}: expected {expected}{such_as}, got {found['value']!r}"
