"""What follows an answer: the rest of a stream that was cut, or another round, when the model waits for inner tools.

The tools are answered, and the same candidate is asked again. The round that is over is settled before, and the next one reserved like any
other attempt: a budget that is used up ends the answer, and rounds cannot overspend it. When the candidate fails, the next ones are asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from lynkr_core.attempts import Answer
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.exchange import Attempt, Exchange, Outcome
from lynkr_core.failover import course_of, follow
from lynkr_core.inner import Said
from lynkr_core.joining import Joined
from lynkr_core.recall import remember
from lynkr_core.resuming import Resumable, may_resume

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel


def unanswered(answer: Answer) -> Said | None:
    """What the model waits for, when this answer is to be gone on from."""
    said = answer.stream.said if isinstance(answer.stream, Joined) else answer.said
    return said if said is not None and said.goes_on else None


async def completed(kernel: Kernel, exchange: Exchange, answer: Answer) -> Answer:
    """A whole answer, after as many rounds as it needs."""
    while said := unanswered(answer):
        answer = await go_on(kernel, exchange, answer, said)
    await ended(kernel, exchange, answer)
    return answer


async def ended(kernel: Kernel, exchange: Exchange, answer: Answer) -> None:
    """Its rounds are remembered for the next turn, if it has any."""
    inner, said = exchange.inner, answer.stream.said if isinstance(answer.stream, Joined) else answer.said
    if inner is not None and said is not None:
        await remember(kernel.stores.key_value(), exchange, inner, said)


async def another(kernel: Kernel, exchange: Exchange, answer: Answer, failure: UpstreamError | None) -> Answer | None:
    """What follows a stream: the rest of one that was cut, the next round of one whose model waits for inner tools; mostly nothing."""
    if failure is None:
        said = unanswered(answer)
        return await go_on(kernel, exchange, answer, said) if said else await ended(kernel, exchange, answer)
    return await resume(kernel, exchange, exchange.attempts[-1], failure) if kernel.config.routing.resume else None


class Work:
    """Something that ends when the caller leaves."""

    def __init__(self, task: asyncio.Future[None]) -> None:
        self._task = task

    def abort(self) -> None:
        self._task.cancel()


async def unless_gone(exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
    """Raises `ClientGone` when the caller leaves before it is done."""
    task = asyncio.ensure_future(work)
    exchange.waiting = Work(task)
    try:
        await task
    except asyncio.CancelledError:
        exchange.check()
        raise
    finally:
        exchange.waiting = None
    exchange.check()


async def go_on(kernel: Kernel, exchange: Exchange, answer: Answer, said: Said) -> Answer:
    """The next round. Raises as `failover.attempt`."""
    attempt, inner = answer.attempt, exchange.inner
    assert inner is not None, "only who has inner tools is asked"
    dialect = kernel.upstream_dialect(exchange.dialect, attempt.candidate)
    kernel.settle(attempt, Outcome(status="ok", http_status=200, candidate=attempt.candidate, usage=attempt.usage))
    await unless_gone(exchange, inner.answer(said, attempt, dialect is exchange.dialect and answer.stream is None))
    order = exchange.selection.order if exchange.selection else ()
    place = order.index(attempt.candidate)
    course = course_of(kernel, exchange, (*order[place:], *order[:place]), again=True)
    return await follow(kernel, exchange, course, answer.stream if isinstance(answer.stream, Joined) else None)


async def resume(kernel: Kernel, exchange: Exchange, cut: Attempt, error: UpstreamError) -> Answer | None:
    """The rest of a cut stream, from the next candidate or, last, from the same one; None when there is none."""
    stream = cut.stream
    if not isinstance(stream, Resumable) or not may_resume(stream, error) or exchange.resumed >= kernel.config.routing.retries:
        return None
    if cut.reservations:
        kernel.settle(cut, Outcome(status="cut", http_status=200, candidate=cut.candidate, usage=cut.usage, error=error.message))
    order = exchange.selection.order if exchange.selection else ()
    place = order.index(cut.candidate) + 1
    course = course_of(kernel, exchange, (*order[place:], *order[:place]))
    exchange.resumed += 1
    try:
        return await follow(kernel, exchange, course, stream)
    except GatewayError:
        exchange.attempts.remove(cut)  # it was the one that answered, so it stands last
        exchange.attempts.append(cut)
        return None
