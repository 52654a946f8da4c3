"""Requests: from the wire into the model, and back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, structs

from lynkr_core.dialect import Envelope, Fields
from lynkr_core.dialects.losses import note, note_cache_markers, note_citations
from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.known import read_known_messages, read_known_tools
from lynkr_core.dialects.openai_chat.message import read_message, write_own
from lynkr_core.dialects.openai_chat.options import read_options, write_effort, write_options
from lynkr_core.dialects.openai_chat.tool import own_tool, read_tool, translate_tools, write_tool
from lynkr_core.dialects.openai_chat.translate import translate_messages
from lynkr_core.dialects.splice import apply, difference, untouched
from lynkr_core.dialects.standing import standing
from lynkr_core.request import Message, ReasoningOptions, Request, Tool, ToolChoice

NAME = "openai.chat"
_words = msgspec.json.Decoder(list[str])
_SHARED = {
    key: key for key in ("safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation", "store")
} | {"text.verbosity": "verbosity"}  # fmt: skip
_DEFAULTS = {"truncation": b'"disabled"', "background": b"false"}
"""What Responses says with these keys when it asks for nothing."""
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})


def decode_request(envelope: Envelope) -> Request:
    """Raises `InvalidRequest` with the path of the mistake."""
    fields = envelope.fields
    options, extra = read_options(fields)
    return Request(
        dialect=NAME, model=envelope.model, stream=envelope.stream, messages=_messages(envelope), tools=_tools(fields), extra=extra,
        native=Raw(wire.encode(fields)), **options,
    )  # fmt: skip


def _messages(envelope: Envelope) -> tuple[Message, ...]:
    raw = envelope.fields["messages"]
    known = envelope.grown.messages(read_known_messages) if envelope.grown else read_known_messages(raw)
    if known is not None:
        return known
    items = wire.read(wire.lists, raw, "messages")
    return tuple([read_message(raw, f"messages[{index}]") for index, raw in enumerate(items)])


def _tools(fields: dict[str, Raw]) -> tuple[Tool, ...]:
    raw = wire.given(fields.get("tools", wire.NULL))
    if raw is None:
        return ()
    known = standing(read_known_tools, raw)
    if known is not None:
        return known
    return tuple([read_tool(one, f"tools[{index}]") for index, one in enumerate(wire.read(wire.lists, raw, "tools"))])


def encode_request(request: Request, losses: list[str]) -> Fields:
    """Byte for byte what came in where nothing was changed; see `Dialect.encode_request`."""
    if request.dialect != NAME:
        return translate(request, losses)
    if request.native is None:
        return written(request)
    fields: Fields = dict(wire.objects.decode(request.native))
    return spliced(fields, request) if request.edited else fields


def spliced(fields: Fields, request: Request) -> Fields:
    """The body that came in, with what was edited replaced."""
    options, extra = read_options(fields)
    same_tools = untouched(request.tools, fields.get("tools", wire.NULL))
    tools = request.tools if same_tools else _tools(fields)
    old = Request(dialect=NAME, model=request.model, tools=tools, **options)
    changes = difference(write_options(old), write_options(request))
    if "max_tokens" in changes and "max_completion_tokens" in fields:
        changes["max_completion_tokens"] = changes.pop("max_tokens")
    changes |= difference(extra, dict(request.extra))
    if request.model != wire.texts.decode(fields["model"]):
        changes["model"] = request.model
    if request.stream != (fields.get("stream") == Raw(b"true")):
        changes["stream"] = request.stream
    conversation = _conversation(request)
    if not untouched(conversation, fields["messages"]):
        changes["messages"] = [fragment for message in conversation for fragment in write_own(message)]
    if not same_tools:
        changes["tools"] = [own_tool(tool) for tool in request.tools] or UNSET
    return apply(fields, changes)


def _conversation(request: Request) -> tuple[Message, ...]:
    """The messages, after a system prompt that somebody put beside them."""
    return (Message(role="system", parts=request.system), *request.messages) if request.system else request.messages


def written(request: Request) -> Fields:
    """A request in this dialect that was made here."""
    fields: Fields = {"model": request.model}
    fields["messages"] = [fragment for message in _conversation(request) for fragment in write_own(message)]
    if request.tools:
        fields["tools"] = [own_tool(tool) for tool in request.tools]
    fields |= write_options(request)
    fields |= {key: value for key, value in request.extra.items() if "." not in key}
    if request.stream:
        fields["stream"] = True
    return fields


def translate(request: Request, losses: list[str]) -> Fields:
    """A request of another dialect."""
    tools = translate_tools(request, losses)
    carried = structs.replace(request, tools=tuple(tools), **_narrowed(request, losses))
    fields: Fields = {"model": request.model, "messages": translate_messages(request, losses)}
    if tools:
        fields["tools"] = [write_tool(tool) for tool in tools]
    fields |= write_options(carried)
    if request.stream:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True}
    note_cache_markers(request, losses)
    note_citations(request, losses)
    return fields | _shared(request, losses)


def _shared(request: Request, losses: list[str]) -> Fields:
    """Keys that chat has under the same name, when they are the same vendor's; all others are lost."""
    fields: Fields = {}
    own = request.dialect.startswith("openai.")
    for key, raw in request.extra.items():
        name = _SHARED.get(key) if own else None
        if name is not None:
            fields[name] = raw
        elif own and key == "include":
            _note_include(raw, losses)
        elif not (own and _DEFAULTS.get(key) == bytes(raw)):
            note(losses, f"{key}: chat has no such parameter")
    return fields


def _note_include(raw: Raw, losses: list[str]) -> None:
    """Log probabilities are asked for elsewhere; the rest has no place."""
    for word in [] if raw == wire.NULL else wire.read(_words, raw, "include"):
        if word != "message.output_text.logprobs":
            note(losses, f"include: chat has nothing like {word}")


def _narrowed(request: Request, losses: list[str]) -> dict[str, Any]:
    """Changes to the settings that chat cannot take as they are."""
    changes: dict[str, Any] = {}
    choice = request.tool_choice
    if (
        choice is not None
        and choice.mode == "tool"
        and all(tool.name != choice.name or not _carried(tool) for tool in request.tools)
    ):
        note(losses, f"tool_choice: there is no tool {choice.name!r} here, the model may choose")
        changes["tool_choice"] = ToolChoice("auto")
    elif choice is not None and choice.name is not None:
        changes["tool_choice"] = ToolChoice("tool", safe_name(choice.name))
    if request.top_k is not None:
        note(losses, "top_k: chat has no such parameter")
    _note_reasoning(request.reasoning, losses)
    if request.service_tier is not None and request.service_tier not in _TIERS:
        note(losses, f"service_tier: chat has no {request.service_tier!r}")
        changes["service_tier"] = None
    if request.metadata is not None and not request.dialect.startswith("openai."):
        changes["metadata"] = None
        if request.user is None:
            note(losses, "metadata: means something else here")
    return changes


def _note_reasoning(reasoning: ReasoningOptions | None, losses: list[str]) -> None:
    if reasoning is None:
        return
    if reasoning.summary is not None:
        note(losses, "reasoning.summary: chat has no such parameter")
    if reasoning.display is not None:
        note(losses, "reasoning.display: chat has no such parameter")
    if reasoning.mode in ("on", "adaptive") and write_effort(reasoning) is None:
        note(losses, "reasoning: thinking cannot be asked for without an effort, the model does as it does by itself")


def _carried(tool: Tool) -> bool:
    return tool.kind in ("function", "custom")
