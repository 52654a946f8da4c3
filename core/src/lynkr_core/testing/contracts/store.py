"""What every store must keep to, for the protocols it has: here `Journal`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lynkr_core.stores import Journal, Record
from lynkr_core.testing import factories
from lynkr_core.testing.calls import Gap
from lynkr_core.testing.contracts.base import Contract

UNICODE = "Grüße 👩‍👩‍👧 \u202e\u0000 '\"; DROP TABLE x; --"
BEGAN = float(int(time.time()))


class StoreContract(Contract):
    """`durable`: a second instance with the same table finds what the first one wrote."""

    kind = "store"
    durable: ClassVar[bool] = True

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
    async def test_a_query_gives_no_more_than_its_limit(self, store: Journal) -> None:
        for number in range(5):
            store.append(record(number))
        assert ids(await store.query(limit=2)) == ["r4", "r3"]
        assert ids(await store.query(since=record(1)["created"], limit=3)) == ["r4", "r3", "r2"]

    @pytest.mark.anyio
    async def test_an_empty_journal_answers(self, store: Journal) -> None:
        await store.flush()
        assert (await store.find("r1"), ids(await store.query())) == (None, [])

    @pytest.mark.anyio
    async def test_a_thousand_records_are_all_there_after_a_flush(self, store: Journal) -> None:
        async with Gap() as gap:
            for number in range(1000):
                store.append(record(number))
        await store.flush()
        assert ids(await store.query(limit=1000)) == [f"r{number}" for number in reversed(range(1000))]
        assert gap.longest < 1.0, f"a thousand appends held the loop up for {gap.longest:.2f} s"

    @pytest.mark.anyio
    async def test_a_new_instance_finds_what_was_written(self, tmp_path: Path) -> None:
        if not self.durable:
            pytest.skip("this store forgets")
        async with factories.running(self.make(tmp_path)) as first:
            first.append(record(1))
        async with factories.running(self.make(tmp_path)) as second:
            assert await second.find("r1") == record(1)


def record(number: int) -> dict[str, Any]:
    """Records are a second apart, and new enough for a store that forgets what is old."""
    return {"id": f"r{number}", "created": BEGAN + number, "model": "local/llama", "text": UNICODE}


def ids(records: Any) -> list[str]:
    found: list[Record] = list(records)
    return [record["id"] for record in found]
