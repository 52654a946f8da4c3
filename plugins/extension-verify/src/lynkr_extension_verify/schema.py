"""What is surely wrong with a value by its JSON Schema: types, required and unknown keys, enumerations.

A few keywords, so that nothing has to be compiled for each tool of each request. Whatever else a schema says is taken as kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Raw

DEEPEST = 8
"""Levels that are looked at."""
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": (int, float),
    "number": (int, float),
    "null": type(None),
}
UNKNOWN = ("$ref", "anyOf", "oneOf", "allOf", "not", "if")
"""Keywords that may allow what the others forbid, or that this does not read."""


def mistake(value: Any, schema: Raw) -> str:
    """The first mistake, as `a path that is no string`; empty when there is none, or the schema cannot be read."""
    try:
        read = msgspec.json.decode(schema)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ""
    return _mistake(value, read, "an answer", DEEPEST) if isinstance(read, dict) else ""


def _mistake(value: Any, schema: Any, name: str, deep: int) -> str:
    if not isinstance(schema, dict) or not deep or any(word in schema for word in UNKNOWN):
        return ""
    said = cast("dict[str, Any]", schema)
    if not _has_type(value, said.get("type")):
        return f"{name} that is no {_told(said['type'])}"
    allowed = said.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        return f"{name} that is none of the values allowed"
    if isinstance(value, dict):
        return _in_object(cast("dict[str, Any]", value), said, deep)
    if isinstance(value, list):
        found = (_mistake(item, said.get("items"), f"an item of {name}", deep - 1) for item in cast("list[Any]", value))
        return next((wrong for wrong in found if wrong), "")
    return ""


def _in_object(value: dict[str, Any], schema: dict[str, Any], deep: int) -> str:
    properties = schema.get("properties")
    known = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
    required = schema.get("required")
    for name in cast("list[Any]", required) if isinstance(required, list) else ():
        if name not in value:
            return f"no {name!r}"
    for name, inner in value.items():
        if name in known:
            if found := _mistake(inner, known[name], repr(name), deep - 1):
                return found
        elif schema.get("additionalProperties") is False and "patternProperties" not in schema:
            return f"{name[:60]!r}, which it does not take"
    return ""


def _has_type(value: Any, said: Any) -> bool:
    names = cast("list[Any]", said) if isinstance(said, list) else [said]
    if not all(name in TYPES for name in names):
        return True
    return any(
        isinstance(value, TYPES[name]) and (not isinstance(value, bool) or name == "boolean") and _is_whole(value, name)
        for name in names
    )


def _is_whole(value: Any, name: str) -> bool:
    return name != "integer" or not isinstance(value, float) or value.is_integer()


def _told(said: Any) -> str:
    return " or ".join(map(str, cast("list[Any]", said))) if isinstance(said, list) else str(said)
