"""The store in memory has a bound; and which store is found by which name."""

import math

import pytest

from lynkr_core.stores import Balance, Hold, Journal, KeyValue, Ledger, MemoryStore, Stores
from lynkr_core.stores.counters import Counters

pytestmark = pytest.mark.anyio


class OnlyJournal:
    append, find, query, flush = MemoryStore.append, MemoryStore.find, MemoryStore.query, MemoryStore.flush
    usage = MemoryStore.usage


def values(limit_bytes, clock=lambda: 0.0):
    return MemoryStore(limit_bytes=limit_bytes, clock=clock)


async def test_the_values_used_longest_ago_go_first():
    store = values(3 * 1201)
    for key in "abc":
        await store.set(key, bytes(1000), 60)
    assert await store.get("a") is not None
    await store.set("d", bytes(1000), 60)
    assert [key for key in "abcd" if await store.get(key) is not None] == ["a", "c", "d"]


async def test_a_value_over_the_bound_is_refused_and_nothing_else_goes():
    store = values(5000)
    await store.set("a", b"1", 60)
    with pytest.raises(OSError, match="does not fit"):
        await store.set("b", bytes(5000), 60)
    assert await store.get("a") == b"1"


async def test_what_is_held_is_counted_right():
    now = [0.0]
    store = values(1_000_000, clock=lambda: now[0])
    for key in ("a", "b", "a", "c"):
        await store.set(key, bytes(100), 5 if key == "c" else 60)
    await store.delete("b")
    now[0] = 6.0
    assert (await store.get("c"), await store.get("b")) == (None, None)
    assert store.held_bytes == 1 + 100 + 200
    await store.delete("a")
    assert store.held_bytes == 0


async def test_what_is_kept_for_good_stays_and_has_a_bound_of_its_own():
    store = values(3 * 1201)
    await store.set("a", bytes(1000), math.inf)
    for key in "bcd":
        await store.set(key, bytes(1000), 60)
    assert [key for key in "abcd" if await store.get(key) is not None] == ["a", "c", "d"]
    await store.set("e", bytes(1000), math.inf)
    await store.set("f", bytes(1000), math.inf)
    assert list(await store.scan("")) == ["a", "e", "f"]
    with pytest.raises(OSError, match="does not fit"):
        await store.set("g", b"", math.inf)
    await store.delete("a")
    await store.set("g", b"", 60)
    assert store.held_bytes == 2 * 1201 + 201


async def test_a_ledger_forgets_reservations_and_counters():
    now = [1000.0]
    counters = Counters(clock=lambda: now[0])
    for n in range(10):
        assert counters.hold(f"r{n}", [Hold(f"c{n}", 1, 5, 2000.0), Hold("ever", 1, 50, math.inf)], 10 + n) is None
    assert counters.book("r0", {"c0": 1})
    now[0] = 1015.0
    assert counters.balances("ever") == {"ever": Balance(0, 4)}
    now[0] = 2000.0 + 2 * 86400
    assert counters.balances("") == {"ever": Balance(0, 0)}
    assert counters.book("r5", {"ever": 5}) is False


async def test_stores_are_found_by_name_or_by_what_they_can():
    stores, journal, both = Stores(), OnlyJournal(), MemoryStore()
    assert stores.key_value() is stores.key_value()
    stores.add("journal", journal)
    stores.add("both", both)
    assert (stores.journal(), stores.key_value()) == (journal, both)
    assert stores.key_value("journal") is journal
    assert (isinstance(journal, KeyValue), isinstance(both, Journal)) == (False, True)
    with pytest.raises(KeyError):
        stores.key_value("none")
    assert (stores.ledger() is both, isinstance(journal, Ledger)) == (True, False)
