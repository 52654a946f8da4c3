"""One exchange as spans: the request that lynkr served, and below it one for each attempt at a provider.

By the semantic conventions of OpenTelemetry for HTTP servers and for GenAI clients, as of 2026-10; the latter are in development.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome
from lynkr_core.pricing import cost
from lynkr_core.provider import Provider
from lynkr_core.request import Usage
from lynkr_core.sessions import SESSION
from lynkr_sink_otel.context import Trace, new_span
from lynkr_sink_otel.wire import Attribute, Value, message, number, pair

if TYPE_CHECKING:
    from lynkr_core.dialect import Envelope

SERVER, CLIENT = 2, 3
ERROR = 2
MAX_COMMON = 2000
ATTRIBUTE = 9
"""The number of the field `attributes`, in a Span as in a HistogramDataPoint."""
LONGEST = 200
NANO = 1_000_000_000
PROVIDERS = {
    "azure": "azure.ai.openai", "azure_ai": "azure.ai.inference", "bedrock": "aws.bedrock", "cohere": "cohere", "gemini": "gcp.gemini",
    "google": "gcp.gemini", "mistral": "mistral_ai", "vertex": "gcp.vertex_ai", "vertex_ai": "gcp.vertex_ai", "xai": "x_ai",
}  # fmt: skip
"""The conventions' names where they are not the catalogue's."""
UNREAD = "passthrough"
"""The operation of requests that are passed on as they are; their method is not known here, and paths may have ids in them."""


class Spans:
    """Encodes exchanges. What many of them have in common is encoded once."""

    def __init__(self, identity: bool) -> None:
        self._identity = identity
        self._targets = Targets(named=True)
        self._common: dict[tuple[object, ...], bytes] = {}

    def of(self, exchange: Exchange, outcome: Outcome, trace: Trace) -> Iterator[bytes]:
        """The request's own span first."""
        root = new_span()
        zero, end = exchange.created - exchange.started, exchange.started + outcome.duration
        yield span(trace, root, trace.parent, exchange.started + zero, end + zero) + self._request(exchange, outcome)
        last = outcome.attempts[-1] if outcome.attempts else None
        for place, attempt in enumerate(outcome.attempts, 1):
            ended = (end if attempt.ended is None else attempt.ended) + zero
            usd = outcome.cost if attempt is last else cost(attempt.usage, attempt.candidate.price)
            described = self._targets.of(attempt.candidate, exchange.operation) + attempt_attributes(
                exchange, attempt, place, usd
            )
            yield span(trace, trace.span(attempt), root, attempt.started + zero, ended) + described

    def _request(self, exchange: Exchange, outcome: Outcome) -> bytes:
        reply, who = exchange.reply, exchange.principal
        kind = exchange.attempts[-1].kind if exchange.attempts else None
        key = (
            exchange.path, outcome.http_status, outcome.status, kind, exchange.route, exchange.tier, exchange.config, exchange.selected_by,
            reply.cache if reply else None, who if self._identity else who.principal_class, len(outcome.attempts), exchange.operation,
        )  # fmt: skip
        common = self._common.get(key)
        if common is None:
            if len(self._common) >= MAX_COMMON:
                self._common.clear()
            common = self._common[key] = encoded(
                request_attributes(exchange, outcome), request_name(exchange), SERVER, failed(outcome)
            )
            if self._identity:
                common = self._common[key] = common + b"".join([pair(ATTRIBUTE, *one) for one in identity(exchange)])
        return common + REQUEST_ID.text(exchange.id) + figures(exchange, outcome)


def encoded(attributes: Mapping[str, Value | None], name: str, kind: int, failed: bool) -> bytes:
    """The part of a span that has no time and no id."""
    pairs = [pair(ATTRIBUTE, key, value) for key, value in attributes.items() if value is not None]
    status = FAILED if failed else b""
    return b"".join([message(5, name.encode("utf-8", "replace")), number(6, kind), *pairs, status])


def span(trace: Trace, id: bytes, parent: bytes, began: float, ended: float) -> bytes:
    """Ids and times."""
    state = message(3, trace.state) if trace.state else b""
    above = b"\x22\x08" + parent if parent else b""
    return (
        b"\x0a\x10" + trace.id + b"\x12\x08" + id + state + above + pack_times(0x39, int(began * NANO), 0x41, int(ended * NANO))
    )


pack_times = Struct("<BQBQ").pack
FAILED = message(15, number(3, ERROR))
"""A Status without a description, which could quote somebody."""


def failed(outcome: Outcome) -> bool:
    return outcome.status in ("error", "cut")


def request_name(exchange: Exchange) -> str:
    return "HTTP" if exchange.operation == UNREAD else f"POST {exchange.path[:LONGEST]}"


def request_attributes(exchange: Exchange, outcome: Outcome) -> dict[str, Value | None]:
    kind = exchange.attempts[-1].kind if exchange.attempts else None
    return {
        "http.request.method": None if exchange.operation == UNREAD else "POST", "url.path": exchange.path[:LONGEST],
        "http.response.status_code": outcome.http_status, "error.type": (kind or str(outcome.http_status)) if failed(outcome) else None,
        "lynkr.status": outcome.status, "lynkr.route": exchange.route, "lynkr.tier": exchange.tier, "lynkr.config": exchange.config,
        "lynkr.attempts": len(outcome.attempts), "lynkr.principal.class": exchange.principal.principal_class,
        "lynkr.selected_by": exchange.selected_by[:LONGEST] or None, "lynkr.cache": exchange.reply.cache if exchange.reply else None,
    }  # fmt: skip


def identity(exchange: Exchange) -> list[tuple[str, str]]:
    """Names that the operator gave, never a key."""
    principal = exchange.principal
    found = (
        ("user.id", principal.user),
        ("lynkr.key", principal.key),
        ("lynkr.team", principal.team),
        ("lynkr.agent", principal.agent),
    )
    return [(name, value[:LONGEST]) for name, value in found if value is not None]


def figures(exchange: Exchange, outcome: Outcome) -> bytes:
    """What is another number each time."""
    parts: list[bytes] = []
    if exchange.score is not None:
        parts.append(SCORE.double(exchange.score))
    if outcome.cost is not None:
        parts.append(SPENT.double(outcome.cost))
    if exchange.saved_tokens:
        parts.append(SAVED.integer(exchange.saved_tokens))
    if outcome.resumed:
        parts.append(RESUMED.integer(outcome.resumed))
    waited = exchange.queued
    if waited:
        parts.append(WAITED.double(waited))
    return b"".join(parts)


REQUEST_ID, SCORE, SPENT, SAVED, WAITED, RESUMED, PLACE, ERROR_TYPE, STATUS, MAX_TOKENS, FIRST, SESSION_ID = [
    Attribute(ATTRIBUTE, name)
    for name in (
        "lynkr.request.id", "lynkr.score", "lynkr.cost_usd", "lynkr.saved_tokens", "lynkr.queue_seconds", "lynkr.resumed",
        "lynkr.attempt", "error.type", "http.response.status_code", "gen_ai.request.max_tokens",
        "gen_ai.response.time_to_first_chunk", "gen_ai.conversation.id",
    )
]  # fmt: skip
INPUT, OUTPUT, READ, WRITTEN, REASONING = [
    Attribute(ATTRIBUTE, f"gen_ai.usage.{name}")
    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read.input_tokens",
        "cache_write.input_tokens",
        "reasoning.output_tokens",
    )
]
LOST = pair(ATTRIBUTE, "lynkr.lost", True)
STREAMED = pair(ATTRIBUTE, "gen_ai.request.stream", True)


def attempt_attributes(exchange: Exchange, attempt: Attempt, place: int, usd: float | None) -> bytes:
    parts = [PLACE.integer(place)]
    envelope, session = cast("Envelope | None", exchange.envelope), exchange.get(SESSION)
    if envelope is not None and envelope.max_tokens is not None:
        parts.append(MAX_TOKENS.integer(envelope.max_tokens))
    if envelope is not None and envelope.stream:
        parts.append(STREAMED)
        if attempt.first_token is not None:
            parts.append(FIRST.double(attempt.first_token - attempt.started))
    if session is not None:
        parts.append(SESSION_ID.text(session.id))
    if attempt.usage is not None:
        parts.append(used(attempt.usage))
    if usd is not None:
        parts.append(SPENT.double(usd))
    if attempt.error is not None or attempt.lost:
        parts.append(went_wrong(attempt))
    return b"".join(parts)


def used(usage: Usage) -> bytes:
    found = INPUT.integer(usage.input_tokens) + OUTPUT.integer(usage.output_tokens)
    for attribute, tokens in ((READ, usage.cache_read), (WRITTEN, usage.cache_write), (REASONING, usage.reasoning)):
        if tokens:
            found += attribute.integer(tokens)
    return found


def went_wrong(attempt: Attempt) -> bytes:
    """Or was slower than another one."""
    error = attempt.error
    if error is None:
        return LOST
    return ERROR_TYPE.text(error.kind) + (STATUS.integer(error.status) if error.status else b"") + FAILED


class Targets:
    """What is the same for every attempt at one model, encoded: attributes; where it is `named`, also a span's name and kind."""

    def __init__(self, named: bool) -> None:
        self._named = named
        self._known: dict[tuple[Candidate, str], bytes] = {}

    def of(self, candidate: Candidate, operation: str) -> bytes:
        found = self._known.get((candidate, operation))
        if found is None:
            if len(self._known) >= MAX_COMMON:
                self._known.clear()
            found = self._known[candidate, operation] = self._made(candidate, operation)
        return found

    def _made(self, candidate: Candidate, operation: str) -> bytes:
        attributes = described(candidate, operation)
        if self._named:
            return encoded(dict(attributes), f"{operation} {candidate.model}"[:LONGEST], CLIENT, False)
        return b"".join([pair(ATTRIBUTE, *one) for one in attributes])


def described(candidate: Candidate, operation: str) -> list[tuple[str, Value]]:
    provider = candidate.provider
    host, port = address(provider)
    found: list[tuple[str, Value]] = [
        ("gen_ai.operation.name", operation), ("gen_ai.request.model", candidate.model[:LONGEST]),
        ("gen_ai.provider.name", PROVIDERS.get(provider.vendor, provider.vendor) or provider.name), ("lynkr.provider", provider.name),
    ]  # fmt: skip
    return [*found, ("server.address", host), ("server.port", port)] if host else found


def address(provider: Provider) -> tuple[str, int]:
    """Host and port of a provider that is asked over HTTP; nothing for another one."""
    config: Any = getattr(provider, "config", None)
    parts = urlsplit(str(getattr(config, "base_url", "")))
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
