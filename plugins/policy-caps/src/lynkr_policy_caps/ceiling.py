"""A lower `max_tokens` in a body, wherever its API has that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Raw

KEYS: Mapping[str, tuple[str, ...]] = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
    "anthropic.messages": ("max_tokens",),
    "gemini": tuple([f"{outer}.{inner}" for outer in ("generationConfig", "generation_config")
                     for inner in ("maxOutputTokens", "max_output_tokens")]),
    "cohere": ("max_tokens",),
    "ollama": ("options.num_predict",),
    "ollama.generate": ("options.num_predict",),
}  # fmt: skip
"""By dialect the keys that limit an answer, that of its newer versions first."""
BEHIND = ("inferenceConfig.maxTokens", "max_tokens_to_sample")
"""Those of APIs that nobody speaks to lynkr but whose requests it may pass on."""
NULL = b"null"
_object = msgspec.json.Decoder(dict[str, Raw])
_number = msgspec.json.Decoder(float, strict=False)  # Google takes "100" for 100


def lowered(dialect: str, fields: Mapping[str, Raw], most: int) -> tuple[dict[str, Any], str] | None:
    """The fields with no more than so many tokens to write, and what was changed as `field: why`; None when nothing is to be.

    Of several keys a provider may heed any, and some take what is below nought for no limit. A request that says nothing, or null, is
    given a limit. Raises `msgspec.MsgspecError` for one that is no number.
    """
    said = {key: raw for key in KEYS.get(dialect, ()) if (raw := value(fields, key)) is not None}
    asked = {key: _number.decode(raw) for key, raw in said.items() if bytes(raw) != NULL}
    over = [key for key, number in asked.items() if not 0 <= number <= most]
    if over:
        return put(fields, over, most), f"{over[0]}: {shown(said[over[0]])} lowered to {most}, the most allowed"
    if asked or dialect not in KEYS:
        return None
    keys = list(said) or [where(dialect, fields)]
    return put(fields, keys, most), f"{keys[0]}: {most}, the most allowed, where none was asked for"


def beyond(body: bytes, most: int) -> str | None:
    """The first key of a body of any API that asks for more than so many tokens. Raises `msgspec.MsgspecError` for what is no object."""
    fields = _object.decode(body)
    for key in sorted({*chain.from_iterable(KEYS.values()), *BEHIND}):
        raw = value(fields, key)
        if raw is not None and bytes(raw) != NULL and not 0 <= _number.decode(raw) <= most:
            return key
    return None


def value(fields: Mapping[str, Raw], key: str) -> Raw | None:
    outer, _, inner = key.partition(".")
    raw = fields.get(outer)
    if raw is None or not inner:
        return raw
    return None if bytes(raw) == NULL else _object.decode(raw).get(inner)


def where(dialect: str, fields: Mapping[str, Raw]) -> str:
    """The key for a request that has none, inside an object that is there already."""
    keys = KEYS[dialect]
    return next((key for key in keys if key.partition(".")[0] in fields), keys[0])


def put(fields: Mapping[str, Raw], keys: Sequence[str], most: int) -> dict[str, Any]:
    changed: dict[str, Any] = dict(fields)
    for key in keys:
        outer, _, inner = key.partition(".")
        changed[outer] = {**held(changed.get(outer)), inner: most} if inner else most
    return changed


def held(value: Any) -> Mapping[str, Any]:
    """What is in an object, as it came or as it was put here."""
    if isinstance(value, Raw):
        return {} if bytes(value) == NULL else _object.decode(value)
    return value or {}


def shown(raw: Raw) -> str:
    """A number as it was written, if it is no long one."""
    return bytes(raw)[:20].decode("latin-1")
