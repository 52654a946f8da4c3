"""Requests, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import Envelope, Fields
from lynkr_core.dialects.growth import read_grown
from lynkr_core.dialects.losses import without_attribution
from lynkr_core.dialects.openai_responses.items import ToolItem, read_input, tool_items, write_items
from lynkr_core.dialects.openai_responses.known import read_known_input, read_known_tools
from lynkr_core.dialects.openai_responses.options import change_options, foreign_options, read_options
from lynkr_core.dialects.openai_responses.sealing import FOREIGN_REASONING, drop_foreign
from lynkr_core.dialects.openai_responses.tools import read_tools, write_tool, write_tools
from lynkr_core.dialects.openai_responses.wire import (
    NAME,
    NOTHING,
    array,
    encode,
    fields,
    fragments,
    is_string,
    lose,
    read,
    some,
    string,
)
from lynkr_core.dialects.pairing import check_items
from lynkr_core.dialects.shapes import FLAG, LIST, NUMBER, OBJECT, TEXT, TEXT_OR_LIST, TEXT_OR_OBJECT, check_shapes
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Part, Request, Text, Tool

_flag = msgspec.json.Decoder(bool | None)
_count = msgspec.json.Decoder(int | None)
_NEEDS_STATE = ("previous_response_id", "conversation", "prompt")


_SHAPES = {
    "input": TEXT_OR_LIST, "instructions": TEXT_OR_LIST, "tools": LIST, "tool_choice": TEXT_OR_OBJECT, "text": OBJECT, "reasoning": OBJECT,
    "metadata": OBJECT, "include": LIST, "temperature": NUMBER, "top_p": NUMBER, "store": FLAG, "background": FLAG,
    "parallel_tool_calls": FLAG, "previous_response_id": TEXT,
}  # fmt: skip
_NEEDS_ONE = frozenset({"input", "prompt", "conversation", "previous_response_id"})
"""One of these has to say what is asked."""


def peek(body: bytes) -> Envelope:
    """Raises `InvalidRequest`."""
    found, grown = read_grown(body, "input", NAME)
    model = read(string, found["model"], "model") if "model" in found else None
    if not model:
        raise InvalidRequest("model: required", param="model")
    if _NEEDS_ONE.isdisjoint(found):
        raise InvalidRequest("input: required", param="input")
    return Envelope(
        fields=found,
        model=model,
        stream=bool(read(_flag, found["stream"], "stream")) if "stream" in found else False,
        max_tokens=read(_count, found["max_output_tokens"], "max_output_tokens") if "max_output_tokens" in found else None,
        grown=grown,
    )


def check(envelope: Envelope) -> None:
    """Raises `InvalidRequest`. Where something is kept at a provider the calls may be there."""
    found = envelope.fields
    check_shapes(found, _SHAPES)
    asked = some(found.get("input"))
    if asked is not None and not is_string(asked):
        envelope.signed = True if any(some(found.get(key)) for key in _NEEDS_STATE) else check_items(asked, envelope.grown)


def untranslatable(envelope: Envelope) -> str | None:
    """What the request refers to is kept at a provider: nobody else can look it up, and an answer without it would be wrong."""
    for key in _NEEDS_STATE:
        if some(envelope.fields.get(key)) is not None:
            return f"{key} needs a provider with the Responses API; send the whole conversation in input instead"
    if bytes(envelope.fields.get("background", b"")) == b"true":
        return "background needs a provider with the Responses API"
    raw = bytes(envelope.fields.get("input", b""))
    if b'"item_reference"' in raw and any(_is_reference(item) for item in fragments.decode(raw)):
        return "item_reference needs a provider with the Responses API; send the whole item instead"
    return None


def _is_reference(item: Raw) -> bool:
    return bytes(fields.decode(item).get("type", b"")) == b'"item_reference"'


def decode_request(envelope: Envelope) -> Request:
    """Raises `InvalidRequest`. `native` is the whole body, with the insignificant spaces between top-level keys gone."""
    found = envelope.fields
    known = read_known_input(found.get("input", NOTHING))
    return Request(
        dialect=NAME,
        model=envelope.model,
        messages=read_input(found.get("input")) if known is None else known,
        system=_read_instructions(found.get("instructions")),
        tools=_read_tools(found) if known is None else _listed_tools(found),  # items that bring tools are not known
        native=Raw(encode(found)),
        **read_options(found),
    )


def _read_tools(found: Mapping[str, Raw]) -> tuple[Tool, ...]:
    """The tools of the request, and those that items of its input bring."""
    brought = [tool for item in tool_items(found.get("input")) for tool in read_tools(item.tools)]
    return (*_listed_tools(found), *brought)


def _listed_tools(found: Mapping[str, Raw]) -> tuple[Tool, ...]:
    raw = found.get("tools")
    known = read_known_tools(raw or NOTHING)
    return read_tools(raw) if known is None else known


def _read_instructions(raw: Raw | None) -> tuple[Part, ...]:
    raw = some(raw)
    if raw is None:
        return ()
    text = read(string, raw, "instructions")
    return (Text(text=text),) if text else ()


def encode_request(request: Request, losses: list[str]) -> Fields:
    """In this dialect as it came, but for what was changed; from any other, made from the model."""
    if request.dialect != NAME or request.native is None:
        return _from_model(request, losses)
    found: Fields = dict(fields.decode(request.native))
    if request.edited:
        _change(found, request, losses)
    if drop_foreign(found):
        lose(losses, FOREIGN_REASONING)
    return found


def _change(found: Fields, request: Request, losses: list[str]) -> None:
    native = dict(found)
    system, tools = _read_instructions(native.get("instructions")), _read_tools(native)
    original = Request(dialect=NAME, model="", system=system, tools=tools, **read_options(native))
    if request.model != read(string, native["model"], "model"):
        found["model"] = request.model
    brought = tool_items(native.get("input"))
    if request.tools != tools:
        brought = _change_tools(found, request.tools, brought, losses)
    change_options(found, request, original)
    if request.system != system:
        _set_instructions(found, request, losses)
    _set_input(found, request, brought, losses)


def _change_tools(found: Fields, tools: Sequence[Tool], brought: list[ToolItem], losses: list[str]) -> list[ToolItem]:
    """Each tool stays where it came from; an item that has none left is gone."""
    rest = list(tools)
    kept: list[ToolItem] = []
    for item in brought:
        names = {tool.name for tool in read_tools(item.tools)}
        written = write_tools([tool for tool in rest if tool.name in names], item.tools, losses)
        rest = [tool for tool in rest if tool.name not in names]
        if written:
            kept.append(ToolItem(item.index, splice(item.native, {"tools": written}), item.tools))
    found["tools"] = write_tools(rest, some(found.get("tools")), losses)
    if not rest:
        del found["tools"]
    return kept


def _set_input(found: Fields, request: Request, brought: list[ToolItem], losses: list[str]) -> None:
    """Leaves the key alone, spaces included, when every item is as it came."""
    raw: Any = some(found.get("input"))
    if raw is None and not request.messages:
        return
    messages = request.messages
    if raw is not None and is_string(raw):
        if not (len(messages) == 1 and messages[0].native == raw and not messages[0].edited):
            found["input"] = write_items(messages, True, losses)
        return
    items = write_items(messages, True, losses)
    for item in brought:
        items.insert(item.index, item.native)
    if raw is None or items != fragments.decode(raw):
        found["input"] = array(items) if all(isinstance(item, Raw) for item in items) else items


def _set_instructions(found: Fields, request: Request, losses: list[str]) -> None:
    system = request.system if request.dialect == NAME else without_attribution(request.system, losses)
    texts = [part.text for part in system if isinstance(part, Text) and part.text]
    if any(not isinstance(part, Text) for part in request.system):
        lose(losses, "system: instructions can only be text")
    if texts:
        found["instructions"] = "\n\n".join(texts)
    else:
        found.pop("instructions", None)


def _from_model(request: Request, losses: list[str]) -> Fields:
    """Nothing is kept at the provider: the caller's own API keeps nothing either."""
    own = request.dialect == NAME
    found: Fields = {"model": request.model}
    _set_instructions(found, request, losses)
    found["input"] = write_items(request.messages, own, losses)
    tools = [wire for tool in request.tools if (wire := write_tool(tool, own, losses)) is not None]
    if tools:
        found["tools"] = tools
    options = foreign_options(request, losses)
    if not tools:
        options.pop("tool_choice", None)
        options.pop("parallel_tool_calls", None)
    return found | options | {"store": False}
