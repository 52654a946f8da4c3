"""What every journal must keep to that is asked for more than the last records: values, pages and sums."""

from __future__ import annotations

import math
import random
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lynkr_core.stores import Gathering, Journal, MemoryStore, Record
from lynkr_core.stores.totals import COLUMNS, DAY, DAY_SECONDS, row_of_json
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.base import Contract
from lynkr_core.testing.contracts.store import UNICODE, ids, record

BEGAN = float(int(time.time()))
GROUPINGS = ((), ("model",), ("key", "status"), (DAY,), ("team", DAY, "class"), ("session",), COLUMNS)
FILTERS: tuple[Mapping[str, Any], ...] = (
    {}, {"model": "a"}, {"team": None, "status": "ok"}, {"priced": True}, {"priced": False, "user": UNICODE}, {"key": "none has it"},
)  # fmt: skip


class JournalContract(Contract):
    """The sums are compared with those of the store in memory."""

    kind = "store"

    @pytest.fixture
    async def store(self, anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Journal]:
        async with factories.running(self.make(tmp_path)) as instance:
            yield instance

    @pytest.mark.anyio
    async def test_a_query_finds_what_has_the_values_that_are_asked_for(self, store: Journal) -> None:
        known = await filled(store, MemoryStore(limit=10_000))
        for where in FILTERS:
            for since, until in ((0.0, math.inf), (BEGAN - 50_000, BEGAN - 100)):
                asked: Any = {"since": since, "until": until, "where": where, "limit": 70}
                assert list(await store.query(**asked)) == list(await known.query(**asked)), where
        for column in COLUMNS:
            assert ids(await store.query(where={column: "no such value"})) == []

    @pytest.mark.anyio
    async def test_pages_give_every_record_once(self, store: Journal) -> None:
        await filled(store, MemoryStore(limit=10_000))
        everything, read = await store.query(limit=10_000), list[Record]()
        while page := await store.query(limit=37, before=(read[-1]["created"], read[-1]["id"]) if read else None):
            assert len(page) <= 37
            read += page
        assert read == list(everything)
        assert len(set(ids(read))) == len(read) > 200

    @pytest.mark.anyio
    async def test_sums_are_those_of_the_store_in_memory(self, store: Journal) -> None:
        known = await filled(store, MemoryStore(limit=10_000))
        for by in GROUPINGS:
            for where in FILTERS:
                for since, until in ((0.0, math.inf), (BEGAN - 200_000, BEGAN - 100)):
                    asked: Any = {"since": since, "until": until, "where": where}
                    assert list(await store.usage(by, **asked)) == list(await known.usage(by, **asked)), (by, where)
            await store.flush()  # the first grouping is asked for while some wait, the others when all are written
        dearest = await store.usage(("session", "model"), limit=3)
        assert list(dearest) == list(await known.usage(("session", "model")))[:3]

    @pytest.mark.anyio
    async def test_sums_count_what_was_appended_at_once_and_what_replaces_it_once(self, store: Journal) -> None:
        store.append(record(1) | {"cost": 0.5, "usage": {"input_tokens": 7, "output_tokens": 2}, "status": "ok"})
        (told,) = await store.usage()
        assert (told.requests, told.nano_usd, told.input_tokens, told.unpriced, told.group) == (1, 500_000_000, 7, 0, {})
        await store.flush()
        store.append(record(1) | {"cost": None, "usage": {"input_tokens": 9}, "status": "cut"})
        for _ in range(2):
            (told,) = await store.usage(["model"])
            assert (told.requests, told.nano_usd, told.input_tokens, told.unpriced, told.errors) == (1, 0, 9, 1, 1)
            assert told.group == {"model": "local/llama"}
            await store.flush()

    @pytest.mark.anyio
    @pytest.mark.parametrize("at_once", [False, True])
    async def test_what_comes_written_is_found_and_counted_as_what_is_appended(self, store: Journal, at_once: bool) -> None:
        if not isinstance(store, Gathering):
            pytest.skip("it gathers nothing")
        told: dict[str, Any] = record(1) | {
            "cost": 0.5,
            "usage": {"input_tokens": 7, "output_tokens": 2},
            "status": "ok",
            "model": UNICODE,
        }
        json = msgspec.json.encode(told)
        store.append_later(lambda: (told["id"], told["created"], json, row_of_json(json)), at_once)
        for _ in range(2):
            assert await store.find(told["id"]) == told
            assert [(sums.nano_usd, sums.input_tokens) for sums in await store.usage(where={"model": UNICODE})] == [
                (500_000_000, 7)
            ]
            await store.flush()

    @pytest.mark.anyio
    async def test_a_record_replaces_the_one_with_its_id_though_it_has_another_time(self, store: Journal) -> None:
        for days in (0, 40, 3):
            store.append(record(1) | {"created": BEGAN - days * DAY_SECONDS})
            assert [told.requests for told in await store.usage()] == [1]
            await store.flush()
        assert [told.requests for told in await store.usage()] == [1]
        assert [found["created"] for found in await store.query()] == [BEGAN - 3 * DAY_SECONDS]
        assert await store.find(record(1)["id"]) == {**record(1), "created": BEGAN - 3 * DAY_SECONDS}

    @pytest.mark.anyio
    async def test_names_that_are_no_columns_are_refused(self, store: Journal) -> None:
        for name in ("text", "id", UNICODE, "", "priced", "created"):
            with pytest.raises(ValueError, match="cannot group by"):
                await store.usage([name])
        for name in ("text", DAY, UNICODE, 'model" IS NULL OR "model'):
            with pytest.raises(ValueError, match="cannot ask for"):
                await store.usage(where={name: "x"})
            with pytest.raises(ValueError, match="cannot ask for"):
                await store.query(where={name: "x"})


def anything(dice: random.Random, number: int) -> dict[str, Any]:
    """A record as a journal may hold it: complete, with gaps, or with what nobody expects; of three days, several at the same time."""
    texts = {column: dice.choice([None, "a", "b", "B", "", UNICODE]) for column in COLUMNS}
    usage = {
        "input_tokens": dice.randrange(9999),
        "output_tokens": dice.randrange(999),
        "cache_read": 5,
        "reasoning": 1,
        "more": "?",
    }
    made: dict[str, Any] = {"id": f"any{number:04}", "created": BEGAN - dice.randrange(250_000) // 50 * 50, **texts}
    made |= {"session": f"s{dice.randrange(40)}", "status": dice.choice(["ok", "error", "cut", "refused", "cancelled"])}
    made |= {
        "usage": dice.choice([None, usage]),
        "cost": dice.choice([None, 0, 0.1, dice.random(), 1e-9]),
        "duration": dice.random(),
    }
    made |= {"grade": dice.choice([None, "local", "cheap"]), "billed": dice.choice([None, "operator", "caller"])}
    made |= {"saved_tokens": dice.randrange(50), "saved_usd": dice.choice([None, dice.random()]), "spent": dice.choice([0, 0.3])}
    odd: list[dict[str, Any]] = [
        {"cost": 1e300},
        {"usage": {"input_tokens": 2**60}},
        {"model": 7},
        {"usage": ["x"]},
        {"cost": "1"},
    ]
    return made | (dice.choice(odd) if dice.random() < 0.1 else {})


async def filled(store: Journal, beside: MemoryStore) -> MemoryStore:
    """Puts the same 300 records into both, some of them twice; a part of them may not be written yet."""
    dice = random.Random(6)
    for number in range(300):
        made = anything(dice, number if dice.random() < 0.9 else dice.randrange(number + 1))
        store.append(made)
        beside.append(made)
        if number == 200:
            await store.flush()
    return beside
