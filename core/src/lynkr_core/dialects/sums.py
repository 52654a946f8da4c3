"""Sums over a request, such as its tokens: of one that went on from another, only what was added is read.

They may differ a little from what the whole request gives, as an estimate of two texts does from that of both.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, Envelope
from lynkr_core.dialects.growth import EMPTY, Growth
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Exchange
from lynkr_core.request import Request
from lynkr_core.stores.recent import Recent
from lynkr_core.tokens import estimate

Sums = tuple[int, ...]
Measure = Callable[[Request], Sums]
"""Numbers that add up over prompt, tools and messages."""
ASIDE = frozenset({"model", "stream_options", "user", "metadata", "safety_identifier", "prompt_cache_key"})
"""Top-level keys that nobody reads to a model; nor are numbers."""
TEXTUAL = frozenset(b'"[{')
MOST = 1_024
"""What stands beside conversations, prompts and tools, that is remembered."""

_beside: Recent[tuple[object, ...], Sums] = Recent(MOST)


def tokens(exchange: Exchange) -> int:
    """As `estimate` says of the request. Raises `InvalidRequest`."""
    return summed(exchange, "tokens", _tokens)[0]


def _tokens(request: Request) -> Sums:
    return (estimate(request),)


def summed(exchange: Exchange, name: str, measure: Measure) -> Sums:
    """What `measure` finds in the request. `name` stands for `measure` and is nobody else's. Raises `InvalidRequest`."""
    grown: Growth | None = exchange.envelope.grown
    if grown is None:
        return measure(exchange.request)
    try:
        sums = grown.now.facts.get(name)
        if sums is None:
            sums = grown.now.facts[name] = _so_far(exchange, grown, name, measure)
        found = _added(sums, _prompts(exchange, name, measure))
        left = grown.left
        return found if left == EMPTY else _added(found, _alone(exchange, measure, {}, Raw(left)))
    except (InvalidRequest, *UNREADABLE):
        return measure(exchange.request)


def _so_far(exchange: Exchange, grown: Growth, name: str, measure: Measure) -> Sums:
    """Of the messages up to `grown.now`."""
    before = grown.before.facts.get(name) if grown.before else None
    if grown.before is None or before is not None:
        added = _alone(exchange, measure, {}, Raw(grown.added))
        return _added(before, added) if before else added
    whole = memoryview(exchange.envelope.fields[exchange.dialect.conversation])
    size = grown.now.size - grown.now.start
    return _alone(exchange, measure, {}, Raw(bytes(whole[:size]) + b"]"))


def _prompts(exchange: Exchange, name: str, measure: Measure) -> Sums:
    """Of all that stands beside the messages."""
    skipped = ASIDE | {exchange.dialect.conversation}
    fields = {key: raw for key, raw in exchange.envelope.fields.items() if key not in skipped and memoryview(raw)[0] in TEXTUAL}
    known = (name, exchange.dialect, *[(key, hash(bytes(raw))) for key, raw in fields.items()])
    sums = _beside.get(known)
    if sums is None:
        sums = _alone(exchange, measure, fields, Raw(EMPTY))
        _beside.set(known, sums)
    return sums


def _alone(exchange: Exchange, measure: Measure, fields: dict[str, Raw], messages: Raw) -> Sums:
    """Of a request that has nothing but this."""
    envelope = exchange.envelope
    asked = {"model": envelope.fields["model"]} if "model" in envelope.fields else {}
    whole = Envelope(fields={**asked, **fields, exchange.dialect.conversation: messages}, model=envelope.model)
    return measure(exchange.dialect.decode_request(whole))


def _added(one: Sums, other: Sums) -> Sums:
    return tuple([first + second for first, second in zip(one, other, strict=True)])
