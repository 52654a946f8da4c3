"""The circuit and the board: what holds for any history."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lynkr_policy_breaker.board import Board
from lynkr_policy_breaker.circuit import Circuit, Rules

RULES = Rules(rate=0.5, least=4, window=10.0, pause=5.0)


def opened(now=0.0):
    circuit = Circuit(RULES)
    for _ in range(4):
        circuit.failed(now, "boom")
    return circuit


def test_it_opens_at_the_rate_and_not_before_the_least():
    circuit = Circuit(RULES)
    for _ in range(3):
        circuit.failed(0.0, "boom")
    assert circuit.state(0.0) == "closed"
    circuit.failed(0.0, "boom")
    assert (circuit.state(0.0), circuit.wait(0.0)) == ("open", 5.0)
    assert circuit.reason == "4 of 4 attempts failed, the last one: boom"


def test_successes_count_too():
    circuit = Circuit(RULES)
    for _ in range(5):
        circuit.succeeded(0.0)
    for _ in range(4):
        circuit.failed(0.0, "boom")
    assert circuit.state(0.0) == "closed"
    circuit.failed(0.0, "boom")
    assert circuit.state(0.0) == "open"


def test_what_is_older_than_the_window_does_not_count():
    circuit = Circuit(RULES)
    for now in (0.0, 4.0, 8.0, 12.0, 16.0, 20.0):
        circuit.failed(now, "boom")
    assert circuit.state(20.0) == "closed"


@pytest.mark.parametrize(("good", "state"), [(True, "closed"), (False, "open")])
def test_one_probe_decides(good, state):
    circuit = opened()
    assert [circuit.admit(4.9), circuit.admit(5.0), circuit.admit(5.0)] == ["no", "probe", "no"]
    circuit.succeeded(6.0, True) if good else circuit.failed(6.0, "boom", True)
    assert circuit.state(6.0) == state


def test_a_probe_that_told_nothing_leaves_room_for_another():
    circuit = opened()
    assert circuit.admit(5.0) == "probe"
    circuit.gave_up()
    assert circuit.admit(5.0) == "probe"


def test_a_cool_down_ends_when_it_was_said_to():
    board = Board(RULES)
    board.cool("a/b", 10.0, "429")
    board.cool("a/b", 5.0, "429")
    assert board.refusal("a/b", 9.9) == ("429", pytest.approx(0.1), True)
    assert board.left_alone(9.0) == {"a/b": {"state": "cooling down", "seconds": 1.0, "reason": "429"}}
    assert board.refusal("a/b", 10.0) is None
    assert board.left_alone(10.0) == {}


class Histories(RuleBasedStateMachine):
    """Attempts begin, end well or badly or not at all, and time goes by."""

    def __init__(self):
        super().__init__()
        self.circuit, self.now = Circuit(RULES), 0.0
        self.running: list[bool] = []
        self.history: list[tuple[float, bool]] = []
        self.opened_at: float | None = None

    @rule(seconds=st.floats(0.0, 8.0))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def begin(self):
        state, probing = self.circuit.state(self.now), any(self.running)
        answer = self.circuit.admit(self.now)
        assert answer == {"closed": "yes", "open": "no", "half open": "no" if probing else "probe"}[state]
        if answer != "no":
            self.running.append(answer == "probe")

    @precondition(lambda self: self.running)
    @rule(good=st.booleans(), data=st.data())
    def end(self, good, data):
        probe = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        before = self.circuit.state(self.now)
        if good:
            self.circuit.succeeded(self.now, probe)
        else:
            self.circuit.failed(self.now, "boom", probe)
        after = self.circuit.state(self.now)
        if probe:
            assert after == ("closed" if good else "open")
            self.history.clear()
        elif before != "closed":
            assert after == before
        else:
            self.history.append((self.now, good))
            self.check_opening(after)

    def check_opening(self, after):
        """It opens only with enough failures in the window, and always when they are all recent."""
        recent = [good for at, good in self.history if at > self.now - RULES.window]
        certain = [good for at, good in self.history if at > self.now - RULES.window * 0.8]
        if after == "open":
            assert len(recent) >= RULES.least
            assert recent.count(False) > 0
            self.history.clear()
        elif len(certain) == len(self.history) >= RULES.least and not self.history[-1][1]:
            assert certain.count(False) < RULES.rate * len(certain)

    @precondition(lambda self: True in self.running)
    @rule()
    def probe_leaves(self):
        self.running.remove(True)
        self.circuit.gave_up()

    @invariant()
    def there_is_one_probe_at_most(self):
        assert self.running.count(True) <= 1
        assert self.circuit.probing == (True in self.running)


Histories.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
