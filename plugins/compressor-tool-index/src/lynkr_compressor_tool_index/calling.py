"""Calls of hidden tools, as the model writes them and as the caller knows them."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_compressor_tool_index.catalogue import Catalogue, described, required
from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import Message, Part, ToolCall, ToolCallResponse

FIND, CALL = "lynkr_find_tools", "lynkr_call_tool"


class Asked(Struct):
    """What `lynkr_call_tool` is given. `arguments` may come as text, too."""

    name: str = ""
    arguments: Raw = Raw(b"{}")


class Query(Struct):
    query: str = ""
    limit: int = 5


_asked = msgspec.json.Decoder(Asked)
_query = msgspec.json.Decoder(Query)
_object = msgspec.json.Decoder(dict[str, Raw])
_text = msgspec.json.Decoder(str)
_name = msgspec.json.Encoder()


def found(catalogue: Catalogue, call: ToolCall) -> str:
    """The answer to a look into the index."""
    try:
        query = _query.decode(call.arguments.encode())
    except UNREADABLE as error:
        return f"The arguments cannot be read: {error}"
    tools = catalogue.find(query.query, query.limit)
    if not tools:
        return f"No tool fits {query.query!r}. {CALL}'s description lists them all."
    return f"{described(tools)}\n\nCall one with {CALL}."


def passed_on(catalogue: Catalogue, others: frozenset[str], call: ToolCall) -> ToolCall | str:
    """The call that the caller gets; or what is wrong with it, for the model. `others`: tools that are not hidden."""
    try:
        asked = _asked.decode(call.arguments.encode())
        arguments = unwrapped(asked.arguments)
        given = _object.decode(arguments.encode())
    except UNREADABLE as error:
        return f"The arguments cannot be read: {error}. Give the tool's `name` and its `arguments`, an object."
    if asked.name in others:
        return ToolCall(id="", name=asked.name, arguments=arguments)
    tool = catalogue.named(asked.name)
    if tool is None:
        near = ", ".join([near.name for near in catalogue.find(asked.name)])
        return f"There is no tool {asked.name!r}. The nearest: {near or 'none'}."
    missing = [name for name in required(tool) if name not in given]
    if missing:
        return f"Not called: {', '.join(missing)} missing in `arguments`. {described([tool])}"
    return ToolCall(id="", name=tool.name, arguments=arguments)


def unwrapped(arguments: Raw) -> str:
    """As the model spelt them, also where it put the object into a text. Raises what `UNREADABLE` names."""
    raw = bytes(arguments).decode()
    return (_text.decode(raw.encode()) or "{}") if raw.startswith('"') else raw


def wrapped(call: ToolCall) -> ToolCall:
    """A call of a hidden tool as the model made it; the same for the same call, whatever it looked like then."""
    name = _name.encode(call.name).decode()
    return call.edit(name=CALL, arguments=f'{{"name":{name},"arguments":{call.arguments.strip() or "{}"}}}')


def rewritten(message: Message, hidden: frozenset[str]) -> Message:
    """A message of the history, its calls of hidden tools, and the names of their results, as the model knows them."""
    if not any(name_of(part) in hidden for part in message.parts):
        return message
    return message.edit(parts=tuple([_rewritten(part) if name_of(part) in hidden else part for part in message.parts]))


def name_of(part: Part) -> str | None:
    """Of a call of a function, or of a result that says what it is from."""
    if isinstance(part, ToolCall):
        return part.name if part.kind == "function" else None
    return part.name if isinstance(part, ToolCallResponse) else None


def _rewritten(part: Part) -> Part:
    if isinstance(part, ToolCall):
        return wrapped(part)
    return structs.replace(part, name=CALL, edited=True) if isinstance(part, ToolCallResponse) else part
