"""The gate: what holds whoever comes, gives up and leaves."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lynkr_policy_concurrency.gate import Gate


class Someone:
    def __init__(self, priority=0):
        self.priority = priority
        self.state = ""

    def admitted(self):
        assert self.state == "waits"
        self.state = "in"

    def refused(self):
        assert self.state == "waits"
        self.state = "refused"


def test_a_newcomer_of_higher_priority_drives_out_the_last():
    gate = Gate(1, 2)
    people = [Someone(priority) for priority in (0, 1, 0, 0, 2)]
    for person in people:
        person.state = gate.enter(person)
    assert [person.state for person in people] == ["in", "waits", "refused", "full", "waits"]
    gate.release()
    assert people[4].state == "in"


class Crowds(RuleBasedStateMachine):
    """Never more than the limit inside, never more than the queue in line, nobody forgotten, the most important first."""

    def __init__(self):
        super().__init__()
        self.gate = Gate(3, 4)
        self.people: list[Someone] = []

    def those(self, state):
        return [person for person in self.people if person.state == state]

    @rule(priority=st.integers(-2, 2))
    def enter(self, priority):
        newcomer = Someone(priority)
        waiting = self.those("waits")
        newcomer.state = self.gate.enter(newcomer)
        self.people.append(newcomer)
        if newcomer.state == "full":
            assert len(waiting) == 4
            assert all(person.priority >= priority for person in waiting)

    @precondition(lambda self: self.those("in"))
    @rule(data=st.data())
    def release(self, data):
        waiting = self.those("waits")
        data.draw(st.sampled_from(self.those("in"))).state = "gone"
        self.gate.release()
        if waiting:
            best = max(person.priority for person in waiting)
            first = next(person for person in waiting if person.priority == best)
            assert first.state == "in"

    @precondition(lambda self: self.those("waits"))
    @rule(data=st.data())
    def give_up(self, data):
        person = data.draw(st.sampled_from(self.those("waits")))
        self.gate.leave(person)
        person.state = "gone"

    @invariant()
    def the_counts_are_right(self):
        assert self.gate.active == len(self.those("in")) <= 3
        assert self.gate.waiting == len(self.those("waits")) <= 4

    @invariant()
    def nobody_waits_before_a_free_place(self):
        assert not self.those("waits") or self.gate.active == 3


Crowds.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestCrowds = Crowds.TestCase
