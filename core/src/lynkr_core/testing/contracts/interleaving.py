"""Any course of calls, some at once, on two instances of a ledger: what they answer is what the one in memory could have answered."""

from __future__ import annotations

import asyncio
import copy
import itertools
import math
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lynkr_core.stores import Balance, Full, Hold, Ledger
from lynkr_core.stores.counters import Counters
from lynkr_core.testing import factories

IDS = st.sampled_from([f"id{number}" for number in range(6)])
NAMES = ("day", "hour", "team")
LIMITS = {"day": 100, "hour": 40, "team": 70}
FORFEIT = ("day",)
AMOUNTS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 45), min_size=1)
LEASES = st.sampled_from([600.0, 600.0, 600.0, 0.0])
CALLS = st.one_of(
    st.tuples(st.just("hold"), IDS, AMOUNTS, LEASES),
    st.tuples(st.just("book"), IDS, AMOUNTS),
    st.tuples(st.just("extend"), IDS, LEASES),
    st.tuples(st.just("renew"), IDS, AMOUNTS, IDS, AMOUNTS, st.just(600.0)),
)
"""A lease of no time is over at once, so that no test has to wait for one."""
Call = tuple[Any, ...]


class Courses(RuleBasedStateMachine):
    """`open_ledger` gives an instance that counts on the same counters as the others; `count` of them are used. `exact`: whether calls
    are tried that run at the same time, that renew, and that book more than was held, and whether it matters which full counter is named.
    """

    open_ledger: Callable[..., Any]
    count = 2
    exact = True

    def __init__(self) -> None:
        super().__init__()
        self.begins = uuid.uuid4().hex
        self.models = [Counters(lambda: 0.0)]  # several, where different orders explain what was told
        self.runner = asyncio.Runner()
        self.open = AsyncExitStack()
        self.ledgers = [self.runner.run(self.enter()) for _ in range(self.count)]

    async def enter(self) -> Ledger:
        return await self.open.enter_async_context(factories.running(self.open_ledger()))

    @rule(call=CALLS, which=st.integers(0, 1))
    def one(self, call: Call, which: int) -> None:
        """One call on one of the instances."""
        self.matches([call], [which])

    @precondition(lambda self: self.exact)
    @rule(calls=st.lists(st.tuples(CALLS, st.integers(0, 1)), min_size=2, max_size=4))
    def several(self, calls: list[tuple[Call, int]]) -> None:
        """Calls at once: some order of them explains what all were told."""
        self.matches([call for call, _ in calls], [which for _, which in calls])

    @precondition(lambda self: self.count > 1)
    @rule(which=st.integers(0, 1))
    def crash(self, which: int) -> None:
        """An instance is left as it is, with all that it held, and another one begins."""
        self.ledgers[which] = self.runner.run(self.enter())

    def matches(self, calls: list[Call], which: list[int]) -> None:
        """What all were told and what the counters stand at afterwards is what some order of the calls makes of a model."""
        calls = calls if self.exact else [modest(call) for call in calls]
        told = self.runner.run(self.gather(calls, which)), self.standing(self.runner.run(self.ledgers[0].balances(self.begins)))
        fitting: dict[str, Counters] = {}
        expected: Any = None
        for start in self.models:
            for order in itertools.permutations(range(len(calls))):
                model = copy.deepcopy(start)
                answers: dict[int, Any] = {index: self.call(model, calls[index]) for index in order}
                expected = [answers[index] for index in range(len(calls))], self.standing(model.balances(self.begins))
                if expected == told or (not self.exact and roughly(expected) == roughly(told)):
                    fitting.setdefault(leases(model), model)
        assert fitting, f"{calls} were told {told}, and no order of them explains it, the last one not for {expected}"
        self.models = list(fitting.values())

    def standing(self, balances: Mapping[str, Balance]) -> dict[str, Balance]:
        return {name: balance for name, balance in balances.items() if balance != Balance()}

    async def gather(self, calls: list[Call], which: list[int]) -> list[Any]:
        ledgers = [self.ledgers[index % self.count] for index in which]
        return await asyncio.gather(*[self.call(ledger, call) for ledger, call in zip(ledgers, calls, strict=True)])

    def call(self, ledger: Any, call: Call) -> Any:
        """A call as the ledger has it, on counters of this course alone."""
        kind, id, *rest = call
        arguments: list[Any] = [self.begins + id]
        if kind == "hold":
            arguments += [self.holds(rest[0]), rest[1]]
        elif kind == "book":
            arguments += [self.amounts(rest[0])]
        elif kind == "extend":
            arguments += rest
        else:
            new = self.begins + rest[1] + ("-new" if rest[1] == id else "")
            arguments += [self.amounts(rest[0]), new, self.holds(rest[2]), rest[3]]
        return getattr(ledger, kind)(*arguments)

    def holds(self, amounts: Mapping[str, int]) -> list[Hold]:
        return [
            Hold(f"{self.begins}/{name}", amounts[name], LIMITS[name], math.inf, forfeit=name in FORFEIT)
            for name in NAMES
            if name in amounts
        ]

    def amounts(self, amounts: Mapping[str, int]) -> dict[str, int]:
        return {f"{self.begins}/{name}": amount for name, amount in amounts.items()}

    def teardown(self) -> None:
        self.runner.run(self.open.aclose())
        self.runner.close()


def modest(call: Call) -> Call:
    """The call, or one that books no more than was held for it."""
    kind, id, *rest = call
    return call if kind in ("hold", "extend") else ("book", id, {name: amount // 45 for name, amount in rest[0].items()})


def roughly(told: tuple[list[Any], dict[str, Balance]]) -> tuple[list[Any], dict[str, Balance]]:
    """Without saying which of several counters is the full one."""
    return ["full" if isinstance(answer, Full) else answer for answer in told[0]], told[1]


def leases(model: Counters) -> str:
    """What two models differ in that stand alike."""
    held: Mapping[str, Any] = vars(model)["_holding"]
    return repr(sorted((id, one.lapsed, one.ends, one.holds) for id, one in held.items()))


def run(make: Callable[[Path], Any], directory: Path, *, count: int, examples: int, steps: int = 25, exact: bool = True) -> None:
    """Tries so many courses of so many steps. Raises `AssertionError` with the shortest one that goes wrong."""

    def open_ledger(_: Courses) -> Any:
        return make(directory)

    machine = type("AnyCourse", (Courses,), {"open_ledger": open_ledger, "count": count, "exact": exact})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(machine, settings=chosen)
