"""The settings of a request: every top-level key but the conversation and the tools, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import Fields
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.vocabulary import inside
from lynkr_core.dialects.openai_chat.wire import Choosing, Format
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import ReasoningOptions, Request, ResponseFormat, ToolChoice

STRUCTURE = frozenset({"model", "messages", "tools", "stream", "stream_options"})
"""Keys that are read elsewhere."""
_EFFORTS = ((2048, "low"), (8192, "medium"))


def read_choice(value: str | Choosing) -> ToolChoice | None:
    """None for a choice that the model has no word for, such as a list of allowed tools."""
    if isinstance(value, str):
        return {
            "auto": ToolChoice("auto"), "none": ToolChoice("none"), "required": ToolChoice("required"), "any": ToolChoice("required"),
        }.get(value)  # fmt: skip
    named = value.function or value.custom
    return ToolChoice("tool", named.name) if named else None


def read_format(value: Format) -> ResponseFormat | None:
    if value.type == "json_schema" and value.json_schema is not None:
        inner = value.json_schema
        return ResponseFormat(
            kind="json_schema",
            name=inner.name,
            description=inner.description,
            schema=wire.given(inner.schema),
            strict=inner.strict,
        )
    if value.type in ("text", "json_object"):
        return ResponseFormat(kind="json_object" if value.type == "json_object" else "text")
    return None


def read_stop(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def read_effort(value: str) -> ReasoningOptions:
    return ReasoningOptions(mode="off" if value == "none" else None, effort=value)


def same(value: Any) -> Any:
    return value


def _option(field: str, type: Any, convert: Callable[[Any], Any] = same) -> tuple[str, Any, Callable[[Any], Any]]:
    return field, msgspec.json.Decoder(type), convert


OPTIONS: Mapping[str, tuple[str, Any, Callable[[Any], Any]]] = {
    "max_tokens": _option("max_tokens", int),
    "max_completion_tokens": _option("max_tokens", int),
    "temperature": _option("temperature", float),
    "top_p": _option("top_p", float),
    "stop": _option("stop", str | list[str], read_stop),
    "seed": _option("seed", int),
    "n": _option("n", int),
    "frequency_penalty": _option("frequency_penalty", float),
    "presence_penalty": _option("presence_penalty", float),
    "logit_bias": _option("logit_bias", Raw),
    "logprobs": _option("logprobs", bool),
    "top_logprobs": _option("top_logprobs", int),
    "response_format": _option("response_format", Format, read_format),
    "reasoning_effort": _option("reasoning", str, read_effort),
    "tool_choice": _option("tool_choice", str | Choosing, read_choice),
    "parallel_tool_calls": _option("parallel_tool_calls", bool),
    "user": _option("user", str),
    "metadata": _option("metadata", Raw),
    "service_tier": _option("service_tier", str),
    "prompt_cache_key": _option("cache_key", str),
}
"""Wire key: the request's field, a decoder, and what makes the field's value of the wire's."""


def read_options(fields: Mapping[str, Raw]) -> tuple[dict[str, Any], dict[str, Raw]]:
    """The request's fields, and the keys that none of them names or can hold. Raises `InvalidRequest`."""
    options: dict[str, Any] = {}
    extra: dict[str, Raw] = inside(fields)
    for key, raw in fields.items():
        if key in STRUCTURE:
            continue
        option = OPTIONS.get(key)
        if option is None:
            extra[key] = raw
        elif raw != wire.NULL:
            field, decoder, convert = option
            value = convert(_read(decoder, raw, key))
            if value is None:
                extra[key] = raw  # there is no word for it in the model: whoever translates has to tell
            else:
                options[field] = value
    return options, extra


def _read(decoder: Any, raw: Raw, key: str) -> Any:
    """A whole number may be written as `100.0`."""
    try:
        return wire.read(decoder, raw, key)
    except InvalidRequest:
        if decoder.type is int and bytes(raw).endswith(b".0"):
            return wire.read(decoder, Raw(bytes(raw)[:-2]), key)
        raise


def write_options(request: Request) -> Fields:
    """The wire keys of the fields that are set."""
    fields: Fields = {}
    for key in ("max_tokens", "temperature", "top_p", "seed", "n", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
                "top_logprobs", "user", "metadata", "service_tier"):  # fmt: skip
        value = getattr(request, key)
        if value is not None:
            fields[key] = value
    if request.top_logprobs is not None:
        fields["logprobs"] = True  # chat refuses the one without the other
    if request.stop:
        fields["stop"] = list(request.stop)
    if request.cache_key is not None:
        fields["prompt_cache_key"] = request.cache_key
    if request.response_format is not None:
        fields["response_format"] = write_format(request.response_format)
    effort = write_effort(request.reasoning)
    if effort is not None:
        fields["reasoning_effort"] = effort
    if request.tools:
        fields |= write_tool_options(request)
    return fields


def write_tool_options(request: Request) -> Fields:
    """Choices between tools are refused where there are none."""
    fields: Fields = {}
    choice = request.tool_choice
    if choice is not None and choice.mode == "tool":
        kind = next(("custom" for tool in request.tools if tool.name == choice.name and tool.kind == "custom"), "function")
        fields["tool_choice"] = {"type": kind, kind: {"name": choice.name}}
    elif choice is not None:
        fields["tool_choice"] = choice.mode
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    return fields


def write_format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind != "json_schema":
        return {"type": wanted.kind}
    inner = {
        "name": wanted.name or "response",
        "description": wanted.description,
        "schema": wanted.schema,
        "strict": wanted.strict,
    }
    return {"type": "json_schema", "json_schema": {key: value for key, value in inner.items() if value is not None}}


def write_effort(reasoning: ReasoningOptions | None) -> str | None:
    """None when nothing was said that chat has a word for."""
    if reasoning is None:
        return None
    if reasoning.mode == "off":
        return "none"
    if reasoning.effort is not None or reasoning.budget is None:
        return reasoning.effort
    return next((effort for limit, effort in _EFFORTS if reasoning.budget <= limit), "high")
