"""What every policy must keep to."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, ClassVar, get_args

import msgspec
import pytest

from lynkr_core.errors import KINDS, UpstreamError
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Reject, Reply, Reservation, Selection, Status, Verdict
from lynkr_core.testing import factories
from lynkr_core.testing.calls import call, hooks_of
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.base import Contract

MANY = 3000
"""Exchanges after which a policy that forgets to give something back refuses, or has grown slow."""
SLOW = 10.0
"""Seconds of the processor."""


class PolicyContract(Contract):
    """A policy that refuses everything with its smallest `table` cannot be tested so: give it one that admits."""

    kind = "policy"
    dialect: ClassVar[str] = "openai.chat"

    @pytest.fixture
    async def policy(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Any]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    def exchange(self) -> Exchange:
        """A new one, its candidates selected."""
        headers = {"authorization": f"Bearer {samples.SECRET}", "x-api-key": samples.SECRET}
        served = factories.candidates()
        made = factories.exchange(samples.request(self.dialect, "hello"), dialect=self.dialect, headers=headers, served=served)
        made.selection = Selection(order=tuple(served))
        return made

    async def run(self, policy: Any, exchange: Exchange, candidate: Candidate, status: Status) -> object:
        """One exchange with one attempt, as the kernel makes it. Gives the first refusal, if there is one."""
        answer = await self.ask(policy, "pre_route", exchange)
        if answer is None:
            answer = await self.attempt(policy, exchange, candidate, status)
        await self.ask(policy, "post_response", exchange, factories.outcome(status, chosen=candidate))
        return answer

    async def attempt(self, policy: Any, exchange: Exchange, candidate: Candidate, status: Status) -> object:
        made = Attempt(candidate)
        answer = await self.ask(policy, "reserve", exchange, candidate)
        if isinstance(answer, Reject):
            return answer
        exchange.attempts.append(made)
        if isinstance(answer, Reservation):
            await self.ask(policy, "settle", answer, Outcome(status=status, http_status=200, candidate=candidate))
        return None

    async def ask(self, policy: Any, hook: str, *args: Any) -> Any:
        return await call(policy, hook, *args) if hook in hooks_of(policy) else None

    @pytest.mark.anyio
    async def test_its_answers_are_those_of_its_hooks(self, policy: Any) -> None:
        exchange = self.exchange()
        assert isinstance(await self.ask(policy, "pre_route", exchange), Reply | Reject | None)
        for candidate in exchange.candidates:
            assert isinstance(await self.ask(policy, "reserve", exchange, candidate), Reservation | Reject | None)
            for kind in KINDS:
                verdict = await self.ask(policy, "attempt_failed", exchange, candidate, UpstreamError(kind, "the test's"))
                assert isinstance(verdict, Verdict | None)

    @pytest.mark.anyio
    async def test_what_is_reserved_is_given_back(self, policy: Any) -> None:
        began = time.process_time()
        statuses: Sequence[Status] = [status for status in get_args(Status) if status not in ("error", "cut")]
        for number in range(MANY):
            exchange = self.exchange()
            status = statuses[number % len(statuses)]
            answer = await self.run(policy, exchange, exchange.candidates[0], status)
            assert answer is None, f"exchange {number} was refused: {answer}"
        assert time.process_time() - began < SLOW

    @pytest.mark.anyio
    async def test_a_dry_run_takes_nothing(self, policy: Any) -> None:
        """Nothing is settled after it, and nobody is told that it is over."""
        for number in range(MANY):
            exchange = self.exchange()
            exchange.dry_run = True
            assert not isinstance(await self.ask(policy, "pre_route", exchange), Reject), f"dry run {number} was refused"

    @pytest.mark.anyio
    async def test_failures_of_every_status_are_taken(self, policy: Any) -> None:
        for status in get_args(Status):
            for candidate in self.exchange().candidates:
                await self.run(policy, self.exchange(), candidate, status)

    @pytest.mark.anyio
    async def test_its_status_may_be_read_by_anybody(self, policy: Any) -> None:
        exchange = self.exchange()
        for candidate in exchange.candidates * 10:
            await self.run(policy, exchange, candidate, "cut")
        if hasattr(policy, "status"):
            assert samples.SECRET.encode() not in msgspec.json.encode(policy.status())
