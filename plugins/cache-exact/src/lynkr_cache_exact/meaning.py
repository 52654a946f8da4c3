"""What a request means, in whichever dialect it was written: the same bytes for the same meaning, others for any other.

What the internal model has no field for still counts: a request with such a thing inside is known by its own JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Exchange
from lynkr_core.request import File, Message, Part, Request, ToolCallResponse, Uri

ELSEWHERE = frozenset({
    "previous_response_id", "conversation", "prompt", "background", "container", "mcp_servers", "web_search_options", "web_search",
    "search_parameters", "plugins", "cached_content", "cachedContent", "context_management",
})  # fmt: skip
"""Keys with which an answer depends on what stands elsewhere: a history kept by the provider, a search, a tool that it runs."""
OWN_TOOLS = ("function", "custom")
MANNER = frozenset({"native", "edited", "dialect", "model", "stream", "service_tier", "cache_key", "system", "messages"})
"""Fields of a request that say how it is to be served, not what is asked; its model and conversation are told apart."""
SIMPLE = frozenset({
    "model", "stream", "stream_options", "messages", "input", "system", "instructions", "tools", "temperature", "top_p", "seed", "stop",
    "stop_sequences", "max_tokens", "max_completion_tokens", "max_output_tokens", "user", "metadata", "service_tier",
    "prompt_cache_key",
})  # fmt: skip
"""Keys of bodies that every dialect reads to the last detail, or that do not count; all others count as they stand there, too."""
NOT_MEANT = frozenset({"native", "edited", "cache"})
"""Fields of a node that change nothing of what it says: where it came from, and markers of providers' prompt caches."""
NOTHING = (b"null", b"false", b"[]", b"{}", b'""')
Meaning = list[Any]
encode = msgspec.json.Encoder().encode


def meaning(exchange: Exchange, ignore: Collection[str] = ()) -> Meaning:
    """As JSON values. `ignore`: fields of the request that may differ. Raises `InvalidRequest`, or `UNREADABLE` for what is no JSON."""
    request = exchange.request
    if exchange.dialect.leftovers(request):
        kept = {key: value for key, value in exchange.envelope.fields.items() if key not in ("model", "stream", "stream_options")}
        return [exchange.dialect.name, plain(kept)]
    options = {name: value for name, value in said(request, MANNER).items() if name not in ignore}
    if isinstance(options.get("extra"), dict):
        options["extra"].pop("stream_options", None)
    rest = {key: value for key, value in exchange.envelope.fields.items() if key not in SIMPLE}
    return [options, plain(rest), conversation(request)]


def conversation(request: Request) -> list[Any]:
    """System prompts that stand outside the messages, as the messages that other APIs make of them, and the messages."""
    turns: list[Any] = [turn(message) for message in request.messages]
    return [["system", [plain(part) for part in request.system], {}], *turns] if request.system else turns


def turn(message: Message) -> list[Any]:
    return [message.role, [plain(part) for part in message.parts], said(message, NOT_MEANT | {"role", "parts"})]


def plain(value: Any) -> Any:
    """A value of the internal model as JSON values, without what does not count."""
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, Raw):
        return msgspec.json.decode(value)
    if isinstance(value, Struct):
        own = said(value, NOT_MEANT)
        return [type(value).__name__, own or plain(getattr(value, "native", None))]
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {key: plain(entries[key]) for key in sorted(entries)}
    return [plain(item) for item in cast("Sequence[Any]", value)]


def said(value: Struct, without: frozenset[str]) -> dict[str, Any]:
    """The fields that are not as they are when nothing is said."""
    found: dict[str, Any] = {}
    for name, default in defaults(type(value)):
        if name not in without and (own := getattr(value, name)) != default:
            found[name] = plain(own)
    if value.__class__.__name__ == "Generic":
        found["native"] = plain(getattr(value, "native", None))
    return found


@cache
def defaults(struct: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """Its fields, and what they are when nothing is said."""
    return tuple([
        (field.name, {} if field.default_factory is dict else field.default) for field in msgspec.structs.fields(struct)
    ])  # fmt: skip


def digest(value: Any) -> str:
    """40 hex digits of JSON values."""
    return blake2b(encode(value), digest_size=20).hexdigest()


def unfit(request: Request) -> str:
    """Why nobody can know what an answer to this request depends on; empty when all of it stands in the request."""
    for key in request.extra.keys() & ELSEWHERE:
        if bytes(request.extra[key]) not in NOTHING:
            return key
    if any(tool.kind not in OWN_TOOLS for tool in request.tools):
        return "a tool of the provider's"
    if not request.messages:
        return "no message"
    parts = [*request.system, *[part for message in request.messages for part in message.parts]]
    return "data that the provider fetches" if any(map(fetched, parts)) else ""


def fetched(part: Part) -> bool:
    inner = part.content if isinstance(part, ToolCallResponse) else ()
    return isinstance(part, Uri | File) or any(map(fetched, inner))


__all__ = ["UNREADABLE", "Meaning", "digest", "meaning", "unfit"]
