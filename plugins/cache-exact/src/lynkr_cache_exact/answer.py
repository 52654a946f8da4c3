"""An answer as the caller got it, made into one that can be kept, and given again in whichever dialect and manner is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from lynkr_core.dialect import Dialect
from lynkr_core.dialects.fold import Fold, unfold
from lynkr_core.events import End
from lynkr_core.exchange import Exchange
from lynkr_core.request import Choice, Generic, Request, Response, Text, ToolCall, Usage

PLAIN = b"application/json"


class Gathered:
    """The bytes of an answer, as many as may be kept."""

    __slots__ = ("most", "pieces", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self.pieces: list[bytes] = []

    def __call__(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= self.most:
            self.pieces.append(data)
        else:
            self.pieces.clear()

    @property
    def whole(self) -> bytes:
        """Empty when it was too much."""
        return b"".join(self.pieces)


def understood(dialect: Dialect, data: bytes, streamed: bool) -> Response | None:
    """What these bytes say; None for a stream that did not end as it must. Raises `UpstreamError` for an error among them."""
    if not streamed:
        return dialect.decode_response(data)
    decoder = dialect.decoder()
    events = [*decoder.feed(data), *decoder.close()]
    if not events or not isinstance(events[-1], End):
        return None
    gathered = Fold(dialect.name)
    for event in events:
        gathered.add(event)
    return gathered.response()


def flaw(response: Response, request: Request, tool_calls: bool) -> str:
    """Why this answer must not be given to anybody else; empty when it is whole and good."""
    if len(response.choices) != (request.n or 1):
        return "choices are missing"
    return next((found for choice in response.choices if (found := _flaw(choice, tool_calls))), "")


def _flaw(choice: Choice, tool_calls: bool) -> str:
    calls = any(isinstance(part, ToolCall) for part in choice.parts)
    if calls and not tool_calls:
        return "it calls tools"
    if choice.finish_reason != ("tool_calls" if calls else "stop"):
        return f"it ended by {choice.finish_reason}"
    if any(isinstance(part, Generic) or (isinstance(part, Text) and part.refusal) for part in choice.parts):
        return "it refuses, or has what cannot be translated"
    said = calls or any(isinstance(part, Text) and part.text.strip() for part in choice.parts)
    return "" if said else "it says nothing"


def kept(dialect: Dialect, response: Response, request: Request, usage: Usage) -> bytes:
    """The final message, as a whole answer of this dialect that tells of this usage."""
    return dialect.encode_response(response.edit(usage=usage), request)


def replay(exchange: Exchange, source: Dialect, body: bytes) -> bytes:
    """The body in the dialect and manner that this exchange asks for."""
    front, streamed = exchange.dialect, exchange.envelope.stream
    if source is front and not streamed:
        return body
    response = source.decode_response(body)
    if not streamed:
        return front.encode_response(response, exchange.request)
    tokens = response.usage.input_tokens if response.usage else 0
    encoder = front.encoder(exchange.request, exchange.envelope, tokens)
    return b"".join([encoder.encode(event) for event in unfold(structs.replace(response, native=None))])


def content_type(exchange: Exchange) -> bytes:
    return exchange.dialect.content_type if exchange.envelope.stream else PLAIN


class Ambiguous(Exception):
    """A body that says something twice."""


def is_ambiguous(body: bytes) -> bool:
    """Whether an object has a key twice: the provider may read the one that we have not."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Ambiguous
        return found

    try:
        json.loads(body, object_pairs_hook=once)
    except (Ambiguous, ValueError, RecursionError):
        return True
    return False
