"""A lower `max_tokens` in a body, wherever its API has that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

KEYS: Mapping[str, tuple[str, ...]] = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
    "anthropic.messages": ("max_tokens",),
    "gemini": ("generationConfig.maxOutputTokens", "generation_config.max_output_tokens"),
}
"""By dialect the keys that limit an answer, that of its newer versions first."""
_object = msgspec.json.Decoder(dict[str, Raw])
_number = msgspec.json.Decoder(int | None)


def lowered(dialect: str, fields: Mapping[str, Raw], most: int) -> tuple[dict[str, Any], str] | None:
    """The fields with no more than so many tokens to write, and what was changed as `field: why`; None when nothing is to be.

    A request that says nothing is given a limit. Raises `msgspec.MsgspecError` for one that is no number.
    """
    keys = KEYS.get(dialect, ())
    for key in keys:
        asked = value(fields, key)
        if asked is not None:
            return None if asked <= most else (put(fields, key, most), f"{key}: {asked} lowered to {most}, the most allowed")
    return (put(fields, keys[0], most), f"{keys[0]}: {most}, the most allowed, where none was asked for") if keys else None


def value(fields: Mapping[str, Raw], key: str) -> int | None:
    outer, _, inner = key.partition(".")
    raw = fields.get(outer)
    if raw is not None and inner:
        raw = _object.decode(raw).get(inner)
    return None if raw is None else _number.decode(raw)


def put(fields: Mapping[str, Raw], key: str, most: int) -> dict[str, Any]:
    outer, _, inner = key.partition(".")
    if not inner:
        return {**fields, outer: most}
    held: dict[str, Any] = dict(_object.decode(fields[outer])) if outer in fields else {}
    return {**fields, outer: {**held, inner: most}}
