"""Stage 8: the caller gets the answer, and the truth about how it ended."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from lynkr_core.attempts import Answer, timed_out
from lynkr_core.caller import Caller
from lynkr_core.consumed import consumed
from lynkr_core.errors import AllFailed, ClientGone, UpstreamError
from lynkr_core.exchange import Exchange, Status
from lynkr_core.headers import response_headers
from lynkr_core.relay import Stream
from lynkr_core.rounds import another, completed

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

Put = Callable[[bytes], Awaitable[object] | None]
"""Writes a piece to the caller: see `Caller.put`."""


async def respond(kernel: Kernel, exchange: Exchange, caller: Caller, answer: Answer) -> tuple[Status, str | None]:
    """Stage 8: the caller gets the answer. Gives the outcome's status and error."""
    if answer.said is not None and answer.stream is None:
        answer = await completed(kernel, exchange, answer)
    exchange.chosen = answer.attempt.candidate
    if answer.stream is None:
        for tap in exchange.taps:
            tap(answer.body)
        await caller.whole(200, response_headers(exchange, b"application/json", answer.attempt), answer.body)
        return "ok", None
    if caller.status is None:
        await caller.begin(200, response_headers(exchange, exchange.dialect.content_type, None))
    failure = await relay(kernel, exchange, caller, answer, answer.stream)
    while rest := await another(kernel, exchange, answer, failure):
        answer, exchange.chosen = rest, rest.attempt.candidate
        failure = await relay(kernel, exchange, caller, rest, cast("Stream", rest.stream))
    if failure is not None:
        stream = cast("Stream", answer.stream)
        cut = AllFailed(failure, [attempt.describe() for attempt in exchange.attempts if attempt.error])
        await caller.piece(stream.broken(failure) or exchange.dialect.encode_cut(cut, exchange.id, stream.sent))
        stream.failure = failure
    await caller.end()
    failure = cast("Stream", answer.stream).failure
    return ("ok", None) if failure is None else ("cut", failure.message)


async def relay(kernel: Kernel, exchange: Exchange, caller: Caller, answer: Answer, stream: Stream) -> UpstreamError | None:
    """Gives the caller the stream to its end. Gives back why it was cut, of which the caller has not been told."""
    put = tapped(exchange, caller.put)
    try:
        await stream.give(put, answer.body)
        answer.body = b""  # the caller has it, and the stream may last
        if not exchange.taps:  # whoever keeps the answer asks again what for
            exchange.parsed = None
        await stream.pump(put)
    except UpstreamError as cause:
        if exchange.gone:
            raise ClientGone from None
        answer.attempt.error = timed_out(answer.attempt, cause).with_traceback(None)  # whose frames hold the attempt
        return answer.attempt.error
    finally:
        stream.response.abort()  # does nothing to a response that was read to its end
        answer.attempt.ended = time.monotonic()
        answer.attempt.usage = stream.usage
        if not stream.ended:
            answer.attempt.usage = consumed(exchange, answer.attempt)
        kernel.watch.discard(answer.attempt)
    return None


def tapped(exchange: Exchange, put: Put) -> Put:
    """`put`, with every piece shown to the exchange's taps before."""
    if not exchange.taps:
        return put

    def show(data: bytes) -> Awaitable[object] | None:
        for tap in exchange.taps:
            tap(data)
        return put(data)

    return show
