"""What every `Ledger` must keep to: nothing is overdrawn, nothing leaks, all happens once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

import pytest

from lynkr_core.stores import Balance, Bucket, Full, Hold, Ledger
from lynkr_core.testing import factories
from lynkr_core.testing.contracts import killing
from lynkr_core.testing.contracts.base import Contract

DAY, HOUR = "budget/team:ä/day/2026-11-21/usd", "budget/team:ä/hour/2026-11-21T10/usd"


class LedgerContract(Contract):
    """`shared`: a second instance with the same table counts on the same counters, in other processes too."""

    kind = "store"
    shared: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    """Whether it is the ledger itself: has `renew`, does calls at once in some order, counts at once what is used beyond a hold."""
    examples: ClassVar[int] = 25
    """How many courses of calls are tried."""

    @pytest.fixture
    async def ledger(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Ledger]:
        async with factories.running(self.make(tmp_path)) as instance:
            assert isinstance(instance, Ledger) or not self.exact
            yield instance

    @pytest.mark.anyio
    async def test_what_is_set_aside_is_held_until_it_is_booked(self, ledger: Ledger) -> None:
        assert await ledger.hold("a", [room(DAY, 60), room(HOUR, 60)], 60) is None
        assert await ledger.balances("budget/") == {DAY: Balance(0, 60), HOUR: Balance(0, 60)}
        assert await ledger.book("a", {DAY: 25, HOUR: 20}) is True
        assert await ledger.balances("budget/") == {DAY: Balance(25, 0), HOUR: Balance(20, 0)}

    @pytest.mark.anyio
    async def test_a_limit_may_be_reached_and_not_passed(self, ledger: Ledger) -> None:
        assert await ledger.hold("a", [room(DAY, 60)], 60) is None
        assert await ledger.hold("b", [room(DAY, 41)], 60) == Full(DAY, Balance(0, 60))
        assert await ledger.hold("c", [room(DAY, 40)], 60) is None
        assert await ledger.balances(DAY) == {DAY: Balance(0, 100)}

    @pytest.mark.anyio
    async def test_all_or_none_is_held(self, ledger: Ledger) -> None:
        assert await ledger.hold("a", [room(HOUR, 90)], 60) is None
        full = await ledger.hold("b", [room(DAY, 20), room(HOUR, 20)], 60)
        assert full == Full(HOUR, Balance(0, 90))
        assert (await ledger.balances("budget/")).get(DAY, Balance()) == Balance()
        assert await ledger.book("b", {DAY: 20}) is False

    @pytest.mark.anyio
    async def test_it_is_booked_once(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60)], 60)
        assert sorted(await asyncio.gather(*[ledger.book("a", {DAY: 30}) for _ in range(8)])) == [False] * 7 + [True]
        assert await ledger.book("never held", {DAY: 30}) is False
        assert await ledger.balances(DAY) == {DAY: Balance(30, 0)}

    @pytest.mark.anyio
    async def test_to_hold_the_same_again_changes_nothing(self, ledger: Ledger) -> None:
        for _ in range(3):
            assert await ledger.hold("a", [room(DAY, 60)], 60) is None
        assert await ledger.balances(DAY) == {DAY: Balance(0, 60)}

    @pytest.mark.anyio
    async def test_what_was_really_used_is_booked_though_it_passes_the_limit(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60)], 60)
        await ledger.book("a", {DAY: 130})
        assert await ledger.balances(DAY) == {DAY: Balance(130, 0)}
        assert await ledger.hold("b", [room(DAY, 1)], 60) == Full(DAY, Balance(130, 0))

    @pytest.mark.anyio
    async def test_a_counter_that_is_left_out_books_nothing(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60), room(HOUR, 60)], 60)
        await ledger.book("a", {HOUR: 5})
        assert await ledger.balances("budget/") == {DAY: Balance(0, 0), HOUR: Balance(5, 0)}

    @pytest.mark.anyio
    async def test_a_lease_that_is_over_gives_back_and_is_booked_all_the_same(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60)], 0.05)
        await asyncio.sleep(0.2)
        assert await ledger.hold("b", [room(DAY, 100)], 60) is None
        assert await ledger.extend("a", 60) is False
        assert [await ledger.book("a", {DAY: 7}) for _ in range(2)] == [True, False]
        assert await ledger.balances(DAY) == {DAY: Balance(7, 100)}

    @pytest.mark.anyio
    async def test_what_is_forfeit_is_used_once_its_lease_is_over_until_it_is_booked(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60, forfeit=True), room(HOUR, 60)], 0.05)
        await asyncio.sleep(0.2)
        assert await ledger.hold("b", [room(DAY, 41)], 60) == Full(DAY, Balance(60, 0))
        assert await ledger.hold("c", [room(DAY, 40), room(HOUR, 100)], 60) is None
        assert await ledger.extend("a", 60) is False
        assert await ledger.balances("budget/") == {DAY: Balance(60, 40), HOUR: Balance(0, 100)}
        assert [await ledger.book("a", {DAY: 7, HOUR: 5}) for _ in range(2)] == [True, False]
        assert await ledger.balances("budget/") == {DAY: Balance(7, 40), HOUR: Balance(5, 100)}

    @pytest.mark.anyio
    async def test_a_lease_can_be_made_longer(self, ledger: Ledger) -> None:
        await ledger.hold("a", [room(DAY, 60)], 2.0)
        assert await ledger.extend("a", 600) is True
        await asyncio.sleep(2.2)
        assert await ledger.balances(DAY) == {DAY: Balance(0, 60)}
        assert await ledger.extend("never held", 600) is False

    @pytest.mark.anyio
    async def test_many_at_once_never_pass_the_limit(self, ledger: Ledger) -> None:
        told = await asyncio.gather(*[ledger.hold(f"r{n}", [room(DAY, 7), room(HOUR, 3)], 60) for n in range(200)])
        assert told.count(None) == 100 // 7
        assert await ledger.balances("budget/") == {DAY: Balance(0, 98), HOUR: Balance(0, 42)}

    @pytest.mark.anyio
    async def test_numbers_are_whole_and_large(self, ledger: Ledger) -> None:
        much = 9_000_000 * 1_000_000_000 + 1  # nine million dollars in nano-dollars
        assert await ledger.hold("a", [Hold(DAY, much, much, math.inf)], 60) is None
        await ledger.book("a", {DAY: much})
        assert await ledger.balances(DAY) == {DAY: Balance(much, 0)}

    @pytest.mark.anyio
    async def test_balances_are_told_by_the_beginning_of_their_names(self, ledger: Ledger) -> None:
        for name in ("p/b", "p/a", "p%", "P/c", "q/p/a"):
            await ledger.hold(name, [room(name, 1)], 60)
        assert list(await ledger.balances("p/")) == ["p/a", "p/b"]
        assert list(await ledger.balances("p/", limit=1)) == ["p/a"]
        assert await ledger.balances("p_") == {}

    @pytest.mark.anyio
    async def test_balances_are_read_in_pages(self, ledger: Ledger) -> None:
        names = [f"p/{letter}" for letter in "aBz\u00e4\uffff\U0001f600"]
        for name in names:
            await ledger.hold(name, [room(name, 1)], 60)
        read: list[str] = []
        while page := await ledger.balances("p/", limit=4, after=read[-1] if read else ""):
            read += page
        assert read == sorted(names)

    @pytest.mark.anyio
    async def test_windows_are_told_as_they_were_given_first(self, ledger: Ledger) -> None:
        ends = time.time() + 3600
        await ledger.hold("a", [Hold("p/hour", 1, 10, ends), Hold("p/total", 1, 10, math.inf)], 60)
        await ledger.hold("b", [Hold("p/hour", 1, 10, ends + 5)], 60)
        told = await ledger.windows("p/")
        assert (round(told["p/hour"] - ends, 3), told["p/total"]) == (0.0, math.inf)
        assert list(await ledger.windows("p/", limit=1, after="p/hour")) == ["p/total"]

    @pytest.mark.anyio
    async def test_to_renew_books_the_old_and_holds_the_new(self, ledger: Ledger) -> None:
        self.needs_renew()
        await ledger.hold("a", [room(DAY, 60), room(HOUR, 60)], 60)
        assert await ledger.renew("a", {DAY: 25}, "b", [room(DAY, 75)], 60) == {DAY: Balance(25, 75)}
        assert await ledger.balances("budget/") == {DAY: Balance(25, 75), HOUR: Balance(0, 0)}
        assert await ledger.book("a", {DAY: 1}) is False
        assert await ledger.book("b", {DAY: 70}) is True

    @pytest.mark.anyio
    async def test_to_renew_without_room_changes_nothing(self, ledger: Ledger) -> None:
        self.needs_renew()
        await ledger.hold("a", [room(DAY, 60)], 60)
        await ledger.hold("b", [room(DAY, 30)], 60)
        assert await ledger.renew("a", {DAY: 25}, "c", [room(HOUR, 1), room(DAY, 46)], 60) == Full(DAY, Balance(25, 30))
        assert (await ledger.balances("budget/")).get(DAY) == Balance(0, 90)
        assert await ledger.book("c", {}) is False

    @pytest.mark.anyio
    async def test_to_renew_again_changes_nothing(self, ledger: Ledger) -> None:
        self.needs_renew()
        await ledger.hold("a", [room(DAY, 60)], 60)
        for _ in range(3):
            assert await ledger.renew("a", {DAY: 25}, "b", [room(DAY, 50)], 60) == {DAY: Balance(25, 50)}
        assert await ledger.renew("never held", {DAY: 25}, "c", [room(DAY, 25)], 60) == {DAY: Balance(25, 75)}

    @pytest.mark.anyio
    async def test_what_lapsed_is_renewed_as_far_as_there_is_room(self, ledger: Ledger) -> None:
        self.needs_renew()
        await ledger.hold("a", [room(DAY, 60)], 60)
        assert await ledger.extend("a", 0) is True
        await ledger.hold("b", [room(DAY, 50)], 60)
        assert await ledger.renew("a", {DAY: 30}, "c", [room(DAY, 30)], 60) == Full(DAY, Balance(30, 50))
        assert await ledger.renew("a", {DAY: 30}, "c", [room(DAY, 20)], 60) == {DAY: Balance(30, 70)}

    @pytest.mark.anyio
    async def test_what_was_forfeit_is_renewed_by_what_was_used(self, ledger: Ledger) -> None:
        self.needs_renew()
        await ledger.hold("a", [room(DAY, 60, forfeit=True)], 60)
        assert await ledger.extend("a", 0) is True
        assert await ledger.renew("a", {DAY: 30}, "b", [room(DAY, 71)], 60) == Full(DAY, Balance(30, 0))
        assert await ledger.balances(DAY) == {DAY: Balance(60, 0)}
        assert await ledger.renew("a", {DAY: 30}, "b", [room(DAY, 70)], 60) == {DAY: Balance(30, 70)}

    @pytest.mark.anyio
    async def test_counters_are_forgotten_a_day_after_their_window(self, ledger: Ledger) -> None:
        for name, until in (("p/old", time.time() - 2 * 86400), ("p/ends", time.time() + 60), ("p/never", math.inf)):
            await ledger.hold(name, [Hold(name, 1, 5, until)], 60)
            await ledger.book(name, {name: 1})
        assert list(await ledger.balances("p/")) == ["p/ends", "p/never"]

    @pytest.mark.anyio
    async def test_a_bucket_gives_what_it_holds_and_says_when_there_is_more(self, ledger: Ledger) -> None:
        assert await ledger.take([Bucket("b", 8, 10, 1000.0)]) is None
        wait = await ledger.take([Bucket("b", 4, 10, 1000.0)])
        assert wait is not None
        assert (wait.bucket, round(wait.seconds / 10)) == ("b", 20)
        assert await ledger.take([Bucket("b", 2, 10, 1000.0)]) is None

    @pytest.mark.anyio
    async def test_a_bucket_fills_again(self, ledger: Ledger) -> None:
        assert await ledger.take([Bucket("b", 10, 10, 4.0)]) is None
        wait = await ledger.take([Bucket("b", 5, 10, 4.0)])
        assert wait is not None
        await asyncio.sleep(wait.seconds + 0.01)
        assert await ledger.take([Bucket("b", 5, 10, 4.0)]) is None

    @pytest.mark.anyio
    async def test_all_buckets_give_or_none(self, ledger: Ledger) -> None:
        await ledger.take([Bucket("b", 9, 10, 1000.0)])
        wait = await ledger.take([Bucket("a", 5, 10, 1000.0), Bucket("b", 5, 10, 1000.0)])
        assert wait is not None
        assert wait.bucket == "b"
        assert await ledger.take([Bucket("a", 10, 10, 1000.0)]) is None

    @pytest.mark.anyio
    async def test_more_than_a_bucket_holds_never_comes(self, ledger: Ledger) -> None:
        wait = await ledger.take([Bucket("b", 11, 10, 1.0)])
        assert wait is not None
        assert wait.seconds == math.inf

    @pytest.mark.anyio
    async def test_what_was_not_needed_is_put_back_and_what_was_is_taken(self, ledger: Ledger) -> None:
        await ledger.take([Bucket("b", 10, 10, 1000.0)])
        await ledger.give([Bucket("b", 6, 10, 1000.0)])
        assert await ledger.take([Bucket("b", 6, 10, 1000.0)]) is None
        await ledger.give([Bucket("b", -5, 10, 1000.0)])
        wait = await ledger.take([Bucket("b", 1, 10, 1000.0)])
        assert wait is not None
        assert round(wait.seconds / 10) == 60

    @pytest.mark.anyio
    async def test_a_full_bucket_takes_nothing_back(self, ledger: Ledger) -> None:
        await ledger.take([Bucket("b", 1, 10, 1000.0)])
        await ledger.give([Bucket("b", 9, 10, 1000.0)])
        assert await ledger.take([Bucket("b", 10, 10, 1000.0)]) is None
        assert await ledger.take([Bucket("b", 1, 10, 1000.0)]) is not None

    @pytest.mark.anyio
    async def test_two_instances_count_together(self, tmp_path: Path) -> None:
        if not self.shared:
            pytest.skip("this store is for one process")
        async with factories.running(self.make(tmp_path)) as first, factories.running(self.make(tmp_path)) as second:
            calls = [(first, second)[n % 2].hold(f"r{n}", [room(DAY, 7)], 60) for n in range(60)]
            assert (await asyncio.gather(*calls)).count(None) == 100 // 7
            assert await first.balances(DAY) == await second.balances(DAY) == {DAY: Balance(0, 98)}
            assert await first.take([Bucket("b", 10, 10, 1000.0)]) is None
            assert await second.take([Bucket("b", 1, 10, 1000.0)]) is not None

    def test_any_course_of_calls_is_explained_by_the_ledger_in_memory(self, tmp_path: Path) -> None:
        pytest.importorskip("hypothesis")
        from lynkr_core.testing.contracts import interleaving

        interleaving.run(self.make, tmp_path, count=2 if self.shared else 1, examples=self.examples, exact=self.exact)

    @pytest.mark.parametrize("shares", [False, True])
    def test_killed_processes_neither_overspend_nor_hold_for_ever(self, tmp_path: Path, shares: bool) -> None:
        if not self.shared:
            pytest.skip("this store is for one process")
        module = type(self).plugin.create.__module__.partition(".")[0]
        killing.run(self.make, tmp_path, module, self.make_table(tmp_path), DAY, shares=shares)

    def needs_renew(self) -> None:
        if not self.exact:
            pytest.skip("this ledger has no renew")


def room(counter: str, amount: int, *, forfeit: bool = False) -> Hold:
    return Hold(counter, amount, 100, math.inf, forfeit)
