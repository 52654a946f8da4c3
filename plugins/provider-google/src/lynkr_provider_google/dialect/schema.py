"""Which JSON Schemas Gemini takes as `parameters`: a subset of OpenAPI's. All others are sent as `parametersJsonSchema`.

The keywords are those of google-genai 3.4.0's `Schema`; formats and enumerations are as narrow as the API's reference says.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE

_KEYWORDS = frozenset({
    "anyOf", "default", "description", "enum", "example", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems",
    "minLength", "minProperties", "minimum", "nullable", "pattern", "properties", "propertyOrdering", "required", "title", "type",
})  # fmt: skip
_FORMATS = frozenset({"enum", "date-time", "float", "double", "int32", "int64"})
MAX_DEPTH = 64
"""Levels that are looked into; what is deeper is not the subset's."""
_decode = msgspec.json.Decoder().decode


def parameters(raw: Raw | None) -> dict[str, Any]:
    """The key of a declaration that holds this schema; nothing for a function without parameters, whose empty object is refused."""
    if raw is None:
        return {}
    try:
        schema = _decode(raw)
    except UNREADABLE:
        return {}
    if not isinstance(schema, dict):
        return {}
    keys = cast("dict[str, Any]", schema)
    if not keys.get("properties") and keys.keys() <= {"type", "properties", "required", "additionalProperties", "$schema"}:
        return {}
    return {"parameters" if fits(keys) else "parametersJsonSchema": raw}


def fits(schema: Any, depth: int = 0) -> bool:
    """Whether a schema is of the subset, all the way down."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return False
    keys = cast("dict[str, Any]", schema)
    if not keys.keys() <= _KEYWORDS or not _plain(keys):
        return False
    inner: list[Any] = [keys["items"]] if "items" in keys else []
    inner += keys.get("anyOf", ())
    inner += keys.get("properties", {}).values()
    return all(fits(one, depth + 1) for one in inner)


def _plain(keys: dict[str, Any]) -> bool:
    """Types, formats and enumerations that are no more than the subset has."""
    kind = keys.get("type")
    if not (isinstance(kind, str) and kind.lower() != "null") and not ("anyOf" in keys and kind is None):
        return False
    if kind == "object" and not keys.get("properties"):
        return False
    if keys.get("format", "enum") not in _FORMATS:
        return False
    if not isinstance(keys.get("properties", {}), dict) or not isinstance(keys.get("anyOf", []), list):
        return False
    names = keys.get("enum", [])
    return isinstance(names, list) and all(isinstance(name, str) for name in cast("list[Any]", names))
