"""Conversion of nested tables of plain values (TOML, JSON, command line) to frozen dataclasses, and back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from benchmarks.core.registry import unknown_name
from benchmarks.core.spec import InputError

Instance = TypeVar("Instance")
Table = Mapping[str, Any]
Merge = Callable[[Table, Table], dict[str, Any]]
"""Weaker table, stronger table -> merged table."""


def merge(weaker: Table, stronger: Table) -> dict[str, Any]:
    """Merge two nested tables; where both have a value, the value of the stronger table is taken."""
    merged = dict(weaker)
    for key, value in stronger.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def build(kind: type[Instance], values: Table, where: str, *, combine: Merge = merge) -> Instance:
    """Build a dataclass from a table: nested dataclasses from nested tables, tuples from lists.

    A nested table is merged into its field's default instead of replacing it.

    Args:
        kind: a dataclass.
        values: field name -> plain value; omitted fields take their defaults.
        where: the table's dotted name, for error messages.
        combine: merges the fields' defaults with the given values, which are the stronger ones.

    Raises:
        InputError: a key is unknown (the message names similar keys) or missing, or a value is invalid.
    """
    hints = _hints(kind)  # type: ignore[arg-type]
    known = {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise unknown_name(f"setting in {where}", key, known)
    defaults = {name: _default(field) for name, field in known.items()}
    if missing := [name for name, default in defaults.items() if default is MISSING and name not in values]:
        raise InputError(f"{where}.{missing[0]} is missing")
    nested = {name: plain(default) for name, default in defaults.items() if _is_instance(default)}
    converted = {
        key: _convert(hints[key], combine(nested, {key: value})[key], f"{where}.{key}", combine)
        for key, value in values.items()
    }
    try:
        return kind(**converted)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def plain(instance: Any) -> dict[str, Any]:
    """Convert a dataclass to JSON's types: dicts, lists, numbers, strings."""
    return dict(json.loads(json.dumps(asdict(instance))))


def finite(value: Any) -> Any:
    """A nested table or list with None for every number that JSON cannot represent: NaN and the infinities."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of a plain value, in hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def flat(table: Table, prefix: str = "") -> dict[str, Any]:
    """Flatten a nested table to dotted name -> value."""
    flattened: dict[str, Any] = {}
    for name, value in table.items():
        path = f"{prefix}{name}"
        flattened |= flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flattened


def spread(kind: type, name: str, table: Table) -> dict[str, Any]:
    """Settings of a dataclass that apply the same table to every nested dataclass whose field has the given name."""
    placed: dict[str, Any] = {}
    for field, hint in _hints(kind).items():
        if isinstance(hint, type) and is_dataclass(hint):
            placed[field] = dict(table) if field == name else spread(hint, name, table)
    return {field: values for field, values in placed.items() if values}


def for_fields_of(kind: type, table: Table) -> dict[str, Any]:
    """The entries of a table whose keys are fields of a dataclass; nested tables are taken as they are."""
    return {name: table[name] for name in _hints(kind) if name in table}


@cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields; kept, as annotations are evaluated anew at every call."""
    return get_type_hints(kind)


def _default(field: "Field[Any]") -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _is_instance(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _convert(hint: Any, value: Any, where: str, combine: Merge) -> Any:
    origin, parameters = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _convert_to_one_of(parameters, value, where, combine)
    if origin is Literal and value not in parameters:
        raise unknown_name(f"value of {where}:", str(value), map(str, parameters))
    if origin is tuple and isinstance(value, list | tuple):
        kinds = parameters[:1] * len(value) if parameters[1:] == (...,) else parameters
        if len(kinds) == len(value):
            return tuple(_convert(kind, item, where, combine) for kind, item in zip(kinds, value, strict=True))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _convert(parameters[1], item, f"{where}.{key}", combine) for key, item in value.items()}
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, Mapping):
        return build(hint, value, where, combine=combine)
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or type(value) is hint or origin is Literal or (origin is not tuple and _is_a(value, origin)):
        return value
    raise InputError(f"{where} takes {hint if origin else getattr(hint, '__name__', hint)}; got {value!r}")


def _convert_to_one_of(kinds: Iterable[Any], value: Any, where: str, combine: Merge) -> Any:
    kinds = [kind for kind in kinds if kind is not NoneType or value is None]
    for kind in kinds[:-1]:
        with suppress(InputError):
            return _convert(kind, value, where, combine)
    return _convert(kinds[-1], value, where, combine)


def _is_a(value: Any, origin: Any) -> bool:
    return origin is not None and isinstance(value, origin)
