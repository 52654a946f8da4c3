"""Everything in a request that is neither prompt nor tool: sampling, limits, thinking, tool choice, output format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages.blocks import NOTHING, some
from lynkr_core.dialects.anthropic_messages.names import safe_name
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import ReasoningOptions, Request, ResponseFormat, ToolChoice

Options = dict[str, Any]
KEYS = (
    "model", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "metadata", "service_tier", "thinking",
    "output_config", "output_format", "tool_choice",
)  # fmt: skip
_CHOICES: dict[str, Literal["auto", "none", "required", "tool"]] = {
    "auto": "auto", "any": "required", "none": "none", "tool": "tool",
}  # fmt: skip
_CHOICE_NAMES = {mode: name for name, mode in _CHOICES.items()}
_MODES: dict[str, Literal["off", "on", "adaptive"]] = {"disabled": "off", "adaptive": "adaptive"}


class _Metadata(Struct):
    user_id: str | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema: Raw = NOTHING


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "model": _decoder(str),
    "max_tokens": _decoder(int | None),
    "temperature": _decoder(float | None),
    "top_p": _decoder(float | None),
    "top_k": _decoder(int | None),
    "stop_sequences": _decoder(list[str] | None),
    "stream": _decoder(bool | None),
    "metadata": _decoder(_Metadata | None),
    "service_tier": _decoder(str | None),
    "thinking": _decoder(_Thinking | None),
    "output_config": _decoder(_OutputConfig | None),
    "output_format": _decoder(_Format | None),
    "tool_choice": _decoder(_ToolChoice | None),
}


def read_value(fields: Mapping[str, Raw], key: str) -> Any:
    """One top-level value, None when it is missing. Raises `InvalidRequest`."""
    raw = fields.get(key)
    if raw is None:
        return None
    try:
        return _DECODERS[key].decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{key}: {error}", param=key) from None


def read_options(fields: Mapping[str, Raw]) -> Options:
    """The fields of `Request` that these keys fill."""
    choice: _ToolChoice | None = read_value(fields, "tool_choice")
    config: _OutputConfig = read_value(fields, "output_config") or _OutputConfig()
    metadata: _Metadata | None = read_value(fields, "metadata")
    return {
        "model": read_value(fields, "model") or "",
        "max_tokens": read_value(fields, "max_tokens"),
        "temperature": read_value(fields, "temperature"),
        "top_p": read_value(fields, "top_p"),
        "top_k": read_value(fields, "top_k"),
        "stop": tuple(read_value(fields, "stop_sequences") or ()),
        "stream": bool(read_value(fields, "stream")),
        "metadata": some(fields.get("metadata", NOTHING)),
        "user": metadata.user_id if metadata else None,
        "service_tier": read_value(fields, "service_tier"),
        "reasoning": _read_reasoning(read_value(fields, "thinking"), config.effort),
        "response_format": _read_format(config.format or read_value(fields, "output_format")),
        "tool_choice": _read_choice(choice),
        "parallel_tool_calls": None if choice is None or choice.disable_parallel_tool_use is None
        else not choice.disable_parallel_tool_use,
    }  # fmt: skip


def _read_reasoning(thinking: _Thinking | None, effort: str | None) -> ReasoningOptions | None:
    if thinking is None:
        return None if effort is None else ReasoningOptions(effort=effort)
    mode = _MODES.get(thinking.type, "on")
    return ReasoningOptions(mode=mode, effort=effort, budget=thinking.budget_tokens, display=thinking.display)


def _read_format(format: _Format | None) -> ResponseFormat | None:
    """`output_format` at the top level is what the beta of structured outputs called it."""
    if format is None or format.type != "json_schema":
        return None
    return ResponseFormat(kind="json_schema", schema=some(format.schema))


def _read_choice(choice: _ToolChoice | None) -> ToolChoice | None:
    if choice is None:
        return None
    mode = _CHOICES.get(choice.type)
    if mode is None:
        raise InvalidRequest(f"tool_choice.type: unknown value {choice.type!r}", param="tool_choice.type")
    return ToolChoice(mode=mode, name=choice.name)


def write_options(request: Request) -> Options:
    """The top-level keys of a request that came in this dialect; None where there is nothing to say."""
    return {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": list(request.stop) or None,
        "stream": request.stream or None,
        "metadata": {"user_id": request.user} if request.user is not None else None,
        "service_tier": request.service_tier,
        "thinking": write_thinking(request.reasoning),
        "output_config": write_output_config(request),
        "tool_choice": write_choice(request.tool_choice, request.parallel_tool_calls),
    }


def write_thinking(reasoning: ReasoningOptions | None) -> Options | None:
    if reasoning is None or reasoning.mode is None:
        return None
    if reasoning.mode == "off":
        return {"type": "disabled"}
    display: Options = {"display": reasoning.display} if reasoning.display else {}
    if reasoning.mode == "adaptive" or reasoning.budget is None:
        return {"type": "adaptive"} | display
    return {"type": "enabled", "budget_tokens": reasoning.budget} | display


def write_output_config(request: Request) -> Options | None:
    config: Options = {}
    if request.reasoning is not None and request.reasoning.effort is not None:
        config["effort"] = request.reasoning.effort
    wanted = request.response_format
    if wanted is not None and wanted.kind == "json_schema" and wanted.schema is not None:
        config["format"] = {"type": "json_schema", "schema": wanted.schema}
    return config or None


def write_choice(choice: ToolChoice | None, parallel: bool | None) -> Options | None:
    if choice is None:
        return {"type": "auto", "disable_parallel_tool_use": True} if parallel is False else None
    wire: Options = {"type": _CHOICE_NAMES[choice.mode]}
    if choice.mode == "tool":
        wire["name"] = safe_name(choice.name or "")
    if parallel is not None and choice.mode != "none":
        wire["disable_parallel_tool_use"] = not parallel
    return wire
