"""Stage 7: candidates are tried in order until one of them has begun to answer.

Failover ends at the commit point: the whole body of a plain answer, the first content event of a stream. Nothing has reached the
caller before it. After it, a cut stream may be continued where that is configured.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lynkr_core.attempts import Answer, Before, Refused, one, release
from lynkr_core.course import Course, Step
from lynkr_core.errors import (
    KINDS,
    AllFailed,
    ClientGone,
    Forbidden,
    GatewayError,
    InvalidRequest,
    RateLimited,
    Timeout,
    UpstreamError,
)  # fmt: skip
from lynkr_core.exchange import Attempt, Candidate, Exchange, Reply, Verdict
from lynkr_core.hedging import Hedges, Race
from lynkr_core.selecting import select

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

MAX_DIGITS = 9
"""Of a deadline in milliseconds: eleven days."""


def attempt(kernel: Kernel, exchange: Exchange) -> Coroutine[Any, Any, Answer]:
    """Tries the selection in order. Raises `AllFailed`, a refusal, or `ClientGone`; `InvalidRequest` at once."""
    course = course_of(kernel, exchange, exchange.selection.order if exchange.selection else ())
    return governed(kernel, exchange, course) if kernel.hooks.reserve.calls else follow(kernel, exchange, course)


async def governed(kernel: Kernel, exchange: Exchange, course: Course) -> Answer:
    """As `follow`; once more where a policy that refused has put another name into `exchange.instead`."""
    instead = exchange.instead
    try:
        return await follow(kernel, exchange, course)
    except (RateLimited, Forbidden) as refusal:
        if exchange.instead == instead:
            raise
        try:
            kernel.find_candidates(exchange)
        except GatewayError:
            raise refusal from None
    exchange.selection, exchange.selected_by = None, ""
    await select(kernel.hooks.select_provider, exchange, kernel.catalog.tiers)
    assert exchange.selection is not None
    return await follow(kernel, exchange, course_of(kernel, exchange, exchange.selection.order))


async def follow(kernel: Kernel, exchange: Exchange, course: Course, before: Before | None = None) -> Answer:
    """An answer, or the rest of the one `before`."""
    failure: Exception | None = None
    step = course.next(time.monotonic())
    while step is not None:
        if step.delay:
            await exchange.pause(step.delay)
        if exchange.gone:
            raise ClientGone
        try:
            if kernel.hedges is not None and before is None:
                return await raced(kernel, exchange, course, step.candidate, kernel.hedges)
            return await one(kernel, exchange, Attempt(step.candidate), course.until, before)
        except Refused as refused:
            failure = sooner(failure, refused.error)
            step = course.next(time.monotonic())
        except UpstreamError as error:
            failure = error.with_traceback(None)  # its frames hold the exchange: a circle left to the garbage collector
            step = await judge(kernel, exchange, course, exchange.attempts[-1].candidate, error)
    raise failed(exchange, failure)


def sooner(failure: Exception | None, refusal: GatewayError) -> Exception:
    """The first of them; of two limits the one that has room first, since then the request is served."""
    if isinstance(failure, RateLimited) and isinstance(refusal, RateLimited):
        return min(failure, refusal, key=lambda limit: (limit.retry_after is None, limit.retry_after))
    return failure or refusal


def course_of(kernel: Kernel, exchange: Exchange, order: Sequence[Candidate], again: bool = False) -> Course:
    """`again`: the deadline's time begins once more. Raises `InvalidRequest` for a deadline that is no time."""
    routing = kernel.config.routing
    asked = exchange.headers.get(b"x-lynkr-deadline-ms")
    if asked is not None:
        if not asked.isdigit() or len(asked) > MAX_DIGITS:
            raise InvalidRequest("x-lynkr-deadline-ms must be a whole number of milliseconds", param="x-lynkr-deadline-ms")
        exchange.until = exchange.started + int(asked) / 1000
    until = (time.monotonic() if exchange.resumed or again else exchange.started) + routing.deadline
    return Course(list(order), routing.retries, until if until < exchange.until else exchange.until, routing.fallback)


async def raced(kernel: Kernel, exchange: Exchange, course: Course, candidate: Candidate, hedges: Hedges) -> Answer:
    """One attempt, and a second one beside it when the first is slow."""
    race = Race(exchange, lambda attempt: one(kernel, exchange, attempt, course.until))
    best: Attempt | None = None
    try:
        answer = await race.answer(hedges, candidate, course.fresh)
        best, exchange.losses = answer.attempt, answer.attempt.losses
        return answer
    except UpstreamError as error:
        best = next(attempt for attempt in race.running if attempt.error is error)
        raise
    finally:
        for other in await race.end():
            if other.attempt is not best:
                other.attempt.lost = True
                release(kernel, exchange, other.attempt)
        if best is not None:
            exchange.attempts.remove(best)  # it is the one that decides, so it stands last
            exchange.attempts.append(best)
        for other in race.running:
            if other is not best and other.error and not other.lost and not exchange.gone:
                course.noted(other.candidate, other.error, time.monotonic())
                with suppress(GatewayError):  # the answer is here: what is said of the other attempt changes nothing
                    await kernel.hooks.attempt_failed.first(exchange, other.candidate, other.error)


def failed(exchange: Exchange, failure: Exception | None) -> Exception:
    """What the caller is told when no candidate answered."""
    if isinstance(failure, UpstreamError):
        return AllFailed(failure, [attempt.describe() for attempt in exchange.attempts])
    if failure is None and exchange.selection and exchange.selection.order:
        return Timeout("the time for this request was over before a candidate could be asked")
    return failure or InvalidRequest("no candidate can serve this request: " + "; ".join(r.reason for r in exchange.removed))


def local(exchange: Exchange, failed: AllFailed) -> Reply:
    """An answer without any provider, where the dialect has one and the request was not to blame. Raises `failed` where not."""
    body = exchange.dialect.local(exchange.request) if KINDS[failed.last.kind].fallback else None
    if body is None:
        raise failed
    return Reply(body=body, reason=f"answered by lynkr itself: {failed.last.kind}")


async def judge(kernel: Kernel, exchange: Exchange, course: Course, candidate: Candidate, error: UpstreamError) -> Step | None:
    """What follows from a failed attempt: a plugin's word, else the table of kinds."""
    if exchange.gone:
        raise ClientGone
    if kernel.hooks.attempt_failed.calls:
        verdict, _ = await kernel.hooks.attempt_failed.first(exchange, candidate, error)
        if isinstance(verdict, Verdict):
            return course.told(candidate, verdict, time.monotonic())
    if error.mended:
        return course.again(candidate, time.monotonic())
    return course.failed(candidate, error, time.monotonic())
