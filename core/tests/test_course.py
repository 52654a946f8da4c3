"""The rules of retry and fallback: each line of the table, and what holds whatever happens."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lynkr_core.course import MAX_WAIT, SHORT_WAIT, Course, Step
from lynkr_core.errors import KINDS, UpstreamError, consequence
from lynkr_core.exchange import Verdict
from lynkr_core.testing.factories import candidate

ONE, TWO, THREE = (candidate(f"p{n}/m") for n in (1, 2, 3))
WAITING = {"unavailable", "conflict", "server", "overloaded", "rate_limited", "warming", "cut", "rejected"}
STAYING = {"conflict", "content", "invalid"}


def course(*order, retries=2, until=100.0, **more):
    made = Course(list(order), retries=retries, until=until, jitter=lambda low, high: low, **more)
    assert made.next(0.0).candidate is order[0]
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_which_kinds_move_on_at_once(kind):
    step = course(ONE, TWO).failed(ONE, UpstreamError(kind, "no"), 1.0)
    moves = step is not None and step.candidate is TWO
    assert moves == (kind not in STAYING)
    assert not moves or step.delay == 0


@pytest.mark.parametrize("kind", KINDS)
def test_which_kinds_are_tried_again(kind):
    step = course(ONE).failed(ONE, UpstreamError(kind, "no"), 1.0)
    assert (step is not None) == (kind in WAITING)


def test_a_timeout_that_the_upstream_told_of_is_tried_again_and_our_own_is_not():
    assert course(ONE).failed(ONE, UpstreamError("timeout", "no", status=504), 1.0) is not None
    assert course(ONE).failed(ONE, UpstreamError("timeout", "no"), 1.0) is None


def test_a_short_retry_after_is_cheaper_than_moving_on():
    short = UpstreamError("rate_limited", "wait", retry_after=SHORT_WAIT / 2)
    assert course(ONE, TWO).failed(ONE, short, 1.0) == Step(ONE, pytest.approx(SHORT_WAIT / 2))
    long = UpstreamError("rate_limited", "wait", retry_after=2.0)
    assert course(ONE, TWO).failed(ONE, long, 1.0) == Step(TWO, 0.0)


def test_when_all_have_failed_whoever_is_ready_first_is_tried_again():
    made = course(ONE, TWO)
    assert made.failed(ONE, UpstreamError("rate_limited", "wait", retry_after=5.0), 1.0).candidate is TWO
    assert made.failed(TWO, UpstreamError("rate_limited", "wait", retry_after=3.0), 2.0) == Step(TWO, pytest.approx(3.0))
    assert made.failed(TWO, UpstreamError("rate_limited", "wait", retry_after=9.0), 5.0) == Step(ONE, pytest.approx(1.0))
    assert made.failed(ONE, UpstreamError("rate_limited", "wait", retry_after=1.0), 6.0) is None


def test_a_retry_after_that_is_too_long_is_not_waited_for():
    assert course(ONE).failed(ONE, UpstreamError("rate_limited", "wait", retry_after=MAX_WAIT + 1), 1.0) is None


def test_no_retry_when_the_deadline_is_closer_than_the_pause():
    assert course(ONE, until=1.2).failed(ONE, UpstreamError("server", "no"), 1.0) is None
    assert course(ONE, TWO, until=1.0).failed(ONE, UpstreamError("server", "no"), 1.0) is None


def test_what_is_too_long_goes_to_a_larger_window_only():
    small, same, large, unknown = (
        candidate("a/small", context_window=8), candidate("b/same", context_window=8), candidate("c/large", context_window=9),
        candidate("d/unknown"),
    )  # fmt: skip
    made = course(small, same, large, unknown)
    assert made.failed(small, UpstreamError("context", "too long"), 1.0).candidate is large
    assert made.failed(large, UpstreamError("context", "too long"), 1.0).candidate is unknown
    assert course(large, small).failed(large, UpstreamError("context", "too long"), 1.0) is None


def test_the_table_can_be_overruled():
    assert course(ONE, TWO, fallback={"content": True}).failed(ONE, UpstreamError("content", "no"), 1.0).candidate is TWO
    assert course(ONE, TWO, fallback={"auth": False}).failed(ONE, UpstreamError("auth", "no"), 1.0) is None


def test_a_plugin_that_never_gives_up_is_stopped():
    made = course(ONE)
    steps = [made.told(ONE, Verdict("retry"), 1.0) for _ in range(100)]
    assert steps[0] == Step(ONE, 0.0)
    assert steps[-1] is None


class Exchanges(RuleBasedStateMachine):
    """Any failures in any order: never more than the budget, never beyond the deadline, never after what must not be retried."""

    def __init__(self):
        super().__init__()
        self.begin()

    @precondition(lambda self: self.step is None)
    @rule()
    def begin(self):
        self.now, self.retries, self.until = 0.0, 2, 60.0
        self.course = Course([ONE, TWO, THREE], retries=self.retries, until=self.until)
        self.step = self.course.next(0.0)
        self.tries = {ONE: 0, TWO: 0, THREE: 0}

    @precondition(lambda self: self.step is not None)
    @rule(
        kind=st.sampled_from(sorted(KINDS)), took=st.floats(0, 20), retry_after=st.none() | st.floats(0, 30),
        status=st.none() | st.just(500),
    )  # fmt: skip
    def fail(self, kind, took, retry_after, status):
        now = self.now + self.step.delay
        assert now < self.until
        chosen = self.step.candidate
        self.tries[chosen] += 1
        error = UpstreamError(kind, "no", status=status, retry_after=retry_after)
        self.now = now + took
        self.step = self.course.failed(chosen, error, self.now)
        if self.step is not None:
            assert kind not in ("invalid", "content")
            assert self.step.candidate is not chosen or self.tries[chosen] <= consequence(error).retries
            if self.step.candidate is chosen and retry_after is not None:
                assert self.step.delay >= retry_after

    @precondition(lambda self: self.step is not None)
    @rule()
    def refused(self):
        self.now += self.step.delay
        self.step = self.course.next(self.now)

    @invariant()
    def the_budget_holds(self):
        assert sum(self.tries.values()) <= 3 + self.retries


Exchanges.TestCase.settings = settings(max_examples=200, stateful_step_count=12, deadline=None)
TestExchanges = Exchanges.TestCase
