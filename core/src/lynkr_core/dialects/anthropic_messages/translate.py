"""A request of another dialect, written as a Messages request."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.anthropic_messages.fragments import Wire
from lynkr_core.dialects.anthropic_messages.names import safe_name
from lynkr_core.dialects.anthropic_messages.options import write_choice
from lynkr_core.dialects.anthropic_messages.thinking import DEFAULT_MAX_TOKENS, set_thinking
from lynkr_core.dialects.anthropic_messages.turns import arrange, split_system, write_parts, write_turns
from lynkr_core.dialects.losses import note, note_citations
from lynkr_core.dialects.splice import splice
from lynkr_core.request import Part, Request, Text, Tool, ToolChoice

MAX_MARKERS = 4
JSON_ONLY = "Answer with a single JSON object and nothing else."
"""Stands for `json_object`, which this API has no setting for."""
_TIERS = {"auto": "auto", "default": "standard_only", "standard": "standard_only", "standard_only": "standard_only"}
_NOTHING_LOST = (None, 0, False)
_object = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS = (b'{"type":"object",', b'{"type": "object",')
"""How nearly all schemas begin."""


def translate(request: Request, losses: list[str]) -> Fields:
    """What this API has no place for is added to `losses`."""
    system, messages = split_system(request)
    turns = arrange(messages, losses)
    fields: Fields = {"model": request.model, "max_tokens": _max_tokens(request)}
    _set_system(fields, request, system, losses)
    fields["messages"] = write_turns(turns, losses)
    _set_tools(fields, request, losses)
    _set_sampling(fields, request, losses)
    _set_format(fields, request)
    set_thinking(fields, request.reasoning, request.max_tokens is not None, turns, losses)
    _set_rest(fields, request, losses)
    _tell_losses(request, losses)
    note_citations(request, losses)
    limit_markers(fields, losses)
    return fields


def limit_markers(fields: Fields, losses: list[str]) -> None:
    """The API refuses more than four cache markers; the last ones cover the longest prompt."""
    marked = [place for place in (*fields.get("tools", ()), *fields.get("system", ())) if "cache_control" in place]
    for turn in fields["messages"]:
        for block in turn["content"]:
            if "content" in block and isinstance(block["content"], list):
                marked += [place for place in block["content"] if "cache_control" in place]
            if "cache_control" in block:
                marked.append(block)
    for place in marked[:-MAX_MARKERS]:
        del place["cache_control"]
    if len(marked) > MAX_MARKERS:
        note(losses, f"cache_control: only the last {MAX_MARKERS} of {len(marked)} markers are allowed")


def _max_tokens(request: Request) -> int:
    return DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens


def _set_system(fields: Fields, request: Request, parts: list[Part], losses: list[str]) -> None:
    texts: list[Part] = [part for part in parts if isinstance(part, Text) and part.text.strip()]
    if any(not isinstance(part, Text) for part in parts):
        note(losses, "system: only text is allowed in it")
    if request.response_format is not None and request.response_format.kind == "json_object":
        texts.append(Text(text=JSON_ONLY))
        note(losses, "response_format: json_object is expressed differently, as a sentence in the system prompt")
    if texts:
        fields["system"] = write_parts(texts, losses)


def _set_tools(fields: Fields, request: Request, losses: list[str]) -> None:
    tools = [wire for tool in request.tools if (wire := _write_tool(tool, losses)) is not None]
    if not tools:
        return
    fields["tools"] = tools
    choice = _allowed_choice(request.tool_choice, {tool["name"] for tool in tools}, losses)
    wire = write_choice(choice, False if request.parallel_tool_calls is False else None)
    if wire is not None:
        fields["tool_choice"] = wire


def _allowed_choice(choice: ToolChoice | None, names: set[str], losses: list[str]) -> ToolChoice | None:
    if choice is None or choice.mode != "tool" or safe_name(choice.name or "") in names:
        return choice
    note(losses, f"tool_choice: there is no tool {choice.name!r} here, the model may choose")
    return ToolChoice(mode="auto")


def _write_tool(tool: Tool, losses: list[str]) -> Wire | None:
    """A function; free-text tools become a function of one string. None for a built-in tool of another vendor."""
    if tool.kind not in ("function", "custom"):
        note(losses, f"tools: {tool.kind} is another vendor's own")
        return None
    if tool.kind == "custom" and tool.native is not None and b'"format"' in bytes(tool.native):
        note(losses, f"tools: the grammar of {tool.name} cannot be carried")
    if tool.strict:
        note(losses, "tools.strict: not asked for, the schema is a hint")
    wire: Wire = {"name": safe_name(tool.name)}
    if tool.description:
        wire["description"] = tool.description
    wire["input_schema"] = _schema(tool)
    if tool.cache is not None:
        wire["cache_control"] = tool.cache
    return wire


def _schema(tool: Tool) -> Any:
    """The API wants an object's schema, and says so with `type`."""
    if tool.kind == "custom":
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    if tool.parameters is None:
        return {"type": "object", "properties": {}}
    if bytes(tool.parameters).startswith(_OBJECTS):
        return tool.parameters
    try:
        keys = _object.decode(tool.parameters)
    except UNREADABLE:
        return {"type": "object", "properties": {}}
    return tool.parameters if keys.get("type") == Raw(b'"object"') else splice(tool.parameters, {"type": "object"})


def _set_sampling(fields: Fields, request: Request, losses: list[str]) -> None:
    if request.temperature is not None:
        fields["temperature"] = min(request.temperature, 1.0)
        if request.temperature > 1:
            note(losses, f"temperature: {request.temperature:g} was lowered to 1, the highest there is")
    if request.top_p is not None:
        fields["top_p"] = request.top_p
    if request.top_k is not None:
        fields["top_k"] = request.top_k
    stop = [sequence for sequence in request.stop if sequence.strip()]
    if stop:
        fields["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        note(losses, "stop: sequences of white space are not allowed")


def _set_format(fields: Fields, request: Request) -> None:
    wanted = request.response_format
    if wanted is not None and wanted.kind == "json_schema" and wanted.schema is not None:
        fields["output_config"] = {"format": {"type": "json_schema", "schema": wanted.schema}}


def _set_rest(fields: Fields, request: Request, losses: list[str]) -> None:
    thinking = fields.get("thinking")
    if thinking is not None and thinking["type"] == "adaptive" and request.reasoning and request.reasoning.effort:
        fields["output_config"] = fields.get("output_config", {}) | {"effort": request.reasoning.effort}
    if request.user is not None:
        fields["metadata"] = {"user_id": request.user}
    if request.service_tier is not None:
        tier = _TIERS.get(request.service_tier)
        if tier is None:
            note(losses, f"service_tier: there is no tier {request.service_tier!r} here")
        else:
            fields["service_tier"] = tier
    if request.stream:
        fields["stream"] = True


def _tell_losses(request: Request, losses: list[str]) -> None:
    for key in ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "cache_key"):
        if getattr(request, key) not in _NOTHING_LOST or (key == "seed" and request.seed is not None):
            note(losses, f"{key}: the Messages API has no place for it")
    if request.n is not None and request.n > 1:
        note(losses, "n: only one answer can be asked for")
    if request.logit_bias is not None and bytes(request.logit_bias) not in (b"{}", b"null"):
        note(losses, "logit_bias: the Messages API has no place for it")
    if request.metadata is not None and bytes(request.metadata) not in (b"{}", b"null"):
        note(losses, "metadata: only the user is carried")
    for key, value in request.extra.items():
        if value != Raw(b"null"):
            note(losses, f"{key}: the Messages API has no place for it")
