"""A request of this dialect: read into the model, and written back with only the changed fragments replaced."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, Envelope, Fields, opens_with
from lynkr_core.dialects.anthropic_messages.blocks import NOTHING, read_content, read_list, read_message, some
from lynkr_core.dialects.anthropic_messages.fragments import Wire, encode, joined, render_content, render_message, respelt
from lynkr_core.dialects.anthropic_messages.known import (
    WireTool,
    read_known_messages,
    read_known_system,
    read_known_tools,
    tool_of,
)
from lynkr_core.dialects.anthropic_messages.names import safe_name
from lynkr_core.dialects.anthropic_messages.options import KEYS, read_options, read_value, write_options
from lynkr_core.dialects.anthropic_messages.signatures import strip_own_signatures
from lynkr_core.dialects.anthropic_messages.vocabulary import inside
from lynkr_core.dialects.growth import Growth, read_grown
from lynkr_core.dialects.shapes import LIST, NUMBER, OBJECT, TEXT, TEXT_OR_LIST
from lynkr_core.dialects.standing import standing
from lynkr_core.dialects.surrogates import read_fields
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Message, Part, Request, Tool

_KNOWN = frozenset((*KEYS, "messages", "system", "tools"))
_SPLICED = ("thinking", "output_config", "metadata", "tool_choice")
"""Objects that may hold keys we do not know."""
SHAPES = {
    "system": TEXT_OR_LIST, "tools": LIST, "tool_choice": OBJECT, "thinking": OBJECT, "output_config": OBJECT, "metadata": OBJECT,
    "stop_sequences": LIST, "temperature": NUMBER, "top_p": NUMBER, "top_k": NUMBER, "service_tier": TEXT,
}  # fmt: skip


_tool = msgspec.json.Decoder(WireTool)


def peek(body: bytes) -> Envelope:
    """Raises `InvalidRequest` when there is no model or no list of messages."""
    fields, grown = read_grown(body, "messages", "anthropic.messages")
    model = read_value(fields, "model")
    if not model:
        raise InvalidRequest("model: required", param="model")
    messages = fields.get("messages")
    if messages is None or not opens_with(messages, b"["):
        raise InvalidRequest("messages: a list is required", param="messages")
    stream, max_tokens = bool(read_value(fields, "stream")), read_value(fields, "max_tokens")
    return Envelope(fields=fields, model=model, stream=stream, max_tokens=max_tokens, grown=grown)


def refuse_threads(fields: Mapping[str, Raw]) -> None:
    """A thread is kept by one provider for one account, which many callers share here, and which the next candidate does not know.

    The tool runners of Anthropic's SDKs (Python 2.11, TypeScript 1.11) ask for one, and go on without when they read this code.
    """
    if some(fields.get("thread", NOTHING)) is not None:
        message = "thread: lynkr keeps no conversations; send the whole conversation in messages, without `thread`"
        raise InvalidRequest(message, code="thread_unsupported_request", param="thread")


def read_request(fields: Mapping[str, Raw], dialect: str, grown: Growth | None = None) -> Request:
    """Raises `InvalidRequest` with the path of the mistake."""
    if "messages" not in fields:
        raise InvalidRequest("messages: required", param="messages")
    return Request(
        dialect=dialect,
        messages=_read_messages(fields, grown),
        system=_read_system(fields),
        tools=_read_tools(fields),
        extra=_read_extra(fields),
        native=Raw(encode(fields)),
        **read_options(fields),
    )


def _read_messages(fields: Mapping[str, Raw], grown: Growth | None) -> tuple[Message, ...]:
    raw = fields["messages"]
    known = grown.messages(read_known_messages) if grown else read_known_messages(raw)
    if known is not None:
        return known
    return tuple([read_message(one, f"messages[{i}]") for i, one in enumerate(read_list(raw, "messages"))])


def _read_system(fields: Mapping[str, Raw]) -> tuple[Part, ...]:
    raw = fields.get("system", NOTHING)
    known = standing(read_known_system, raw)
    return read_content(raw, "system") if known is None else known


def _read_tools(fields: Mapping[str, Raw]) -> tuple[Tool, ...]:
    raw = some(fields.get("tools", NOTHING))
    if raw is None:
        return ()
    known = standing(read_known_tools, raw)
    if known is not None:
        return known
    return tuple([read_tool(tool, f"tools[{i}]") for i, tool in enumerate(read_list(raw, "tools"))])


def read_tool(raw: Raw, path: str) -> Tool:
    """Raises `InvalidRequest`."""
    try:
        return tool_of(_tool.decode(raw), raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def write_request(request: Request) -> Fields:
    """A request that came in this dialect, for an upstream of this dialect."""
    fields: Fields = {} if request.native is None else dict(read_fields(bytes(request.native)))
    if request.edited or request.native is None:
        _write_prompt(request, fields)
        _write_options(request, fields)
        _write_extra(request, fields)
    strip_own_signatures(fields)
    return fields


def _write_prompt(request: Request, fields: Fields) -> None:
    _replace(fields, "messages", [render_message(message) for message in request.messages])
    if request.tools:
        _replace(fields, "tools", [render_tool(tool) for tool in request.tools])
    else:
        fields.pop("tools", None)
    old = read_content(fields.get("system", NOTHING), "system")
    if not request.system:
        fields.pop("system", None)
    elif render_content(request.system) != render_content(old):
        fields["system"] = render_content(request.system)


def _replace(fields: Fields, key: str, fragments: list[Raw]) -> None:
    """Sets the array, unless all its items are as they came."""
    old = some(fields.get(key, NOTHING))
    if old is None or read_list(old, key) != fragments:
        fields[key] = joined(fragments)


def render_tool(tool: Tool) -> Raw:
    if tool.native is None:
        return Raw(encode(wire_tool(tool)))
    if not tool.edited:
        return tool.native
    return respelt(tool.native, wire_tool(read_tool(tool.native, "tool")), wire_tool(tool))


def wire_tool(tool: Tool) -> Wire:
    wire: Wire = {"name": safe_name(tool.name)}
    if tool.kind != "function":
        wire["type"] = tool.kind
    if tool.description is not None:
        wire["description"] = tool.description
    if tool.parameters is not None:
        wire["input_schema"] = tool.parameters
    if tool.strict is not None:
        wire["strict"] = tool.strict
    if tool.cache is not None:
        wire["cache_control"] = tool.cache
    return wire


def _write_options(request: Request, fields: Fields) -> None:
    """Only what differs from what the fragment says, so that unknown keys beside it and the spelling of numbers stay."""
    before = Request(dialect=request.dialect, **read_options(fields))
    old, new = write_options(before), write_options(request)
    for key, value in new.items():
        if value == old[key]:
            continue
        if value is None:
            fields.pop(key, None)
        elif key in _SPLICED and old[key] is not None:
            fields[key] = respelt(fields[key], old[key], value)
        else:
            fields[key] = value
    if request.response_format != before.response_format:
        fields.pop("output_format", None)


def _read_extra(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Keys that no field of the model names. A dotted one is part of `output_config`."""
    extra = {key: value for key, value in fields.items() if key not in _KNOWN}
    config = some(fields.get("output_config", NOTHING))
    if config is not None and opens_with(config, b"{"):
        inner = read_fields(bytes(config))
        extra |= {f"output_config.{key}": value for key, value in inner.items() if key not in ("effort", "format")}
    return extra | inside(fields)


def _write_extra(request: Request, fields: Fields) -> None:
    for key in [key for key in fields if key not in _KNOWN and key not in request.extra]:
        del fields[key]
    fields.update({key: value for key, value in request.extra.items() if "." not in key})
