"""Requests: from the wire into the model, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Raw, structs

from lynkr_core.dialect import Envelope, Fields
from lynkr_core.dialects.losses import note, note_cache_markers
from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_chat.tool import own_tool, read_tool, write_tool
from lynkr_core.dialects.openai_chat.wire import NULL, encode, given, lists, objects, read, texts
from lynkr_core.dialects.splice import apply, difference, untouched
from lynkr_core.request import Message, Part, Request, Text, Tool, ToolChoice
from lynkr_provider_cohere.message import read_message, write_own
from lynkr_provider_cohere.options import narrowed, read_options, write_options
from lynkr_provider_cohere.translate import translate_messages
from lynkr_provider_cohere.wire import NAME

_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
"""Cohere wants a schema for each tool."""


def decode_request(envelope: Envelope) -> Request:
    """Raises `InvalidRequest` with the path of the mistake. The documents stand in `system`: all models can read them there."""
    fields = envelope.fields
    options, extra = read_options(fields)
    return Request(
        dialect=NAME, model=envelope.model, stream=envelope.stream, messages=_messages(fields), system=_documents(fields),
        tools=_tools(fields), extra=extra, native=Raw(encode(fields)), **options,
    )  # fmt: skip


def _messages(fields: dict[str, Raw]) -> tuple[Message, ...]:
    items = read(lists, fields["messages"], "messages")
    return tuple([read_message(raw, f"messages[{index}]") for index, raw in enumerate(items)])


def _documents(fields: dict[str, Raw]) -> tuple[Part, ...]:
    raw = given(fields.get("documents", NULL))
    items = [] if raw is None else read(lists, raw, "documents")
    return tuple([Text(text=_readable(item), native=item) for item in items])


def _readable(document: Raw) -> str:
    text = bytes(document)
    return "Document: " + (texts.decode(text) if text.startswith(b'"') else text.decode())


def _tools(fields: dict[str, Raw]) -> tuple[Tool, ...]:
    raw = given(fields.get("tools", NULL))
    items = [] if raw is None else read(lists, raw, "tools")
    strict = fields.get("strict_tools") == Raw(b"true")
    tools = [read_tool(raw, f"tools[{index}]") for index, raw in enumerate(items)]
    return tuple([structs.replace(tool, strict=True) for tool in tools]) if strict else tuple(tools)


def encode_request(request: Request, losses: list[str]) -> Fields:
    """Byte for byte what came in where nothing was changed; see `Dialect.encode_request`."""
    if request.dialect != NAME:
        return translate(request, losses)
    if request.native is None:
        return written(request)
    fields: Fields = dict(objects.decode(request.native))
    return spliced(fields, request) if request.edited else fields


def spliced(fields: Fields, request: Request) -> Fields:
    """The body that came in, with what was edited replaced."""
    options, extra = read_options(fields)
    same_tools = untouched(request.tools, fields.get("tools", NULL))
    old = Request(dialect=NAME, model=request.model, tools=request.tools if same_tools else _tools(fields), **options)
    changes = difference(write_options(old), write_options(request)) | difference(extra, dict(request.extra))
    if request.model != texts.decode(fields["model"]):
        changes["model"] = request.model
    if request.stream != (fields.get("stream") == Raw(b"true")):
        changes["stream"] = request.stream
    if not untouched(request.system, fields.get("documents", NULL)):
        changes["documents"] = _own_documents(request.system) or UNSET
    conversation = _conversation(request)
    if not untouched(conversation, fields["messages"]):
        changes["messages"] = [fragment for message in conversation for fragment in write_own(message)]
    if not same_tools:
        changes["tools"] = [own_tool(structs.replace(tool, strict=None)) for tool in request.tools] or UNSET
    return apply(fields, changes)


def _conversation(request: Request) -> tuple[Message, ...]:
    """The messages, after a system prompt that somebody put beside them."""
    prompt = tuple([part for part in request.system if part.native is None])
    return (Message(role="system", parts=prompt), *request.messages) if prompt else request.messages


def _own_documents(system: Sequence[Part]) -> list[Any]:
    """A document that was changed is a bare text."""
    kept = [part for part in system if part.native is not None]
    return [part.text if part.edited and isinstance(part, Text) else part.native for part in kept]


def written(request: Request) -> Fields:
    """A request in this dialect that was made here."""
    fields: Fields = {"model": request.model}
    fields["messages"] = [fragment for message in _conversation(request) for fragment in write_own(message)]
    fields |= write_options(request)
    documents = _own_documents(request.system)
    if documents:
        fields["documents"] = documents
    if request.tools:
        fields["tools"] = [own_tool(structs.replace(tool, strict=None)) for tool in request.tools]
        fields |= {"strict_tools": True} if request.tools[0].strict else {}
    fields |= request.extra
    return fields | {"stream": True} if request.stream else fields


def translate(request: Request, losses: list[str]) -> Fields:
    """A request of another dialect."""
    tools = _carried(request, losses)
    changes = narrowed(request, losses)
    choice = request.tool_choice
    if choice is not None and choice.mode == "tool":
        named = [tool for tool in tools if tool.name == choice.name]
        if named:
            tools = named
            note(losses, "tool_choice: told as the only tool, which is required")
        else:
            note(losses, f"tool_choice: there is no tool {choice.name!r} here, the model may choose")
        changes["tool_choice"] = ToolChoice("required" if named else "auto")
    carried = structs.replace(request, tools=tuple(tools), **changes)
    fields: Fields = {"model": request.model, "messages": translate_messages(request, losses), **write_options(carried)}
    if tools:
        fields["tools"] = [_tool(tool) for tool in tools]
        fields |= _strict(tools, losses)
    if request.parallel_tool_calls is False and tools:
        note(losses, "parallel_tool_calls: Cohere has no such parameter")
    for key in request.extra:
        note(losses, f"{key}: Cohere has no such parameter")
    note_cache_markers(request, losses)
    return fields | {"stream": True} if request.stream else fields


def _carried(request: Request, losses: list[str]) -> list[Tool]:
    """The functions; Cohere has no other tools."""
    for tool in request.tools:
        if tool.kind != "function":
            note(losses, f"tools: {tool.name} is of kind {tool.kind}, which Cohere does not have")
    return [tool for tool in request.tools if tool.kind == "function"]


def _tool(tool: Tool) -> dict[str, Any]:
    fragment = write_tool(structs.replace(tool, name=safe_name(tool.name), strict=None, cache=None))
    fragment["function"].setdefault("parameters", _NO_PARAMETERS)
    return fragment


def _strict(tools: Sequence[Tool], losses: list[str]) -> Fields:
    """Cohere is strict with all tools or with none."""
    strict = [tool for tool in tools if tool.strict]
    if strict and len(strict) < len(tools):
        note(losses, "tools.strict: Cohere is strict with all tools or none, it was not asked to be")
    return {"strict_tools": True} if len(strict) == len(tools) else {}
