"""From JSON that anybody may have written to dataclasses: every field there, of its type, and no other."""

import dataclasses
import json
import math
import typing
from typing import Any

from coreecg_jax.export.refusal import BundleRefused


def parse_json(text: bytes, name: str) -> dict[str, Any]:
    """The object of a JSON text.

    Raises:
      BundleRefused: when it is no object, names a key twice, or holds a number that is none.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) < len(items):
            raise ValueError(f"a key stands there twice: {[key for key, _ in items]}")
        return dict(items)

    def constant(word: str) -> float:
        raise ValueError(f"{word} is no number of JSON")

    try:
        value = json.loads(text.decode(), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise BundleRefused(f"{name}: expected JSON, got {type(error).__name__}: {error}") from error
    if not isinstance(value, dict):
        raise BundleRefused(f"{name}: expected an object {{…}}, got {type(value).__name__}")
    return value


def parse(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a dataclass of such, a tuple, a dict, or a str, int, float or bool.

    Raises:
      BundleRefused: naming the field, when it is anything else.
    """
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
        parsed = parse_fields(fields, value, where)
        try:
            return kind(**parsed)
        except ValueError as error:
            raise BundleRefused(f"{where}: {error}") from error
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(parse(arguments[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {str(name): parse(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    if kind is float and type(value) in (int, float) and _is_finite(value):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    expected = getattr(origin or kind, "__name__", kind)
    raise BundleRefused(f"{where}: expected {expected}, got {str(value)[:60]!r} ({type(value).__name__})")


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond any float
        return False


def parse_fields(fields: dict[str, Any], value: Any, where: str) -> dict[str, Any]:
    """Each field of an object by its type; `fields` has the type of every field.

    Raises:
      BundleRefused: when a field is missing, unknown, or of another type.
    """
    if not isinstance(value, dict):
        raise BundleRefused(f"{where}: expected an object {{…}}, got {type(value).__name__}")
    if set(value) != set(fields):
        missing, unknown = sorted(set(fields) - set(value)), sorted(set(value) - set(fields))
        raise BundleRefused(f"{where}: missing fields {missing}, unknown fields {[x[:40] for x in unknown]}")
    return {name: parse(kind, value[name], f"{where}.{name}") for name, kind in fields.items()}
