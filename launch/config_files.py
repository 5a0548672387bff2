"""Flags that take a config file, and what is wrong with a file, or with a field of it, in one sentence."""

import contextlib
import difflib
import os
import re
import runpy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import ml_collections
from absl import flags
from ml_collections import config_flags

import configs
from configs import base

flags.disclaim_key_flags()  # what is defined here is a flag of the launcher that asks for it


class _Known(NamedTuple):
    example: str  # a file that will do
    is_default: bool
    any_groups: bool


_known: dict[str, _Known] = {}  # flag -> what its launcher said of it


def define_config_file(
    name: str, example: str, help_string: str, *, is_default: bool = True, any_groups: bool = False
) -> flags.FlagHolder:
    """As `config_flags.DEFINE_config_file`, with what a sentence about a mistake needs to know.

    There a field that the default file does not have is an error while the launcher is still imported. Here
    it is a flag that nobody knows, which is told when all flags are read.

    Args:
      name: of the flag.
      example: a file that will do.
      help_string: of the flag.
      is_default: whether that is the file where the flag is not given.
      any_groups: whether other files may lack groups that the example has.
    """
    _known[name] = _Known(example, is_default, any_groups)
    if is_default:
        # Of several kinds, by what is wrong with the field.
        with contextlib.suppress(Exception):
            return config_flags.DEFINE_config_file(name, example, help_string)
    return config_flags.DEFINE_config_file(name, None, help_string)


def config_mistake(argv: Sequence[str]) -> str | None:
    """The sentence for the first config file of `argv` that is none, or field that is not in its file."""
    return next((said for name in _config_flags() if (said := _mistake(name, argv))), None)


def read_config_mistake(argv: Sequence[str]) -> str | None:
    """That for the first that was read all the same: not loaded, or of another kind than its example."""
    for name in _config_flags():
        config = flags.FLAGS[name].value
        if isinstance(config, ml_collections.ConfigDict):
            said = _of_another_kind(name, config, argv)
        else:  # none was given, or one that cannot be read, which is an error only when a field is asked for
            said = _mistake(name, argv)
        if said:
            return said
    return None


def _config_flags() -> list[str]:
    return [name for name in flags.FLAGS if flags.FLAGS[name].flag_type() == "config object"]


def _mistake(name: str, argv: Sequence[str]) -> str | None:
    file = _file(name, argv)
    field = re.compile(rf"--?(?:no)?{re.escape(name)}\.(?P<path>[^=]+)(?:=.*)?", re.DOTALL)
    overrides = [found["path"] for argument in argv if (found := field.fullmatch(argument))]
    if file is None:
        return f"--{name}.FIELD needs --{name}=FILE before it" if overrides else None
    if not file.is_file():
        return _not_there(name, file)
    try:
        fields = _loaded(file).to_dict()
    except Exception as error:  # whatever a file of Python may raise
        of_kind = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return f"--{name}: {file} is no config file ({of_kind}); see {_example(name)}"
    known = list(_flat(fields))
    return next((_no_such_field(name, path, known) for path in overrides if path not in known), None)


def _file(name: str, argv: Sequence[str]) -> Path | None:
    """What `--NAME=FILE` or `--NAME FILE` names, or the default; None without either."""
    given = re.compile(rf"--?{re.escape(name)}(?:=(?P<value>.*))?", re.DOTALL)
    for argument, following in zip(argv, [*argv[1:], ""]):
        if found := given.fullmatch(argument):
            return Path(following if found["value"] is None else found["value"])
    return Path(_known[name].example) if name in _known and _known[name].is_default else None


def _of_another_kind(name: str, config: ml_collections.ConfigDict, argv: Sequence[str]) -> str | None:
    if name not in _known or _known[name].any_groups:
        return None
    absent = [group for group in _loaded(Path(_known[name].example)) if group not in config]
    if not absent:
        return None
    got = f"{_file(name, argv)} has no {', '.join(absent)}"
    return f"--{name}: expected a config such as {_example(name)}, {got}"


def _not_there(name: str, file: Path) -> str:
    """With the near one of those beside it and ours; those of ours that will do."""
    ours = [_example(name)]
    if not (has_default := name in _known and _known[name].is_default):
        ours = sorted(_shown(each) for each in Path(configs.__file__).parent.glob("[a-z]*.py"))
    beside = [str(each) for each in sorted(file.parent.glob("*.py"))]
    near = difflib.get_close_matches(str(file), [*ours, *beside], n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    such = f"expected a file such as {ours[0]}" if has_default else f"there are {', '.join(ours)}"
    return f"--{name}: {file} is not there{hint}; {such}"


def _example(name: str) -> str:
    """A file that would do."""
    return _shown(Path(_known[name].example if name in _known else base.__file__))


def _shown(file: Path) -> str:
    """The path as one would type it here."""
    here = os.path.relpath(file)
    return str(file) if here.startswith("..") else here


def _loaded(file: Path) -> ml_collections.ConfigDict:
    config = runpy.run_path(str(file))["get_config"]()
    if not isinstance(config, ml_collections.ConfigDict):
        raise TypeError(f"expected a ConfigDict from get_config(), got {type(config).__name__}")
    return config


def _flat(tree: dict, prefix: str = "") -> Iterable[str]:
    """Paths of all leaves: 'model.width'."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _no_such_field(name: str, path: str, known: list[str]) -> str:
    flag = f"--{name}.{path}"
    if within := [field for field in known if field.startswith(f"{path}.")]:
        return f"{flag} is a group of fields: set one of them, such as --{name}.{within[0]}"
    by_last = {field.rpartition(".")[2]: field for field in known}
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.75) or [
        by_last[last] for last in difflib.get_close_matches(path.rpartition(".")[2], by_last, n=1)
    ]
    if near:
        return f"{flag}: no such field; did you mean --{name}.{near[0]}?"
    group = path.partition(".")[0]
    within = [field for field in known if field.startswith(f"{group}.")]
    there = [field.removeprefix(f"{group}.") for field in within] or sorted({f.split(".")[0] for f in known})
    return f"{flag}: no such field; {f'{group} has' if within else 'there are'} {', '.join(there)}"
