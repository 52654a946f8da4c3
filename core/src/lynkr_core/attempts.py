"""One attempt: reserved, written, sent, and read up to the commit point. After it, see `delivery.py`; between two, `failover.py`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from lynkr_core import capabilities
from lynkr_core.consumed import consumed
from lynkr_core.dialect import Dialect
from lynkr_core.errors import ClientGone, GatewayError, UpstreamError
from lynkr_core.events import Event, Examiner
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Reject, Removal, Reservation, Status
from lynkr_core.hooks import notify
from lynkr_core.inner import Said
from lynkr_core.joining import Joined
from lynkr_core.recall import recalled
from lynkr_core.relay import Metered, Named, Observer, Rewritten, Stream, Translated
from lynkr_core.remarks import unsaved
from lynkr_core.request import Request
from lynkr_core.resuming import Resumable
from lynkr_core.tokens import estimate
from lynkr_core.upstream import UpstreamResponse

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel
    from lynkr_core.provider import Provider

MAX_ERROR_BODY = 256 * 1024
NOTHING: Mapping[str, str] = {}
encode = msgspec.json.Encoder().encode
Before = Resumable | Joined
"""The stream that this one goes on from."""


class Answer(Struct, eq=False):
    """A committed answer: `body` whole, or what the `stream` has given so far, and the stream itself. `said`: what is to be gone on from."""

    attempt: Attempt
    body: bytes
    stream: Stream | None = None
    said: Said | None = None


class Refused(Exception):
    """A plugin would not reserve for this candidate."""

    def __init__(self, error: GatewayError) -> None:
        self.error = error


async def one(kernel: Kernel, exchange: Exchange, attempt: Attempt, until: float, before: Before | None = None) -> Answer:
    """One attempt, up to the commit point. Raises `UpstreamError` or `Refused`, everything reserved then settled."""
    candidate, hooks, stream = attempt.candidate, kernel.hooks, exchange.envelope.stream
    exchange.attempts.append(attempt)
    attempt.until = until
    limits = kernel.limits(candidate.provider, stream)
    kernel.watch.add(attempt, limits)
    try:
        if hooks.reserve.calls:
            await reserve(kernel, exchange, attempt)
        dialect = kernel.upstream_dialect(exchange.dialect, candidate)
        assert dialect is not None, "stage 4 left only candidates that have the operation"
        rest = before.rest(exchange.request, candidate) if before else None
        if hooks.transform_request.calls:
            rest = await transformed(kernel, exchange, candidate, rest)
        body = outgoing(kernel, exchange, attempt, dialect, rest)
        if exchange.gone:  # plugins may have taken their time
            raise ClientGone
        if attempt.expired:
            raise UpstreamError("timeout", attempt.expired)
        provider = candidate.provider.serving(exchange)
        attempt.upstream = call = provider.send(exchange, candidate, dialect, body)
        attempt.upstream = response = await call.response()
        if response.status >= 400:
            raise refusal(kernel, provider, candidate, dialect, response, await response.read(MAX_ERROR_BODY), body)
        if not stream:
            return await whole(kernel, exchange, attempt, dialect, response)
        answer = await begin(kernel, exchange, attempt, dialect, response, before)
        attempt.until = min(attempt.started + limits.total, exchange.until)
        return answer
    except UpstreamError as error:
        attempt.error = timed_out(attempt, error)
        raise attempt.error from None
    finally:
        if attempt.first_token is None:
            release(kernel, exchange, attempt)
        elif not stream:
            kernel.watch.discard(attempt)


def refusal(
    kernel: Kernel, provider: Provider, candidate: Candidate, dialect: Dialect, response: UpstreamResponse, told: bytes, sent: bytes,
) -> UpstreamError:  # fmt: skip
    """An error answer by its name, after what it says of parameters has been learnt."""
    error = provider.classify(dialect, response.status, response.headers, told)
    if error.kind == "invalid" and kernel.config.routing.unsupported == "drop":
        error.mended = kernel.unsupported.learn(candidate, dialect, dialect.unsupported(told, sent))
    return error


def timed_out(attempt: Attempt, error: UpstreamError) -> UpstreamError:
    """The error by its own name when it was a time limit that ended the call."""
    if not attempt.expired or error.kind == "timeout":
        return error
    return UpstreamError("timeout", f"{attempt.candidate.id} {attempt.expired}")


def release(kernel: Kernel, exchange: Exchange, attempt: Attempt) -> None:
    """An attempt that comes to nothing: its call is ended, and what was reserved for it settled."""
    attempt.ended = time.monotonic()
    attempt.abort()  # does nothing to a response that was read to its end
    kernel.watch.discard(attempt)
    if attempt.usage is None and isinstance(attempt.stream, Stream):
        attempt.usage = attempt.stream.usage
    if attempt.kind == "rejected" and attempt.usage is None:
        attempt.usage = consumed(exchange, attempt)
    if attempt.reservations:
        if (attempt.lost or exchange.gone) and attempt.usage is None:
            attempt.usage = consumed(exchange, attempt)
        status: Status = "cancelled" if attempt.lost or exchange.gone else "error"
        kernel.settle(attempt, Outcome(status=status, http_status=0, candidate=attempt.candidate, usage=attempt.usage))


async def reserve(kernel: Kernel, exchange: Exchange, attempt: Attempt) -> None:
    """All or none."""
    args = (exchange, attempt.candidate)
    for call in kernel.hooks.reserve.calls:
        answer = call.now(args)
        if answer.__class__ is CoroutineType:
            answer = await call.later(args, attempt.started + kernel.hooks.reserve.deadline, answer)
        if isinstance(answer, Reservation):
            attempt.reservations.append((call.plugin, answer))
        elif isinstance(answer, Reject):
            exchange.attempts.remove(attempt)  # nobody was asked
            kernel.settle(attempt, Outcome(status="refused", http_status=0, candidate=attempt.candidate))
            exchange.removed += (Removal(attempt.candidate.id, answer.error.message, call.plugin),)
            raise Refused(answer.error)


async def transformed(kernel: Kernel, exchange: Exchange, candidate: Candidate, request: Request | None) -> Request | None:
    """What the plugins make of the request; None when it is left as the caller wrote it."""
    original = request or exchange.request
    if exchange.saved_tokens:  # by an attempt before
        unsaved(exchange)
    if exchange.envelope.stream and kernel.hooks.transform_stream.calls:
        exchange.closed = True
    changed = await kernel.hooks.transform_request.fold(exchange, original, candidate)
    inner = exchange.inner
    if inner is not None:
        changed = inner.extended(await recalled(kernel.stores.key_value(), exchange, changed))
    return request if changed is original else changed


def outgoing(kernel: Kernel, exchange: Exchange, attempt: Attempt, dialect: Dialect, request: Request | None) -> bytes:
    """The body for this candidate; of `request`, if it is not the caller's. The caller's own bytes when nothing has to be changed."""
    envelope, candidate = exchange.envelope, attempt.candidate
    same = dialect is exchange.dialect
    changed = not same or request is not None
    attempt.losses = exchange.losses = losses = list(exchange.changes)
    refused = capabilities.refused(exchange, candidate.card) if candidate.card else NOTHING
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
    if kernel.unsupported.known:
        changed |= kernel.unsupported.leave_out(candidate, dialect, fields, losses)
    return encode(fields) if changed else exchange.body


async def whole(kernel: Kernel, exchange: Exchange, attempt: Attempt, dialect: Dialect, response: UpstreamResponse) -> Answer:
    """A plain answer, read to its end."""
    body = await response.read()
    same = dialect is exchange.dialect
    examiner = exchange.examine(attempt.candidate) if exchange.examine else None
    inner, said = exchange.inner, None
    if same and not kernel.hooks.transform_response.calls and not exchange.observers and examiner is None and inner is None:
        attempt.usage = dialect.usage(body)
        if attempt.usage is None:
            dialect.decode_response(body)  # raises for garbage, and for an error that hides behind status 200
    else:
        answer = dialect.decode_response(body)
        attempt.usage = answer.usage
        if not answer.model:
            answer = structs.replace(answer, model=attempt.candidate.model)
        if inner is not None:
            said = inner.read(answer)
            if said.goes_on:
                attempt.first_token = attempt.ended = time.monotonic()
                return Answer(attempt, b"", said=said)
            answer = inner.joined(answer, said)
        if kernel.hooks.transform_response.calls:
            answer = await kernel.hooks.transform_response.fold(exchange, answer)
        if examiner is not None:
            examiner(answer)
        for observe in exchange.observers:
            observe(answer)
        body = exchange.dialect.encode_response(answer, exchange.request)
    attempt.first_token = attempt.ended = time.monotonic()
    return Answer(attempt, body, said=said)


async def begin(
    kernel: Kernel, exchange: Exchange, attempt: Attempt, dialect: Dialect, response: UpstreamResponse, before: Before | None
) -> Answer:
    """A stream, read up to its first content event."""
    if response.headers.get(b"content-type", b"").startswith(b"application/json"):
        dialect.decode_response(await response.read())  # raises for an error that hides behind status 200
        raise UpstreamError("server", "the upstream sent a plain answer where a stream was asked for")
    examiner = exchange.examine(attempt.candidate) if exchange.examine and before is None else None
    stream = attempt.stream = fidelity(kernel, exchange, attempt.candidate.model, dialect, response, before, examiner)
    held: list[bytes] = []
    while stream.failure is None and (not stream.committed or (examiner is not None and examiner.holding and not stream.ended)):
        piece = await stream.next()
        if piece is None:
            raise UpstreamError("cut", "the stream ended before it said anything")
        held.append(piece)
    if stream.failure is not None and (not stream.committed or (examiner is not None and examiner.holding)):
        raise stream.failure
    attempt.first_token = time.monotonic()
    return Answer(attempt, b"".join(held), stream)


def fidelity(
    kernel: Kernel, exchange: Exchange, model: str, dialect: Dialect, response: UpstreamResponse, before: Before | None,
    examiner: Examiner | None,
) -> Stream:  # fmt: skip
    """How deep this stream has to be read."""
    hooks, envelope = kernel.hooks, exchange.envelope
    resumable = kernel.config.routing.resume and not hooks.transform_stream.calls
    seers = exchange.observers if examiner is None else (*exchange.observers, examiner)
    observer = observers(kernel, exchange, seers) if hooks.observe_event.calls or seers else None
    decoder = dialect.decoder() if dialect.names_model else Named(dialect.decoder(), model)
    if before is not None:
        return before.after(response, decoder, observer)
    inner = exchange.inner
    if dialect is exchange.dialect and not hooks.transform_stream.calls and not resumable and inner is None:
        return Metered(response, dialect, kernel.metered and not envelope.usage_asked, observer)
    request = exchange.request
    encoder = exchange.dialect.encoder(request, envelope, estimate(request) if exchange.dialect.tells_input else 0)
    if inner is not None:
        return Joined(response, decoder, encoder, observer, inner)
    if resumable:
        return Resumable(response, decoder, encoder, observer, None)
    if not hooks.transform_stream.calls:
        return Translated(response, decoder, encoder, observer)

    def wrap(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        for call in hooks.transform_stream.calls:
            events = call.now((exchange, events)) or events
        return events

    return Rewritten(response, decoder, encoder, observer, wrap)


def observers(kernel: Kernel, exchange: Exchange, seers: Sequence[Observer]) -> Observer:
    """One function that shows an event to every observing plugin."""

    def observe(event: Event) -> None:
        for call in kernel.hooks.observe_event.calls:
            notify(call, (exchange, event))
        for see in seers:
            see(event)

    return observe
