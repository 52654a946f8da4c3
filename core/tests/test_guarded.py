"""What is let through while a store is slow or down, and what is booked when it is back."""

from __future__ import annotations

import asyncio
import logging
import math

import pytest

from lynkr_core.stores import NOT_NOW, Balance, Bucket, Full, GuardedLedger, GuardedValues, Hold, MemoryStore, OnFailure, guarded

pytestmark = pytest.mark.anyio


class Flaky(MemoryStore):
    """`mood`: up, down or hanging."""

    mood = "up"
    calls = 0

    async def feel(self):
        self.calls += 1
        if self.mood == "down":
            raise ConnectionRefusedError("nobody listens")
        if self.mood == "hanging":
            await asyncio.sleep(3600)

    async def hold(self, *given):
        await self.feel()
        return await super().hold(*given)

    async def book(self, *given):
        await self.feel()
        return await super().book(*given)

    async def renew(self, *given):
        await self.feel()
        return await super().renew(*given)

    async def balances(self, *given, after=""):
        await self.feel()
        return await super().balances(*given, after=after)

    async def take(self, *given):
        await self.feel()
        return await super().take(*given)

    async def get(self, key):
        await self.feel()
        return await super().get(key)


def room(amount, limit=100):
    return [Hold("day", amount, limit, math.inf)]


def guard(store, fail, **more):
    return GuardedLedger(store, OnFailure(fail=fail, **more), "policy.budget")


async def eventually(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def retry_soon(monkeypatch):
    monkeypatch.setattr(guarded, "RETRY_SECONDS", 0.05)


async def test_a_closed_one_refuses_while_the_store_is_down_and_goes_on_after(caplog):
    store = Flaky()
    async with guard(store, "closed") as ledger:
        assert await ledger.hold("a", room(10), 60) is None
        store.mood = "down"
        for number in range(30):
            with pytest.raises(OSError, match=r"policy\.budget is down: nobody listens"):
                await ledger.hold(f"b{number}", room(50), 60)
        assert ledger.try_hold("c", room(1), 60) is NOT_NOW
        assert ledger.status().is_up is False
        assert store.calls < 20
        store.mood = "up"
        await asyncio.sleep(0.1)
        assert await ledger.hold("d", room(50), 60) is None
        assert ledger.status().is_up
    assert [record.levelno for record in caplog.records if "policy.budget" in record.message] == [logging.ERROR, logging.WARNING]


async def test_an_open_one_lets_through_and_books_it_when_the_store_is_back():
    store = Flaky()
    async with guard(store, "open") as ledger:
        store.mood = "down"
        assert await ledger.hold("a", room(10), 60) is None
        assert ledger.try_hold("b", room(500), 60) is None
        assert ledger.try_book("a", {"day": 7}) is True
        assert await ledger.book("b", {"day": 20}) is True
        assert ledger.status().let_through == 2
        store.mood = "up"
        await eventually(lambda: stands(store, Balance(27, 0)))


async def test_an_open_one_books_once_what_was_held_though_no_answer_came():
    store = Flaky()
    async with guard(store, "open") as ledger:
        real = store.hold

        async def unheard(*given):
            await real(*given)
            store.mood = "down"
            raise ConnectionResetError("reset")

        store.hold = unheard
        assert await ledger.hold("a", room(10), 60) is None
        assert ledger.try_book("a", {"day": 7}) is True
        store.mood = "up"
        await eventually(lambda: stands(store, Balance(7, 0)))
    assert await stands(store, Balance(7, 0))


async def stands(store, balance):
    return (await MemoryStore.balances(store, "day")).get("day") == balance


async def test_an_open_one_is_closed_after_its_grace():
    store = Flaky()
    async with guard(store, "open", grace=0.0) as ledger:
        store.mood = "down"
        for _ in range(2):
            with pytest.raises(OSError, match="is down"):
                await ledger.hold("a", room(10), 60)
        assert ledger.status().let_through == 0


async def test_a_local_share_goes_on_with_what_it_was_given_and_no_further():
    store = Flaky()
    async with guard(store, "local-share", part=0.2, grace=60) as ledger:
        for number in range(30):
            assert await ledger.hold(f"a{number}", room(1, 1000), 60) is None
            assert await ledger.book(f"a{number}", {"day": 1})
        store.mood = "down"
        given = await spend(ledger)
        assert 0 < given <= 200
        store.mood = "up"
        await eventually(lambda: stands(store, Balance(30 + given, 0)))


async def spend(ledger):
    """How many attempts are let through before one is not."""
    given = 0
    try:
        while await ledger.hold(f"b{given}", room(1, 1000), 60) is None:
            assert await ledger.book(f"b{given}", {"day": 1})
            given += 1
    except OSError:
        return given
    raise AssertionError("it was refused by the limit")


async def test_a_store_that_hangs_is_down_after_the_deadline():
    store = Flaky()
    async with guard(store, "closed", deadline=0.05) as ledger:
        store.mood = "hanging"
        with pytest.raises(OSError, match=r"no answer within 0\.05 s"):
            await ledger.hold("a", room(10), 60)
        assert ledger.status().error == "no answer within 0.05 s"
        store.mood = "up"


@pytest.mark.parametrize(("before", "call"), [(1, "hold"), (12, "renew")])
async def test_an_answer_that_was_lost_counts_once(before, call):
    store = Flaky()
    async with guard(store, "closed", part=0.0) as ledger:
        for number in range(before):
            assert await ledger.hold(f"a{number}", room(60 // before), 60) is None
        real = getattr(store, call)

        async def unheard(*given):
            await real(*given)
            raise ConnectionResetError("reset")

        setattr(store, call, unheard)
        with pytest.raises(OSError, match="reset"):
            await ledger.hold("b", room(30), 60)
        delattr(store, call)
        await eventually(lambda: holds(ledger, "c", 40))
        assert await ledger.hold("d", room(1), 60) == Full("day", Balance(0, 100))


async def holds(ledger, id, amount):
    try:
        return await ledger.hold(id, room(amount), 60) is None
    except OSError:
        return False


async def test_rates_are_open_or_closed_likewise():
    store = Flaky()
    store.mood = "down"
    async with guard(store, "open") as ledger:
        assert await ledger.take([Bucket("b", 100, 10, 1.0)]) is None
    async with guard(store, "closed") as ledger:
        with pytest.raises(OSError, match="is down"):
            await ledger.take([Bucket("b", 1, 10, 1.0)])


async def test_values_are_known_for_the_grace():
    store = Flaky()
    values = GuardedValues(store, OnFailure(), "auth.keys")
    strict = GuardedValues(store, OnFailure(fail="closed"), "auth.keys")
    await values.set("a", b"1", math.inf)
    assert (await values.get("none"), await strict.get("a")) == (None, b"1")
    store.mood = "down"
    assert (await values.get("a"), await values.get("none")) == (b"1", None)
    with pytest.raises(OSError, match="is down"):
        await values.get("never asked")
    with pytest.raises(OSError, match="is down"):
        await strict.get("a")
