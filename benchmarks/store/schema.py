"""JSON Schemas of the benchmark's files, derived from the dataclasses that represent their content."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from benchmarks.store.store import Format

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def json_schema(form: Format[Any]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the current version of a format."""
    schema = _of_dataclass(form.kind)
    schema["properties"]["schema"] = {"const": form.schema}
    return {"$schema": DIALECT, "title": form.name, **schema}


def _of_dataclass(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {
        "type": "object",
        "properties": {field.name: _of(hints[field.name]) for field in fields(kind)},
        "required": [field.name for field in fields(kind) if field.default is field.default_factory is MISSING],
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    origin, parameters = get_origin(hint), get_args(hint)
    if hint is Any or hint in NAMES:
        return {} if hint is Any else {"type": NAMES[hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        return _of_dataclass(hint)
    if origin is Literal:
        return {"enum": list(parameters)}
    if origin in (Union, UnionType):
        return {"anyOf": [_of(kind) for kind in parameters]}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _of(parameters[1])}
    if origin is tuple and parameters[1:] == (...,):
        return {"type": "array", "items": _of(parameters[0])}
    raise TypeError(f"no JSON Schema for {hint}")
