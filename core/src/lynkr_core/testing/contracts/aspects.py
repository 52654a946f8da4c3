"""What of a request is looked at to see whether a compressor has left it alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import Raw

from lynkr_core.request import Blob, File, Message, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse, Uri

OWN_FIELDS = frozenset({"native", "edited", "messages", "system", "tools"})
_reminders = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)


def _parts(request: Request) -> Iterator[Part]:
    for message in request.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolCallResponse):
                yield from part.content


def texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield from _told(message)


def _told(message: Message) -> Iterator[str]:
    for part in message.parts:
        if isinstance(part, Text):
            yield part.text
        elif isinstance(part, ToolCallResponse):
            yield from [inner.text for inner in part.content if isinstance(inner, Text)]


def by_message(request: Request) -> list[str]:
    return ["\n".join(_told(message)) for message in request.messages]


def _calls(request: Request) -> list[Any]:
    return [
        (part.id, part.name, part.arguments, part.kind, part.signature) for part in _parts(request) if isinstance(part, ToolCall)
    ]


def _results(request: Request) -> list[Any]:
    return [(part.id, part.is_error, part.name, part.kind) for part in _parts(request) if isinstance(part, ToolCallResponse)]


def _reasoning(request: Request) -> list[Any]:
    return [(part.text, part.signature, part.encrypted, part.id) for part in _parts(request) if isinstance(part, Reasoning)]


def _media(request: Request) -> list[Any]:
    media = [part for part in _parts(request) if isinstance(part, (Blob, Uri, File))]
    return [_without_native(part) for part in media]


def _words(request: Request) -> list[Any]:
    """What people and the model say; reminders are the client's."""
    said = [(message.role, _reminders.sub("", message.text).strip()) for message in request.messages]
    return [(role, text) for role, text in said if text]


def _tools(request: Request) -> list[Any]:
    return [_without_native(tool) for tool in request.tools]


def _system(request: Request) -> list[Any]:
    return [part.text for part in request.system if isinstance(part, Text)]


def _controls(request: Request) -> dict[str, Any]:
    return {key: _plain(getattr(request, key)) for key in Request.__struct_fields__ if key not in OWN_FIELDS}


def _marks(request: Request) -> list[Any]:
    """Which messages have marks of what is to be cached, and how many tools and parts of the prompt."""
    marked = [
        place
        for place, message in enumerate(request.messages)
        if any(part.cache is not None for part in message.parts)
    ]  # fmt: skip
    return [marked, sum(tool.cache is not None for tool in request.tools), sum(part.cache is not None for part in request.system)]


def _without_native(node: Any) -> dict[str, Any]:
    names = [name for name in node.__struct_fields__ if name not in ("native", "edited", "cache")]
    return {name: _plain(getattr(node, name)) for name in names}


def _plain(value: Any) -> Any:
    """Comparable: a fragment as its bytes."""
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
    return value


ASPECTS: dict[str, Callable[[Request], Any]] = {
    "calls": _calls, "results": _results, "reasoning": _reasoning, "media": _media, "words": _words, "tools": _tools, "system": _system,
    "controls": _controls, "marks": _marks,
}  # fmt: skip
"""What a compressor leaves alone, unless it says otherwise: `results` are their ids and errors, not their contents."""
