"""Requests: from the wire into the model, and back."""

from __future__ import annotations

from msgspec import UNSET, Raw, structs

from lynkr_core.dialect import Envelope, Fields
from lynkr_core.dialects.openai_chat.tool import own_tool, read_tool
from lynkr_core.dialects.splice import apply, difference, splice, untouched
from lynkr_core.request import Message, Request, Tool
from lynkr_provider_ollama.message import read_messages, write_own
from lynkr_provider_ollama.options import note_losses, read_settings, write_settings
from lynkr_provider_ollama.translate import translate_messages, translate_tools
from lynkr_provider_ollama.wire import NULL, encode, given, lists, objects, read, texts

NAME = "ollama"


def decode_request(envelope: Envelope) -> Request:
    """Raises `InvalidRequest` with the path of the mistake."""
    fields = envelope.fields
    settings, extra = read_settings(fields)
    return Request(
        dialect=NAME, model=envelope.model, stream=envelope.stream, messages=read_messages(fields["messages"]),
        tools=read_tools(fields), extra=extra, native=Raw(encode(fields)), **settings,
    )  # fmt: skip


def read_tools(fields: dict[str, Raw]) -> tuple[Tool, ...]:
    """They have the form that they have in OpenAI's chat."""
    raw = given(fields.get("tools", NULL))
    items = [] if raw is None else read(lists, raw, "tools")
    return tuple([read_tool(raw, f"tools[{index}]") for index, raw in enumerate(items)])


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
    settings, extra = read_settings(fields)
    before = write_settings(Request(dialect=NAME, model="", extra=extra, **settings))
    changes = difference(before, write_settings(request))
    if "options" in changes and "options" in before:
        after: Fields = {} if changes["options"] is UNSET else changes["options"]
        changes["options"] = splice(fields["options"], difference(before["options"], after))
    if request.model != read_model(fields):
        changes["model"] = request.model
    if request.stream != (fields.get("stream") != Raw(b"false")):
        changes["stream"] = request.stream
    conversation = _conversation(request)
    if not untouched(conversation, fields["messages"]):
        changes["messages"] = [fragment for message in conversation for fragment in write_own(message)]
    if not untouched(request.tools, fields.get("tools", NULL)):
        changes["tools"] = [own_tool(tool) for tool in request.tools] or UNSET
    return apply(fields, changes)


def read_model(fields: Fields) -> str:
    return read(texts, fields["model"], "model")


def _conversation(request: Request) -> tuple[Message, ...]:
    """The messages, after a system prompt that somebody put beside them."""
    return (Message(role="system", parts=request.system), *request.messages) if request.system else request.messages


def written(request: Request) -> Fields:
    """A request in this dialect that was made here."""
    fields: Fields = {"model": request.model}
    fields["messages"] = [fragment for message in _conversation(request) for fragment in write_own(message)]
    if request.tools:
        fields["tools"] = [own_tool(tool) for tool in request.tools]
    return fields | write_settings(request) | {"stream": request.stream}


def translate(request: Request, losses: list[str]) -> Fields:
    """A request of another dialect. `stream` is always said: Ollama streams unless it is told not to."""
    note_losses(request, losses)
    fields: Fields = {"model": request.model, "messages": translate_messages(request, losses)}
    tools = translate_tools(request, losses)
    if tools:
        fields["tools"] = tools
    return fields | write_settings(structs.replace(request, extra={})) | {"stream": request.stream}
