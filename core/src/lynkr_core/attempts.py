"""Stage 7: candidates are tried in order until one of them has begun to answer.

Failover ends at the commit point: the whole body of a plain answer, the first content event of a stream. Nothing has reached the
caller before it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from lynkr_core import capabilities, tokens
from lynkr_core.dialect import Dialect
from lynkr_core.errors import KINDS, AllFailed, ClientGone, GatewayError, InvalidRequest, UpstreamError
from lynkr_core.events import Event
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Reject, Reply, Reservation, Verdict
from lynkr_core.hooks import notify, run
from lynkr_core.relay import Metered, Observer, Rewritten, Stream, Translated
from lynkr_core.upstream import UpstreamResponse

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

MAX_ERROR_BODY = 256 * 1024
MAX_WAIT = 15.0
"""Seconds beyond which waiting for a `retry-after` is not worth it."""
encode = msgspec.json.Encoder().encode


class Answer:
    """A committed answer: `body` whole, or `held`, what the stream has given so far, and the `stream` itself."""

    __slots__ = ("attempt", "body", "held", "stream")

    def __init__(self, attempt: Attempt, body: bytes, stream: Stream | None = None) -> None:
        self.attempt = attempt
        self.body = body
        self.stream = stream


class Refused(Exception):
    """A plugin would not reserve for this candidate."""

    def __init__(self, error: GatewayError) -> None:
        self.error = error


async def attempt(kernel: Kernel, exchange: Exchange) -> Answer:
    """Tries the selection in order. Raises `AllFailed`, the last refusal, or `ClientGone`."""
    retries = kernel.config.routing.retries
    failure: Exception | None = None
    order = exchange.selection.order if exchange.selection else ()
    for place, candidate in enumerate(order):
        while True:
            if exchange.gone:
                raise ClientGone
            try:
                return await one(kernel, exchange, candidate)
            except Refused as refused:
                failure = failure or refused.error
                break
            except UpstreamError as error:
                failure = error
                verdict = await judge(kernel, exchange, candidate, error, place + 1 < len(order), retries)
            if verdict.action == "next":
                break
            if verdict.action == "fail" or exchange.remaining(kernel.config.routing.deadline) <= verdict.delay:
                raise failed(exchange, failure)
            retries -= 1
            await asyncio.sleep(verdict.delay)
    raise failed(exchange, failure)


def failed(exchange: Exchange, failure: Exception | None) -> Exception:
    """What the caller is told when no candidate answered."""
    if isinstance(failure, UpstreamError):
        return AllFailed(failure, [attempt.describe() for attempt in exchange.attempts])
    return failure or InvalidRequest("no candidate can serve this request: " + "; ".join(r.reason for r in exchange.removed))


def local(exchange: Exchange, failed: AllFailed) -> Reply:
    """An answer without any provider, where the dialect has one and the request was not to blame. Raises `failed` where not."""
    body = exchange.dialect.local(exchange.request) if KINDS[failed.last.kind].fallback else None
    if body is None:
        raise failed
    return Reply(body=body, reason=f"answered by lynkr itself: {failed.last.kind}")


async def judge(
    kernel: Kernel, exchange: Exchange, candidate: Candidate, error: UpstreamError, more: bool, retries: int
) -> Verdict:
    """What follows from a failed attempt: a plugin's word, else the table of kinds."""
    if exchange.gone:
        raise ClientGone
    if kernel.hooks.attempt_failed.calls:
        verdict, _ = await kernel.hooks.attempt_failed.first(exchange, candidate, error)
        if isinstance(verdict, Verdict):
            return verdict
    consequence = KINDS[error.kind]
    if more and consequence.fallback and exchange.remaining(kernel.config.routing.deadline) > 0:
        return Verdict("next")
    tried = sum(attempt.candidate is candidate for attempt in exchange.attempts)
    wait = error.retry_after if error.retry_after is not None else 0.25 * 2**tried * random.uniform(0.75, 1.0)  # noqa: S311
    if tried <= consequence.retries and retries > 0 and wait <= MAX_WAIT:
        return Verdict("retry", wait)
    return Verdict("fail")


async def one(kernel: Kernel, exchange: Exchange, candidate: Candidate) -> Answer:
    """One attempt, up to the commit point. Raises `UpstreamError` or `Refused`, everything reserved then settled."""
    attempt = Attempt(candidate)
    exchange.attempts.append(attempt)
    try:
        if kernel.hooks.reserve.calls:
            await reserve(kernel, exchange, attempt)
        dialect = kernel.upstream_dialect(exchange.dialect, candidate)
        assert dialect is not None, "stage 4 left only candidates that have the operation"
        body = await outgoing(kernel, exchange, candidate, dialect)
        call = candidate.provider.send(exchange, candidate, dialect, body)
        exchange.upstream = call
        response = await call.response()
        exchange.upstream = response
        if response.status >= 400:
            error_body = await response.read(MAX_ERROR_BODY)
            raise candidate.provider.classify(dialect, response.status, response.headers, error_body)
        if exchange.envelope.stream:
            return await begin(kernel, exchange, attempt, dialect, response)
        return await whole(kernel, exchange, attempt, dialect, response)
    except UpstreamError as error:
        attempt.error = error
        raise
    finally:
        if attempt.first_token is None:
            attempt.ended = time.monotonic()
            if exchange.upstream is not None:
                exchange.upstream.abort()  # does nothing to a response that was read to its end
                exchange.upstream = None
            if attempt.reservations:
                kernel.settle(attempt, Outcome(status="error", http_status=0, candidate=candidate, usage=attempt.usage))


async def reserve(kernel: Kernel, exchange: Exchange, attempt: Attempt) -> None:
    """All or none."""
    until = time.monotonic() + kernel.hooks.reserve.deadline
    for call in kernel.hooks.reserve.calls:
        answer = await run(call, (exchange, attempt.candidate), until)
        if isinstance(answer, Reject):
            raise Refused(answer.error)
        if isinstance(answer, Reservation):
            attempt.reservations.append((call.plugin, answer))


async def outgoing(kernel: Kernel, exchange: Exchange, candidate: Candidate, dialect: Dialect) -> bytes:
    """The body for this candidate. The caller's own bytes when nothing has to be changed."""
    envelope = exchange.envelope
    request = None
    if kernel.hooks.transform_request.calls:
        original = exchange.request
        request = await kernel.hooks.transform_request.fold(exchange, original, candidate)
        request = None if request is original else request
    same = dialect is exchange.dialect
    changed = not same or request is not None
    exchange.losses = losses = list[str]()
    refused = capabilities.refused(exchange, candidate.card)
    if refused and changed:
        request = capabilities.without(request or exchange.request, refused)
    fields: dict[str, Any] = dialect.encode_request(request or exchange.request, losses) if changed else dict(envelope.fields)
    if not same:
        losses += exchange.dialect.leftovers(request or exchange.request)
    if envelope.model != candidate.model and dialect.model_key:
        fields[dialect.model_key] = candidate.model
        changed = True
    for key in refused:
        fields.pop(key, None)
        losses.append(f"{key}: {candidate.model} does not take it")
        changed = True
    changed |= dialect.prepare(fields, envelope, kernel.metered or not same)
    changed |= candidate.provider.adapt(fields, candidate, dialect, losses)
    return encode(fields) if changed else exchange.body


async def whole(kernel: Kernel, exchange: Exchange, attempt: Attempt, dialect: Dialect, response: UpstreamResponse) -> Answer:
    """A plain answer, read to its end."""
    body = await response.read()
    same = dialect is exchange.dialect
    if same and not kernel.hooks.transform_response.calls and not exchange.observers:
        attempt.usage = dialect.usage(body)
        if attempt.usage is None:
            dialect.decode_response(body)  # raises for garbage, and for an error that hides behind status 200
    else:
        answer = dialect.decode_response(body)
        attempt.usage = answer.usage
        if kernel.hooks.transform_response.calls:
            answer = await kernel.hooks.transform_response.fold(exchange, answer)
        for observe in exchange.observers:
            observe(answer)
        body = exchange.dialect.encode_response(answer, exchange.request)
    attempt.first_token = attempt.ended = time.monotonic()
    return Answer(attempt, body)


async def begin(kernel: Kernel, exchange: Exchange, attempt: Attempt, dialect: Dialect, response: UpstreamResponse) -> Answer:
    """A stream, read up to its first content event."""
    if response.headers.get(b"content-type", b"").startswith(b"application/json"):
        dialect.decode_response(await response.read())  # raises for an error that hides behind status 200
        raise UpstreamError("server", "the upstream sent a plain answer where a stream was asked for")
    stream = fidelity(kernel, exchange, dialect, response)
    held: list[bytes] = []
    while not stream.committed and stream.failure is None:
        piece = await stream.next()
        if piece is None:
            raise UpstreamError("cut", "the stream ended before it said anything")
        held.append(piece)
    if stream.failure is not None and not stream.committed:
        raise stream.failure
    attempt.first_token = time.monotonic()
    return Answer(attempt, b"".join(held), stream)


def fidelity(kernel: Kernel, exchange: Exchange, dialect: Dialect, response: UpstreamResponse) -> Stream:
    """How deep this stream has to be read."""
    hooks, envelope = kernel.hooks, exchange.envelope
    observer = observers(kernel, exchange) if hooks.observe_event.calls or exchange.observers else None
    if dialect is exchange.dialect and not hooks.transform_stream.calls:
        return Metered(response, dialect, kernel.metered and not envelope.usage_asked, observer)
    request = exchange.request
    encoder = exchange.dialect.encoder(request, envelope, tokens.estimate(request))
    if not hooks.transform_stream.calls:
        return Translated(response, dialect.decoder(), encoder, observer)

    def wrap(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        for call in hooks.transform_stream.calls:
            events = call.function(exchange, events) or events
        return events

    return Rewritten(response, dialect.decoder(), encoder, observer, wrap)


def observers(kernel: Kernel, exchange: Exchange) -> Observer:
    """One function that shows an event to every observing plugin."""

    def observe(event: Event) -> None:
        for call in kernel.hooks.observe_event.calls:
            notify(call, (exchange, event))
        for see in exchange.observers:
            see(event)

    return observe
