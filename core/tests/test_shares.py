"""A ledger before a ledger does the same as the ledger, and asks it far less often."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.stores import NOT_NOW, Balance, Bucket, Full, Hold, MemoryStore, Shares, direct
from lynkr_core.testing.contracts.ledger import LedgerContract


class Shared(Shares):
    def __init__(self, config, context):
        super().__init__(MemoryStore())


class TestShares(LedgerContract):
    plugin = Plugin(api=1, config=NoConfig, create=Shared)
    shared = False
    exact = False


class Counted(MemoryStore):
    calls = 0

    async def renew(self, *given):
        self.calls += 1
        await asyncio.sleep(0)
        return await super().renew(*given)

    async def take(self, buckets):
        self.calls += 1
        await asyncio.sleep(0)
        return await super().take(buckets)


def room(amount, limit=1000, counter="day"):
    return [Hold(counter, amount, limit, math.inf)]


async def used(store):
    return (await store.balances("day")).get("day", Balance())


@pytest.mark.anyio
async def test_many_attempts_are_a_few_calls():
    store = Counted()
    async with Shares(store) as shares:
        for number in range(2000):
            if shares.try_hold(f"a{number}", room(1, 10_000_000), 60) is NOT_NOW:
                assert await shares.hold(f"a{number}", room(1, 10_000_000), 60) is None
            assert shares.try_book(f"a{number}", {"day": 1}) is True
    assert store.calls < 60
    assert await used(store) == Balance(2000, 0)


@pytest.mark.anyio
async def test_the_last_cent_is_given_out_by_whoever_is_asked():
    store = MemoryStore()
    async with Shares(store) as one, Shares(store) as other:
        for number in range(600):
            shares = (one, other)[number % 2]
            if await shares.hold(f"a{number}", room(2), 60) is None:
                await shares.book(f"a{number}", {"day": 2})
        assert isinstance(await one.hold("over", room(1), 60), Full)
    assert await used(store) == Balance(1000, 0)


@pytest.mark.anyio
async def test_what_nobody_wants_goes_back():
    store = MemoryStore()
    async with Shares(store) as shares:
        for number in range(50):
            await shares.hold(f"a{number}", room(1, 100_000), 60)
            await shares.book(f"a{number}", {"day": 1})
        async with asyncio.timeout(20):
            while await used(store) != Balance(50, 0):
                await asyncio.sleep(0.02)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 30), st.integers(0, 3)), max_size=60))
@settings(max_examples=40, deadline=None)
def test_several_never_spend_more_than_the_limit(attempts):
    async def run():
        store = Counted()
        async with Shares(store, every=0.001, part=0.2) as a, Shares(store, every=0.001, part=0.2) as b, Shares(store) as c:
            spent = await asyncio.gather(*[attempt((a, b, c), number, *given) for number, given in enumerate(attempts)])
        assert await used(store) == Balance(sum(spent), 0)
        assert sum(spent) <= 100

    asyncio.run(run())


async def attempt(shares, number, which, amount, real, pause):
    for _ in range(pause):
        await asyncio.sleep(0.0005)
    if await shares[which].hold(f"a{number}", room(amount, 100), 60) is not None:
        return 0
    await asyncio.sleep(0.0005 * pause)
    assert await shares[which].book(f"a{number}", {"day": min(real, amount)})
    return min(real, amount)


@pytest.mark.anyio
async def test_rates_are_given_out_in_memory_and_never_above_them():
    store = MemoryStore()
    async with Shares(store) as one, Shares(store) as other:
        told = [await (one, other)[number % 2].take([Bucket("b", 1, 100, 1e6)]) for number in range(150)]
        assert told.count(None) == 100


@pytest.mark.anyio
async def test_what_is_never_booked_is_forgotten(monkeypatch):
    monkeypatch.setattr(direct, "LOOK_SECONDS", 0.0)
    async with Shares(MemoryStore()) as shares:
        await shares.hold("a", room(1), 60)
        await shares.flush()
        assert "a" in shares._direct
        shares._local._holding.clear()
        await shares.flush()
        await shares.flush()
        assert "a" not in shares._direct


@pytest.mark.anyio
@pytest.mark.parametrize(("requests", "calls"), [(100, 1), (5, 0)])
async def test_a_bucket_that_many_drink_from_is_filled_before_it_is_empty(requests, calls):
    store, bucket = Counted(), [Bucket("b", 1, 1_000_000, 1e6)]
    shares = Shares(store, every=1000.0)
    for _ in range(requests):
        await shares.take(bucket)
    before = store.calls
    await shares.flush()
    assert store.calls == before + calls
    assert [shares.try_take(bucket) for _ in range(requests * calls)] == [None] * requests * calls
    await shares.__aexit__()
    assert store.calls == before + calls


@pytest.mark.anyio
async def test_those_who_lack_the_same_wait_for_one_who_brings_it():
    store, bucket = Counted(), [Bucket("b", 1, 1_000_000, 1e6)]
    async with Shares(store) as shares:
        for _ in range(50):
            await shares.take(bucket)
        while shares.try_take(bucket) is None:
            pass  # all that was brought is used
        before = store.calls
        assert await asyncio.gather(*[shares.take(bucket) for _ in range(50)]) == [None] * 50
        assert store.calls - before < 5


@pytest.mark.anyio
async def test_who_waits_for_one_that_is_cancelled_asks_too():
    store, bucket = Counted(), [Bucket("b", 1, 1_000_000, 1e6)]
    async with Shares(store) as shares:
        first, *others = [asyncio.ensure_future(shares.take(bucket)) for _ in range(10)]
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.gather(*others) == [None] * 9


class Cut(MemoryStore):
    """Cannot be asked while it `is_cut`; others who share it can."""

    is_cut = False

    async def renew(self, *given):
        return await self._cross(super().renew(*given))

    async def book(self, *given):
        return await self._cross(super().book(*given))

    async def _cross(self, call):
        if self.is_cut:
            call.close()
            raise OSError("the test's network")
        return await call


@pytest.mark.anyio
@pytest.mark.parametrize("forfeit", [True, False])
async def test_what_was_cut_off_for_longer_than_its_lease_is_told_as_it_was_in_the_end(forfeit):
    store, wanted = Cut(), [Hold("day", 10, 1000, math.inf, forfeit)]
    async with Shares(store, lease=0.3) as shares:
        for number in range(10):  # the first ones ask for themselves, the others have a share
            assert await shares.hold(f"a{number}", wanted, 0.3) is None
        held = (await used(store)).held
        assert held >= 100
        store.is_cut = True
        for number in range(10):
            assert shares.try_book(f"a{number}", {"day": 7}) is True
        await asyncio.sleep(0.5)
        assert await used(store) == (Balance(held, 0) if forfeit else Balance(0, 0))
        store.is_cut = False
    assert await used(store) == Balance(70, 0)


@pytest.mark.anyio
async def test_what_was_held_for_an_attempt_that_failed_after_it_goes_back():
    """A hold on one counter is made, and meanwhile somebody else takes the room on the other, for which the store is then asked in vain."""
    store = Cut()
    async with Shares(store, part=0.0, every=0.05) as shares:
        for number in range(6):
            assert await shares.hold(f"a{number}", [Hold("hot", 10, 1000, math.inf)], 60) is None
        shares.try_book("a5", {})
        real = store.hold

        async def meanwhile(*given):
            assert shares.try_hold("other", [Hold("hot", 10, 1000, math.inf)], 60) is None
            store.is_cut = True
            return await real(*given)

        store.hold = meanwhile
        with pytest.raises(OSError, match="network"):
            await shares.hold("b", [Hold("hot", 10, 1000, math.inf), Hold("cold", 10, 1000, math.inf)], 60)
        store.is_cut = False
    assert (await store.balances("cold"))["cold"] == Balance(0, 0)
