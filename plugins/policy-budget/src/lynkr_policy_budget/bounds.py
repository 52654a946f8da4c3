"""The most that a request can take: tokens in, tokens out, nano-dollars."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import Struct

from lynkr_core.cards import Plan, Rates
from lynkr_core.dialect import UNREADABLE, Dialect
from lynkr_core.dialects.sums import summed
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Candidate, Exchange, Key
from lynkr_core.pricing import dearest, total, worst_case
from lynkr_core.request import Blob, File, Part, Request, ToolCallResponse, Uri
from lynkr_core.tokens import estimate

Unit = Literal["usd", "tokens", "requests"]
UNITS: tuple[Unit, ...] = ("usd", "tokens", "requests")
SHORT = 2048
"""Bytes up to which a body is not counted: it has no more tokens than bytes, and counting costs more than the doubt is worth."""
LONG = 4 * 1024 * 1024
"""Bytes beyond which counting costs too much."""
TOOLS = 1000
"""Tokens of a provider's own prompt, which comes with tools."""
FRAME = 50
FREE = "count_tokens"
"""What providers do not bill."""
IMAGE = 6000
"""Tokens of the dearest image that providers take at their finest."""
STORED = 200_000
"""Tokens of what lies at the provider, where the model's window is unknown."""
ELSEWHERE = frozenset({"previous_response_id", "conversation", "prompt", "cachedContent"})
"""Top-level keys by which input comes that is not in the body."""
SERVED = frozenset({"service_tier", "serviceTier", "speed"})
"""Top-level keys that ask to be served in another way, at another price."""
INPUT: Key[tuple[int, bool, float]] = Key("budget.input")


class Amounts(Struct, frozen=True):
    """`usd` in nano-dollars; None when the price is unknown."""

    usd: int | None = 0
    tokens: int = 0
    requests: int = 0


class Said(Struct, forbid_unknown_fields=True):
    """A message that has nothing but a text."""

    role: str
    content: str


NOTHING = Amounts()
plain = msgspec.json.Decoder(list[Said]).decode


def worst(exchange: Exchange, candidate: Candidate, doubt: float, otherwise: int) -> Amounts:
    """`doubt`: how many times too low a count may be. `otherwise`: tokens of an answer that neither request nor model bounds."""
    if exchange.dialect.operation == FREE:
        return Amounts(0, 0, 1)
    asked, unseen = most_input(exchange, doubt)
    window = candidate.context_window
    inner = exchange.inner
    if inner is not None:
        asked += round(inner.added * doubt)
    if unseen:
        asked += window or STORED
    if window and asked > window:
        asked = window
    said = most_output(exchange, candidate, otherwise)
    if (rates := usual(candidate)) is not None:
        return Amounts(total(rates, asked, said), asked + said, 1)
    hour = sold_by_the_hour(candidate) and b'"1h"' in exchange.body
    special = not SERVED.isdisjoint(exchange.envelope.fields)
    return Amounts(worst_case(candidate.price, asked, said, hour=hour, special=special), asked + said, 1)


@lru_cache(maxsize=4096)
def usual(candidate: Candidate) -> tuple[int, int, int] | None:
    """What `dearest` has of a price that nothing in a request changes; None for one that depends on it, or is unknown."""
    price = candidate.price
    if price is None or price.tiers or price.services or sold_by_the_hour(candidate):
        return None
    return dearest(price, -1, False, False)


@lru_cache(maxsize=4096)
def sold_by_the_hour(candidate: Candidate) -> bool:
    """Whether a prompt kept for an hour has a price of its own: a body is looked through for that only where it matters."""
    price = candidate.price
    plans: list[Plan] = [price, *price.services.values()] if price else []
    rates: list[Rates] = [*plans, *[tier for plan in plans for tier in plan.tiers], *(price.hours if price else ())]
    return any(one.cache_write_1h is not None for one in rates)


def most_output(exchange: Exchange, candidate: Candidate, otherwise: int) -> int:
    if exchange.dialect.operation == "embeddings":
        return 0
    asked, most = exchange.envelope.max_tokens, candidate.max_output
    each = min(asked, most) if asked and most else asked or most or otherwise
    return each * choices(exchange) if "n" in exchange.envelope.fields else each


def choices(exchange: Exchange) -> int:
    """How many answers are asked for at once."""
    raw = exchange.envelope.fields.get("n")
    return max(int(bytes(raw)), 1) if raw is not None and bytes(raw).isdigit() and len(raw) < 4 else 1


def most_input(exchange: Exchange, doubt: float) -> tuple[int, bool]:
    """Tokens, and whether there is more that nobody sees from here. What has to be counted is so once for all attempts with this doubt."""
    body, fields = exchange.body, exchange.envelope.fields
    beside = TOOLS if "tools" in fields else FRAME
    unseen = not ELSEWHERE.isdisjoint(fields)
    if len(body) > LONG or (len(body) <= SHORT and not has_media(exchange)):
        return len(body) + beside, unseen
    found = exchange.get(INPUT)
    if found is None or found[2] != doubt:
        found = (*_counted(exchange, doubt), doubt)
        exchange.set(INPUT, found)
    return found[0] + beside, unseen or found[1]


def _counted(exchange: Exchange, doubt: float) -> tuple[int, bool]:
    size = len(exchange.body)
    try:
        count, heavy, stored = summed(exchange, "budget", weighed)
    except (InvalidRequest, *UNREADABLE):  # bytes that go through unread
        return size, True
    return min(round(count * doubt), size) + heavy, stored > 0


def weighed(request: Request) -> tuple[int, int, int]:
    """Tokens of texts, tokens of what is no text, and whether there is some of unknown size: sums, as `summed` wants them."""
    heavy, stored = weigh(parts(request))
    return estimate(request), heavy, int(stored)


def has_media(exchange: Exchange) -> bool:
    """Whether there may be an image, a file or the like, by its marks: fast where the body is short, and faster where all is plain text."""
    try:
        plain(exchange.envelope.fields[exchange.dialect.conversation])
    except (KeyError, *UNREADABLE):
        return any(map(exchange.body.__contains__, marks(exchange.dialect)))
    return False


@lru_cache(maxsize=256)
def marks(dialect: Dialect) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys([mark for each in dialect.media.values() for mark in each]))


def parts(request: Request) -> Iterable[Part]:
    for message in request.messages:
        for part in message.parts:
            yield part
            if isinstance(part, ToolCallResponse):
                yield from part.content


def weigh(found: Iterable[Part]) -> tuple[int, bool]:
    """Tokens of images, documents and sound: no more than the bytes of their data. True when there is one of unknown size."""
    tokens, stored = 0, False
    for part in found:
        match part:
            case Blob(modality="image") | Uri(modality="image"):
                tokens += IMAGE
            case Blob():
                tokens += len(part.data) * 3 // 4
            case Uri() | File():
                stored = True
            case _:
                pass
    return tokens, stored
