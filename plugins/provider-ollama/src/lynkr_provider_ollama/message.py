"""The conversation: read into the model, and written in this dialect's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from lynkr_core.dialects.openai_chat.content import data_url, kept
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, Message, Part, Reasoning, Role, Text, ToolCall, ToolCallResponse
from lynkr_provider_ollama.wire import Fragment, WireMessage, as_object, calls, given, lists, messages, read

ROLES: dict[str, Role] = {"system": "system", "developer": "developer", "user": "user", "assistant": "assistant", "tool": "tool"}
MADE = "ollama_call_"
"""Begins the ids of calls that came without one; they are counted, so that the same conversation always has the same ids."""
_IMAGES = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"))


class Pairs:
    """Which call a result belongs to. Calls may come without ids, and results then name the tool, or nothing."""

    def __init__(self) -> None:
        self.open: list[tuple[str, str]] = []
        self.made = 0

    def called(self, id: str | None, name: str) -> str:
        """The id of a call."""
        id = id or self._new()
        self.open.append((id, name))
        return id

    def answered(self, id: str | None, name: str | None) -> tuple[str, str | None]:
        """The id and name of the call that a result answers: the oldest one open that fits."""
        for pair in self.open:
            if pair[0] == id or (id is None and name in (None, pair[1])):
                self.open.remove(pair)
                return pair[0], name or pair[1]
        return id or self._new(), name

    def _new(self) -> str:
        self.made += 1
        return f"{MADE}{self.made}"


def read_messages(raw: Raw) -> tuple[Message, ...]:
    """Raises `InvalidRequest` with the path of the mistake."""
    pairs = Pairs()
    return tuple([read_message(item, f"messages[{index}]", pairs) for index, item in enumerate(read(lists, raw, "messages"))])


def read_message(raw: Raw, path: str, pairs: Pairs) -> Message:
    message = read(messages, raw, path)
    role = ROLES.get(message.role)
    if role is None:
        raise InvalidRequest(f"{path}.role: {message.role!r} is none of {', '.join(ROLES)}", param=f"{path}.role")
    if role != "tool":
        return Message(role=role, parts=read_parts(message, path, pairs), native=raw)
    id, name = pairs.answered(message.tool_call_id or None, message.tool_name or None)
    content = read_parts(message, path, pairs)
    return Message(role=role, parts=(ToolCallResponse(id=id, name=name, content=content),), native=raw)


def read_parts(message: WireMessage, path: str, pairs: Pairs) -> tuple[Part, ...]:
    """Thinking, text, images, calls."""
    parts: list[Part] = [Reasoning(text=message.thinking)] if message.thinking else []
    if message.content:
        parts.append(Text(text=message.content))
    parts += [image(data) for data in message.images or ()]
    parts += [read_call(raw, f"{path}.tool_calls[{index}]", pairs) for index, raw in enumerate(message.tool_calls or ())]
    return tuple(parts)


def image(data: str) -> Blob:
    """An image of which nothing but its base64 text came; its first bytes tell what it is."""
    mime, data = data_url(data) or ("", data)
    mime = mime or next((type for begin, type in _IMAGES if data.startswith(begin)), "image/*")
    return Blob(modality="image", mime_type=mime, data=data)


def read_call(raw: Raw, path: str, pairs: Pairs) -> ToolCall:
    call = read(calls, raw, path)
    if not call.function.name:
        raise InvalidRequest(f"{path}.function.name: missing", param=f"{path}.function.name")
    id = pairs.called(call.id or None, call.function.name)
    arguments = read_arguments(call.function.arguments, f"{path}.function.arguments")
    return ToolCall(id=id, name=call.function.name, arguments=arguments, native=raw)


def read_arguments(raw: Raw, path: str) -> str:
    """An object, as its text."""
    text = bytes(given(raw) or b"{}")
    if not text.startswith(b"{"):
        raise InvalidRequest(f"{path}: expected an object", param=path)
    try:
        return text.decode()
    except UnicodeDecodeError as error:  # what is passed over unread is not checked by the JSON reader either
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def write_call(call: ToolCall) -> Fragment:
    """A call written anew; an id that was only counted here is left out again."""
    arguments = {"input": call.arguments} if call.kind == "custom" else as_object(call.arguments)
    function = {"name": call.name, "arguments": arguments}
    return {"function": function} if not call.id or call.id.startswith(MADE) else {"id": call.id, "function": function}


def own_call(call: ToolCall) -> Any:
    """A call of this dialect's own request: as it came, with what was changed replaced, or new."""
    if call.native is None:
        return write_call(call)
    if kept(call) is not None:
        return call.native
    return splice(call.native, difference(write_call(read_call(call.native, "", Pairs())), write_call(call)))


def write_own(message: Message) -> list[Any]:
    """A message of this dialect's own request. Several results in one become messages of their own, before the rest."""
    if message.native is None:
        return list(own_fragments(message))
    if not message.edited:
        return [message.native]
    after = own_fragments(message)
    if len(after) != 1:
        return list(after)
    before = own_fragments(read_message(message.native, "", Pairs()))[0]
    return [splice(message.native, difference(before, after[0]))]


def own_fragments(message: Message) -> list[Fragment]:
    results = [part for part in message.parts if isinstance(part, ToolCallResponse)]
    rest = [part for part in message.parts if not isinstance(part, ToolCallResponse)]
    fragments = [result_of(result, *spoken(result.content)) for result in results]
    if rest or not results:
        fragments.append(said(message.role, rest, *spoken(rest)))
    return fragments


def spoken(parts: Sequence[Part]) -> tuple[list[str], list[str]]:
    """Texts, and images in base64."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    return texts, [part.data for part in parts if isinstance(part, Blob) and part.modality == "image"]


def result_of(result: ToolCallResponse, texts: list[str], images: list[str]) -> Fragment:
    fragment: Fragment = {"role": "tool", "content": "\n\n".join(texts)}
    if images:
        fragment["images"] = images
    if result.name:
        fragment["tool_name"] = result.name
    if result.id and not result.id.startswith(MADE):
        fragment["tool_call_id"] = result.id
    return fragment


def said(role: str, parts: Sequence[Part], texts: list[str], images: list[str]) -> Fragment:
    """A message that is no result."""
    fragment: Fragment = {"role": role, "content": "\n\n".join(texts)}
    thinking = "".join([part.text for part in parts if isinstance(part, Reasoning)])
    called = [own_call(part) for part in parts if isinstance(part, ToolCall)]
    for key, value in (("thinking", thinking), ("images", images), ("tool_calls", called)):
        if value:
            fragment[key] = value
    return fragment
