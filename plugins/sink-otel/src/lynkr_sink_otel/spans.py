"""One exchange as spans: the request that lynkr served, and below it one for each attempt at a provider.

By the semantic conventions of OpenTelemetry for HTTP servers and for GenAI clients, as of 2026-10; the latter are in development.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome
from lynkr_core.pricing import cost
from lynkr_core.provider import Provider
from lynkr_core.remarks import QUEUED
from lynkr_core.request import Usage
from lynkr_core.sessions import SESSION
from lynkr_sink_otel.context import Trace, new_span
from lynkr_sink_otel.wire import Value, fixed, message, number, pair, same

if TYPE_CHECKING:
    from lynkr_core.dialect import Envelope

SERVER, CLIENT = 2, 3
ERROR = 2
MAX_TARGETS = 2000
ATTRIBUTE = 9
LONGEST = 200
NANO = 1_000_000_000
PROVIDERS = {
    "azure": "azure.ai.openai", "azure_ai": "azure.ai.inference", "bedrock": "aws.bedrock", "cohere": "cohere", "gemini": "gcp.gemini",
    "google": "gcp.gemini", "mistral": "mistral_ai", "vertex": "gcp.vertex_ai", "vertex_ai": "gcp.vertex_ai", "xai": "x_ai",
}  # fmt: skip
"""The conventions' names where they are not the catalogue's."""
UNREAD = "passthrough"
"""The operation of requests that are passed on as they are; their method is not known here, and paths may have ids in them."""


def spans(exchange: Exchange, outcome: Outcome, trace: Trace, targets: Targets, identity: bool) -> Iterator[bytes]:
    """Encoded; the request's own first."""
    root = new_span()
    zero = exchange.created - exchange.started  # from the monotonic clock to the one of the wall
    end, failed = exchange.started + outcome.duration, outcome.status in ("error", "cut")
    parts = [*request_attributes(exchange, outcome), *(who(exchange) if identity else ())]
    if failed:
        kind = exchange.attempts[-1].kind if exchange.attempts else None
        parts.append(same(ATTRIBUTE, "error.type", kind or str(outcome.http_status)))
    name = "HTTP" if exchange.operation == UNREAD else f"POST {exchange.path[:LONGEST]}"
    yield span(trace, root, trace.parent, name, SERVER, (exchange.started + zero, end + zero), parts, failed)
    for place, attempt in enumerate(outcome.attempts, 1):
        ended = attempt.ended if attempt.ended is not None else end
        name = f"{exchange.operation} {attempt.candidate.model}"[:LONGEST]
        parts = [targets.of(attempt.candidate, exchange.operation), *attempt_attributes(exchange, attempt, place)]
        times = (attempt.started + zero, ended + zero)
        yield span(trace, trace.span(attempt), root, name, CLIENT, times, parts, attempt.error is not None)


def span(
    trace: Trace,
    id: bytes,
    parent: bytes,
    name: str,
    kind: int,
    times: tuple[float, float],
    attributes: list[bytes],
    failed: bool,
) -> bytes:
    return b"".join((
        message(1, trace.id), message(2, id), message(3, trace.state) if trace.state else b"", message(4, parent) if parent else b"",
        message(5, name.encode("utf-8", "replace")), number(6, kind), fixed(7, int(times[0] * NANO)), fixed(8, int(times[1] * NANO)),
        *attributes, FAILED if failed else b"",
    ))  # fmt: skip


FAILED = message(15, number(3, ERROR))
"""A Status without a description, which could quote somebody."""


def request_attributes(exchange: Exchange, outcome: Outcome) -> list[bytes]:
    posted = b"" if exchange.operation == UNREAD else POSTED
    parts = [posted, numeral("http.response.status_code", outcome.http_status), numeral("lynkr.attempts", len(outcome.attempts))]
    parts.append(pair(ATTRIBUTE, "lynkr.request.id", exchange.id))
    known = {
        "url.path": exchange.path,
        "lynkr.status": outcome.status,
        "lynkr.route": exchange.route,
        "lynkr.config": exchange.config,
    }
    parts += [same(ATTRIBUTE, name, value[:LONGEST]) for name, value in known.items()]
    optional: tuple[tuple[str, Value | None], ...] = (
        ("lynkr.tier", exchange.tier), ("lynkr.principal.class", exchange.principal.principal_class),
        ("lynkr.selected_by", exchange.selected_by or None), ("lynkr.cache", exchange.reply.cache if exchange.reply else None),
    )  # fmt: skip
    parts += [same(ATTRIBUTE, name, str(value)[:LONGEST]) for name, value in optional if value is not None]
    figures: tuple[tuple[str, Value | None], ...] = (
        ("lynkr.score", exchange.score), ("lynkr.cost_usd", outcome.cost), ("lynkr.saved_tokens", exchange.saved_tokens or None),
        ("lynkr.queue_seconds", exchange.get(QUEUED)), ("lynkr.resumed", outcome.resumed or None),
    )  # fmt: skip
    parts += [pair(ATTRIBUTE, name, value) for name, value in figures if value is not None]
    return parts


POSTED = pair(ATTRIBUTE, "http.request.method", "POST")


def who(exchange: Exchange) -> list[bytes]:
    """Names that the operator gave, never a key."""
    principal = exchange.principal
    found = (
        ("user.id", principal.user),
        ("lynkr.key", principal.key),
        ("lynkr.team", principal.team),
        ("lynkr.agent", principal.agent),
    )
    return [same(ATTRIBUTE, name, value[:LONGEST]) for name, value in found if value is not None]


def attempt_attributes(exchange: Exchange, attempt: Attempt, place: int) -> list[bytes]:
    parts = [numeral("lynkr.attempt", place)]
    envelope, session = cast("Envelope | None", exchange.envelope), exchange.get(SESSION)
    if envelope is not None and envelope.max_tokens is not None:
        parts.append(pair(ATTRIBUTE, "gen_ai.request.max_tokens", envelope.max_tokens))
    if envelope is not None and envelope.stream:
        parts.append(STREAMED)
        if attempt.first_token is not None:
            parts.append(pair(ATTRIBUTE, "gen_ai.response.time_to_first_chunk", attempt.first_token - attempt.started))
    if session is not None:
        parts.append(pair(ATTRIBUTE, "gen_ai.conversation.id", session.id))
    if attempt.usage is not None:
        parts += used(attempt.usage)
        usd = cost(attempt.usage, attempt.candidate.price)
        parts += [pair(ATTRIBUTE, "lynkr.cost_usd", usd)] if usd is not None else []
    if attempt.lost:
        parts.append(pair(ATTRIBUTE, "lynkr.lost", True))
    if attempt.error is not None:
        parts.append(same(ATTRIBUTE, "error.type", attempt.error.kind))
        parts += [numeral("http.response.status_code", attempt.error.status)] if attempt.error.status else []
    return parts


STREAMED = pair(ATTRIBUTE, "gen_ai.request.stream", True)


def used(usage: Usage) -> list[bytes]:
    found = (
        ("gen_ai.usage.input_tokens", usage.input_tokens), ("gen_ai.usage.output_tokens", usage.output_tokens),
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read), ("gen_ai.usage.cache_write.input_tokens", usage.cache_write),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
    )  # fmt: skip
    return [pair(ATTRIBUTE, name, value) for name, value in found[:2]] + [pair(ATTRIBUTE, n, v) for n, v in found[2:] if v]


@lru_cache(maxsize=1024)
def numeral(name: str, value: int) -> bytes:
    return pair(ATTRIBUTE, name, value)


class Targets:
    """What is the same for every attempt at one model, encoded. `field`: that of the attributes in the message they are for."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._known: dict[tuple[Candidate, str], bytes] = {}

    def of(self, candidate: Candidate, operation: str) -> bytes:
        found = self._known.get((candidate, operation))
        if found is None:
            if len(self._known) >= MAX_TARGETS:
                self._known.clear()
            attributes = described(candidate, operation)
            found = self._known[candidate, operation] = b"".join([pair(self._field, *one) for one in attributes])
        return found


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
