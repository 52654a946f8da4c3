"""What every store must keep to, for the protocols it has: `Journal`, and `KeyValue` where `keeps_values`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lynkr_core.stores import Journal, KeyValue, Record
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.waiting import least

UNICODE = "Grüße 👩‍👩‍👧 \u202e\u0000 '\"; DROP TABLE x; --"
BEGAN = float(int(time.time()))
HELD = 0.1
"""Seconds for which a hundred appends may stop the loop, at the best of several tries."""


class StoreContract(Contract):
    """`durable`: a second instance with the same table finds what the first one wrote. `keeps_values`: it is a `KeyValue` too."""

    kind = "store"
    durable: ClassVar[bool] = True
    keeps_values: ClassVar[bool] = True

    @pytest.fixture
    async def store(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Journal]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    @pytest.mark.anyio
    async def test_it_is_a_journal(self, store: Journal) -> None:
        assert isinstance(store, Journal)

    @pytest.mark.anyio
    async def test_an_appended_record_is_found_at_once(self, store: Journal) -> None:
        store.append(record(1))
        assert await store.find("r1") == record(1)

    @pytest.mark.anyio
    async def test_a_flushed_record_is_found_as_it_was(self, store: Journal) -> None:
        nested = record(1) | {"usage": {"in": 3, "cost": None}, "tags": ["a", 2.5, True], UNICODE: UNICODE}
        store.append(nested)
        await store.flush()
        assert await store.find("r1") == nested

    @pytest.mark.anyio
    async def test_an_unknown_id_is_none(self, store: Journal) -> None:
        store.append(record(1))
        for id in ("r2", "", UNICODE, "r1 ", "%"):
            assert await store.find(id) is None

    @pytest.mark.anyio
    async def test_a_query_gives_the_newest_first(self, store: Journal) -> None:
        for number in range(5):
            store.append(record(number))
        assert ids(await store.query()) == ["r4", "r3", "r2", "r1", "r0"]
        await store.flush()
        assert ids(await store.query()) == ["r4", "r3", "r2", "r1", "r0"]

    @pytest.mark.anyio
    async def test_a_query_since_a_time_includes_it(self, store: Journal) -> None:
        for number in range(5):
            store.append(record(number))
        assert ids(await store.query(since=record(3)["created"])) == ["r4", "r3"]
        assert ids(await store.query(since=record(4)["created"] + 0.5)) == []

    @pytest.mark.anyio
    async def test_a_query_until_a_time_includes_it(self, store: Journal) -> None:
        for number in range(5):
            store.append(record(number))
        assert ids(await store.query(until=record(1)["created"])) == ["r1", "r0"]
        await store.flush()
        assert ids(await store.query(until=record(3)["created"], limit=2)) == ["r3", "r2"]
        assert ids(await store.query(since=record(2)["created"], until=record(3)["created"])) == ["r3", "r2"]

    @pytest.mark.anyio
    async def test_a_query_gives_no_more_than_its_limit(self, store: Journal) -> None:
        for number in range(5):
            store.append(record(number))
        assert ids(await store.query(limit=2)) == ["r4", "r3"]
        assert ids(await store.query(since=record(1)["created"], limit=3)) == ["r4", "r3", "r2"]

    @pytest.mark.anyio
    async def test_an_empty_journal_answers(self, store: Journal) -> None:
        await store.flush()
        assert (await store.find("r1"), ids(await store.query())) == (None, [])
        assert (list(await store.usage()), list(await store.usage(["model"]))) == ([], [])

    @pytest.mark.anyio
    async def test_a_thousand_records_are_all_there_after_a_flush(self, store: Journal) -> None:
        for number in range(1000):
            store.append(record(number))
        await store.flush()
        assert ids(await store.query(limit=1000)) == [f"r{number}" for number in reversed(range(1000))]

    @pytest.mark.anyio
    async def test_appending_does_not_hold_the_loop_up(self, store: Journal) -> None:
        async def stood_still() -> float:
            async with Gap() as gap:
                for number in range(100):
                    store.append(record(number))
            return gap.longest

        seconds = await least(stood_still, HELD)
        assert seconds <= HELD, f"a hundred appends held the loop up for {seconds:.2f} s or more, each time"

    @pytest.mark.anyio
    async def test_a_new_instance_finds_what_was_written(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this store forgets")
        async with factories.running(self.make(tmp_path)) as first:
            first.append(record(1))
        async with factories.running(self.make(tmp_path)) as second:
            assert await second.find("r1") == record(1)

    @pytest.fixture
    async def values(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[KeyValue]:
        if not self.keeps_values:
            pytest.skip("this store keeps no values")
        async with factories.running(self.make(tmp_path)) as instance:
            assert isinstance(instance, KeyValue)
            yield instance

    @pytest.mark.anyio
    async def test_a_value_is_read_as_it_was_set(self, values: KeyValue) -> None:
        for key, value in (("a", b"\x00\xff" * 9), ("b", b""), (UNICODE, UNICODE.encode()), ("large", bytes(1_000_000))):
            await values.set(key, value, 60)
            assert await values.get(key) == value

    @pytest.mark.anyio
    async def test_a_value_is_replaced_and_deleted(self, values: KeyValue) -> None:
        await values.set("a", b"1", 60)
        await values.set("a", b"2", 60)
        assert await values.get("a") == b"2"
        await values.delete("a")
        await values.delete("never set")
        assert await values.get("a") is None

    @pytest.mark.anyio
    async def test_an_unknown_key_has_no_value(self, values: KeyValue) -> None:
        await values.set("key", b"1", 60)
        for key in ("ke", "key ", "KEY", "%", "", UNICODE):
            assert await values.get(key) is None

    @pytest.mark.anyio
    async def test_a_value_is_gone_when_its_time_is_over(self, values: KeyValue) -> None:
        await values.set("short", b"1", 0.05)
        await values.set("long", b"2", 600)
        await values.set("lengthened", b"3", 0.05)
        await values.set("lengthened", b"4", 600)
        await asyncio.sleep(0.1)
        assert [await values.get(key) for key in ("short", "long", "lengthened")] == [None, b"2", b"4"]

    @pytest.mark.anyio
    async def test_values_are_listed_by_the_beginning_of_their_keys(self, values: KeyValue) -> None:
        for key in ("p/b", "p/a", "p%", "P/c", "q/p/a"):
            await values.set(key, key.encode(), 60)
        await values.set("p/c", b"short", 0.05)
        await asyncio.sleep(0.1)
        assert list((await values.scan("p/")).items()) == [("p/a", b"p/a"), ("p/b", b"p/b")]
        assert await values.scan("p/", limit=1) == {"p/a": b"p/a"}
        assert await values.scan("p_") == {}

    @pytest.mark.anyio
    async def test_values_are_listed_in_pages_and_those_kept_for_good_alone(self, values: KeyValue) -> None:
        keys = [f"p/{letter}" for letter in "aBz\u00e4\uffff\U0001f600"]
        for number, key in enumerate(keys):
            await values.set(key, b"1", math.inf if number % 2 else 60)
        read: list[str] = []
        while page := await values.scan("p/", limit=4, after=read[-1] if read else ""):
            read += page
        assert read == sorted(keys)
        assert list(await values.scan("p/", lasting=True)) == sorted(keys[1::2])

    @pytest.mark.anyio
    async def test_a_value_can_be_kept_for_good_and_forgotten(self, values: KeyValue) -> None:
        await values.set("a", b"1", math.inf)
        await values.set("b", b"2", 60)
        await values.set("b", b"3", math.inf)
        assert await values.scan("") == {"a": b"1", "b": b"3"}
        await values.set("a", b"4", 0.05)
        await values.delete("b")
        await asyncio.sleep(0.1)
        assert (await values.get("a"), await values.get("b")) == (None, None)

    @pytest.mark.anyio
    async def test_many_values_at_once_do_not_mix(self, values: KeyValue) -> None:
        await asyncio.gather(*[values.set(f"k{n}", b"%d" % n, 60) for n in range(200)])
        assert await asyncio.gather(*[values.get(f"k{n}") for n in range(200)]) == [b"%d" % n for n in range(200)]

    @pytest.mark.anyio
    async def test_what_is_being_set_is_read_already(self, values: KeyValue) -> None:
        setting = asyncio.ensure_future(values.set("a", b"1", 60))
        await asyncio.sleep(0)
        assert await values.get("a") == b"1"
        await setting

    @pytest.mark.anyio
    async def test_another_instance_reads_what_was_set(self, tmp_path: Path) -> None:
        if not (self.durable and self.keeps_values):
            pytest.skip("this store forgets")
        async with factories.running(self.make(tmp_path)) as first, factories.running(self.make(tmp_path)) as second:
            await first.set("a", b"1", 60)
            assert await second.get("a") == b"1"
            await second.delete("a")
            assert await first.get("a") is None


def record(number: int) -> dict[str, Any]:
    """Records are a second apart, and new enough for a store that forgets what is old."""
    return {"id": f"r{number}", "created": BEGAN + number, "model": "local/llama", "text": UNICODE}


def ids(records: Any) -> list[str]:
    found: list[Record] = list(records)
    return [record["id"] for record in found]
