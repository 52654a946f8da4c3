"""Another round of an answer whose model waits for inner tools: they are answered, and the same candidate is asked again.

The round that is over is settled before, and the next one reserved like any other attempt: a budget that is used up ends the answer, and
cannot be overspent by rounds. When the candidate fails, the next ones are asked, as before the first round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lynkr_core.attempts import Answer
from lynkr_core.exchange import Exchange, Outcome
from lynkr_core.failover import course_of, follow
from lynkr_core.inner import INNER, Said
from lynkr_core.joining import Joined

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel


def unanswered(answer: Answer) -> Said | None:
    """What the model waits for, when this answer is to be gone on from."""
    said = answer.stream.said if isinstance(answer.stream, Joined) else answer.said
    return said if said is not None and said.goes_on else None


async def go_on(kernel: Kernel, exchange: Exchange, answer: Answer, said: Said) -> Answer:
    """The next round. Raises as `failover.attempt`."""
    attempt, inner = answer.attempt, exchange.get(INNER)
    assert inner is not None, "only who has inner tools is asked"
    dialect = kernel.upstream_dialect(exchange.dialect, attempt.candidate)
    kernel.settle(attempt, Outcome(status="ok", http_status=200, candidate=attempt.candidate, usage=attempt.usage))
    await inner.answer(said, attempt, dialect is exchange.dialect and answer.stream is None)
    exchange.check()
    order = exchange.selection.order if exchange.selection else ()
    place = order.index(attempt.candidate)
    course = course_of(kernel, exchange, (*order[place:], *order[:place]), again=True)
    return await follow(kernel, exchange, course, answer.stream if isinstance(answer.stream, Joined) else None)
