"""JSON in tool results, in whichever notation takes the fewest tokens and gives the same value back."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, cast

from msgspec import Meta, Struct
from toon_format import decode as read_toon
from toon_format import encode as write_toon

from lynkr_compressor_json.reads import shows_file
from lynkr_compressor_json.tables import tabled, untabled
from lynkr_compressor_json.values import Number, Special, read, write
from lynkr_core.errors import Unavailable
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Message, Part, Request, Text, ToolCall, ToolCallResponse
from lynkr_core.stores import Recent

__all__ = ["Config", "JsonResults", "expand", "expanded", "plugin"]

log = logging.getLogger("lynkr.compressor-json")
SMALLEST = 60
"""Characters of a result below which nothing is tried."""
LARGEST = 256_000
MARGIN = 0.02
"""A notation that is not JSON must be so much smaller than JSON."""
CUT = 0.07
"""So much smaller must a table be in which values are cut in two: whole ones can be found, and quoted, as they are."""
ENOUGH = 0.7
"""Of minified JSON. TOON is not tried beside a table as small as that, which says keys once where TOON says them for each list: of
all results that were tried, TOON took half as many tokens again at least.
"""
REMEMBERED = 50_000
"""Results, most of them only as no JSON."""
MEGABYTE = 1 << 20
_LIKE_JSON = re.compile(r"\s*[\[{]")


class Told(Struct, frozen=True):
    """What a result says instead (None: as it came), and the tokens that this saves."""

    text: str | None = None
    tokens: int = 0


UNCHANGED = Told()


class Notation(NamedTuple):
    """A value's text in one notation, and what reads it."""

    text: str
    tokens: int
    reading: Callable[[str], Any]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.json]`"""

    min_bytes: Annotated[
        int, Meta(ge=0, description="Bytes of JSON from which TOON is tried; what is smaller is minified or told as tables.")
    ] = 4096
    fail_open: Annotated[
        bool,
        Meta(description="Whether a result that cannot be read or written goes out as it came; else the request is refused."),
    ] = True
    memory: Annotated[int, Meta(ge=1, le=4096, description="Megabytes for what was made of earlier results.")] = 32


class JsonResults:
    """Tells each result by itself, so that the same result gives the same text wherever it stands."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.name = f"{context.kind}.{context.name}"
        self.count = context.tokens.count
        self.told: Recent[tuple[str, int], Told] = Recent(REMEMBERED, config.memory * MEGABYTE)

    def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        calls: dict[str, ToolCall] = {}
        messages: list[Message] = []
        saved = 0
        for message in request.messages:
            for part in message.parts:
                if type(part) is ToolCall:
                    calls[part.id] = part
                elif type(part) is ToolCallResponse:
                    changed, tokens = self.message(exchange.principal.id, message, calls)
                    if tokens:
                        saved += tokens
                        message = changed
                    break
            messages.append(message)
        if not saved:
            return None
        save(exchange, self.name, saved)
        return request.edit(messages=tuple(messages))

    def message(self, principal: str, message: Message, calls: dict[str, ToolCall]) -> tuple[Message, int]:
        """The message with its results told, and the tokens that this saves."""
        parts: list[Part] = []
        saved = 0
        for part in message.parts:
            if type(part) is ToolCallResponse:
                content, tokens = self.content(principal, part, calls.get(part.id))
                if tokens:
                    saved += tokens
                    part = part.edit(content=content)
            parts.append(part)
        return (message.edit(parts=tuple(parts)), saved) if saved else (message, 0)

    def content(self, principal: str, result: ToolCallResponse, call: ToolCall | None) -> tuple[tuple[Part, ...], int]:
        content: list[Part] = []
        saved = 0
        for one in result.content:
            if type(one) is Text and SMALLEST <= len(one.text) <= LARGEST and _LIKE_JSON.match(one.text):
                told = self.tell(principal, one.text, call)
                saved += told.tokens
                content.append(one if told.text is None else one.edit(text=told.text))
            else:
                content.append(one)
        return tuple(content), saved

    def tell(self, principal: str, text: str, call: ToolCall | None) -> Told:
        """What is said instead of this text. Raises `Unavailable` for an error, if errors are not to be passed over."""
        is_file = shows_file(call)
        key = (principal, hash((text, is_file)))
        told = self.told.get(key)
        if told is None:
            told = UNCHANGED if is_file else self._made(text)
            self.told.set(key, told, 200 + 2 * len(told.text or ""))
        return told

    def _made(self, text: str) -> Told:
        try:
            return self._smallest(text)
        except (ValueError, Special, RecursionError):  # no JSON, or none that everybody reads alike
            return UNCHANGED
        except Exception as error:
            if not self.config.fail_open:
                raise Unavailable(f"{self.name}: a tool's JSON could not be told: {type(error).__name__}") from error
            log.warning("%s: a result is left as it is: %s", self.name, type(error).__name__)
            return UNCHANGED

    def _smallest(self, text: str) -> Told:
        value = read(text)
        minified = write(value)
        minified.encode()  # a lone surrogate is nobody's text
        found = self._notations(text, value, minified)
        best = next(one for one in found if one.text == minified or _read_by(one.reading, one.text) == minified)
        saved = self.count(text) - best.tokens
        return Told(best.text, saved) if saved > 0 else UNCHANGED

    def _notations(self, text: str, value: Any, minified: str) -> list[Notation]:
        """The value minified, and in notations of fewer tokens, the smallest first. None has been read back yet: that takes long."""
        found = [Notation(minified, self.count(minified), read)]
        for whole, margin in ((True, MARGIN), (False, CUT)):
            table = tabled(value, whole)
            if table is not None and (count := self.count(table)) < found[-1].tokens * (1 - margin):
                found.append(Notation(table, count, untabled))
        if found[-1].tokens > found[0].tokens * ENOUGH and has_list(value) and len(text.encode()) >= self.config.min_bytes:
            toon = as_toon(text)
            if toon is not None and (count := self.count(toon)) < found[-1].tokens * (1 - MARGIN):
                found.append(Notation(toon, count, from_toon))
        return found[::-1]


def has_list(value: Any) -> bool:
    """Whether there is a list of several values. TOON of all else is mostly line breaks and blanks in the place of quotes and
    braces: 1 to 5 % more tokens of o200k in every result of that kind that was tried, however few an estimate takes them for.
    """
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return len(items) > 1 or any(map(has_list, items))
    return isinstance(value, dict) and any(map(has_list, cast("dict[str, Any]", value).values()))


def as_toon(text: str) -> str | None:
    """None for what the library does not write."""
    try:
        return write_toon(json.loads(text))
    except Exception:  # whatever it thinks of this value
        return None


def from_toon(text: str) -> Any:
    """The value, its numbers as they are spelt in TOON."""
    return read_toon(text, parse_int=Number, parse_float=Number)


def expanded(text: str) -> str | None:
    """The minified JSON that a text stands for; None for what is no JSON and no notation of it."""
    return next((value for reading in (read, untabled, from_toon) if (value := _read_by(reading, text)) is not None), None)


def _read_by(reading: Callable[[str], Any], text: str) -> str | None:
    try:
        return write(reading(text))
    except Exception:  # this notation it is not
        return None


def expand(request: Request, count: Callable[..., int]) -> Request:
    """A request with minified JSON in the place of every other notation of it. `count` is not needed."""
    return request.edit(
        messages=tuple([message.edit(parts=tuple(map(_expanded, message.parts))) for message in request.messages])
    )


def _expanded(part: Part) -> Part:
    if type(part) is not ToolCallResponse:
        return part
    texts = [one.edit(text=expanded(one.text) or one.text) if type(one) is Text else one for one in part.content]
    return part.edit(content=tuple(texts))


plugin = Plugin(api=1, config=Config, create=JsonResults, rank=1)
