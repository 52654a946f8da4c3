"""The settings of a request: every top-level key but the conversation, documents and tools, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import Fields
from lynkr_core.dialects.openai_chat.translate import note
from lynkr_core.dialects.openai_chat.wire import NOTHING, NULL, given, read
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import ReasoningOptions, Request, ResponseFormat, ToolChoice

STRUCTURE = frozenset({"model", "messages", "tools", "documents", "stream", "strict_tools"})
"""Keys that are read elsewhere."""
MAX_STOPS = 5
"""Stop sequences that the API takes (cohere 7.3.1, `chat`)."""
_MOST = {"top_k": 500, "top_p": 0.99, "frequency_penalty": 1.0, "presence_penalty": 1.0}
_LEAST = {"top_p": 0.01, "frequency_penalty": 0.0, "presence_penalty": 0.0}
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192}
"""Thinking tokens that stand for an effort; more effort has no limit."""
_ABSENT = {
    "logit_bias": "logit_bias", "user": "user", "metadata": "metadata", "service_tier": "service_tier", "cache_key": "prompt_cache_key",
    "top_logprobs": "top_logprobs",
}  # fmt: skip
"""Fields that Cohere has no parameter for, and what they are called."""


class Thinking(Struct):
    type: str = "enabled"
    token_budget: int | None = None


class Format(Struct):
    type: str = "text"
    json_schema: Raw = NOTHING
    schema: Raw = NOTHING


def read_choice(value: str) -> ToolChoice | None:
    return {"REQUIRED": ToolChoice("required"), "NONE": ToolChoice("none")}.get(value.upper())


def read_format(value: Format) -> ResponseFormat | None:
    schema = given(value.json_schema) or given(value.schema)
    if value.type == "json_object":
        return ResponseFormat(kind="json_schema" if schema else "json_object", schema=schema)
    return ResponseFormat(kind="text") if value.type == "text" else None


def read_thinking(value: Thinking) -> ReasoningOptions | None:
    if value.type not in ("enabled", "disabled"):
        return None
    return ReasoningOptions(mode="on" if value.type == "enabled" else "off", budget=value.token_budget)


def same(value: Any) -> Any:
    return value


def _option(field: str, type: Any, convert: Callable[[Any], Any] = same) -> tuple[str, Any, Callable[[Any], Any]]:
    return field, msgspec.json.Decoder(type), convert


OPTIONS: Mapping[str, tuple[str, Any, Callable[[Any], Any]]] = {
    "max_tokens": _option("max_tokens", int),
    "temperature": _option("temperature", float),
    "p": _option("top_p", float),
    "k": _option("top_k", int),
    "stop_sequences": _option("stop", list[str], tuple),
    "seed": _option("seed", int),
    "frequency_penalty": _option("frequency_penalty", float),
    "presence_penalty": _option("presence_penalty", float),
    "logprobs": _option("logprobs", bool),
    "response_format": _option("response_format", Format, read_format),
    "tool_choice": _option("tool_choice", str, read_choice),
    "thinking": _option("reasoning", Thinking, read_thinking),
}
"""Wire key: the request's field, a decoder, and what makes the field's value of the wire's."""


def read_options(fields: Mapping[str, Raw]) -> tuple[dict[str, Any], dict[str, Raw]]:
    """The request's fields, and the keys that none of them names or can hold. Raises `InvalidRequest`."""
    options: dict[str, Any] = {}
    extra: dict[str, Raw] = {}
    for key, raw in fields.items():
        if key in STRUCTURE:
            continue
        option = OPTIONS.get(key)
        if option is None:
            extra[key] = raw
        elif raw != NULL:
            field, decoder, convert = option
            value = convert(_read(decoder, raw, key))
            if value is None:
                extra[key] = raw
            else:
                options[field] = value
    return options, extra


def _read(decoder: Any, raw: Raw, key: str) -> Any:
    """A whole number may be written as `100.0`."""
    try:
        return read(decoder, raw, key)
    except InvalidRequest:
        if decoder.type is int and bytes(raw).endswith(b".0"):
            return read(decoder, Raw(bytes(raw)[:-2]), key)
        raise


def write_options(request: Request) -> Fields:
    """The wire keys of the fields that are set, as this dialect's own requests set them."""
    fields: Fields = {}
    for key, (field, _, _) in OPTIONS.items():
        value = getattr(request, field)
        if value not in (None, ()) and field not in ("response_format", "tool_choice", "reasoning"):
            fields[key] = value
    if request.response_format is not None:
        fields["response_format"] = write_format(request.response_format)
    if request.tool_choice is not None and request.tools and request.tool_choice.mode != "auto":
        fields["tool_choice"] = "NONE" if request.tool_choice.mode == "none" else "REQUIRED"
    thinking = write_thinking(request.reasoning)
    if thinking is not None:
        fields["thinking"] = thinking
    return fields


def write_format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind == "text":
        return {"type": "text"}
    return {"type": "json_object"} if wanted.schema is None else {"type": "json_object", "json_schema": wanted.schema}


def write_thinking(reasoning: ReasoningOptions | None) -> dict[str, Any] | None:
    """None when Cohere has no word for it, or when nothing was said."""
    if reasoning is None or (reasoning.mode == "adaptive" and reasoning.budget is None):
        return None
    if reasoning.mode == "off" or reasoning.effort == "none":
        return {"type": "disabled"}
    budget = reasoning.budget or _BUDGETS.get(reasoning.effort or "")
    if reasoning.mode is None and reasoning.effort is None and budget is None:
        return None
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


def narrowed(request: Request, losses: list[str]) -> dict[str, Any]:
    """Changes to the settings of another dialect's request that Cohere cannot take as they are."""
    changes: dict[str, Any] = {}
    for field, name in _ABSENT.items():
        if getattr(request, field) is not None:
            note(losses, f"{name}: Cohere has no such parameter")
    for field in (*_MOST, *_LEAST):
        value = getattr(request, field)
        bounded = value if value is None else max(_LEAST.get(field, 0), min(value, _MOST[field]))
        if bounded != value:
            note(losses, f"{field}: {value:g} is out of Cohere's range, {bounded:g} was sent")
            changes[field] = bounded
    if request.n is not None and request.n > 1:
        note(losses, "n: Cohere gives one answer")
    if request.top_logprobs is not None:
        changes["logprobs"] = True
    if len(request.stop) > MAX_STOPS:
        note(losses, f"stop: Cohere takes {MAX_STOPS} sequences, the others were left out")
        changes["stop"] = request.stop[:MAX_STOPS]
    told_reasoning(request.reasoning, losses)
    told_format(request.response_format, losses)
    return changes


def told_reasoning(reasoning: ReasoningOptions | None, losses: list[str]) -> None:
    if reasoning is None:
        return
    if reasoning.summary is not None:
        note(losses, "reasoning.summary: Cohere has no such parameter")
    if reasoning.display is not None:
        note(losses, "reasoning.display: Cohere has no such parameter")
    if reasoning.mode == "adaptive" and reasoning.budget is None:
        note(losses, "reasoning: Cohere's models think or do not, adaptive thinking was left to the model")
    elif reasoning.effort not in (None, "none") and reasoning.budget is None:
        note(losses, "reasoning.effort: told as a budget of thinking tokens")


def told_format(wanted: ResponseFormat | None, losses: list[str]) -> None:
    if wanted is not None and wanted.description:
        note(losses, "response_format.description: Cohere has no such key")
