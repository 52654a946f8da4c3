"""What is PostgreSQL's own: migrations, partitions, batches, and databases that are not to be used."""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from lynkr_core import ConfigError
from lynkr_core.cli.store import move
from lynkr_core.stores import Balance, Full, Hold, MemoryStore
from lynkr_core.testing import factories
from lynkr_store_postgres import plugin, schema
from lynkr_store_postgres.books import MOST
from lynkr_store_postgres.journal import month_of, span
from lynkr_store_postgres.values import fit

pytestmark = pytest.mark.anyio
NOW = float(int(time.time()))
MONTH = 31 * 86400.0


def name_of(folder: Path) -> str:
    return f"test_{zlib.crc32(str(folder).encode()):08x}"


def create(server: Any, folder: Path, **more: Any) -> Any:
    table = {"url": server.url, "schema": name_of(folder), "spill": str(folder / "spill"), "deadline": 20, **more}
    return factories.build(plugin, table, factories.context("main", "store"))


async def fetch(server: Any, folder: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server.url, server_settings={"search_path": name_of(folder)})
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_amounts_of_64_bits_are_exact_and_more_is_cut(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        much = 2**60 + 1
        assert await store.hold("a", [Hold("c", much, much, math.inf)], 60) is None
        assert await store.hold("b", [Hold("c", 1, much, math.inf)], 60) == Full("c", Balance(0, much))
        assert await store.book("a", {"c": 2**70}) is True
        assert await store.balances("") == {"c": Balance(MOST, 0)}
        assert isinstance(await store.hold("b", [Hold("c", 1, 2**80, math.inf)], 60), Full)


async def test_calls_that_are_made_at_once_are_one_transaction(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        await store.hold("first", [Hold("c", 1, 10_000, math.inf)], 60)
        before = await fetch(server, tmp_path, "SELECT xmin::text::bigint FROM counter")
        await asyncio.gather(*[store.hold(f"h{n}", [Hold("c", 1, 10_000, math.inf)], 60) for n in range(300)])
        after = await fetch(server, tmp_path, "SELECT xmin::text::bigint FROM counter")
        assert after[0][0] - before[0][0] < 100
        leases = await fetch(server, tmp_path, "SELECT xmin::text::bigint, count(*) FROM lease WHERE id <> 'first' GROUP BY 1")
        assert [count for _, count in leases] == [300]


async def test_a_call_that_is_wrong_does_not_harm_the_others(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        bad: Any = [Hold("c", "many", 9, math.inf)]  # type: ignore[arg-type]
        told = await asyncio.gather(
            store.hold("bad", bad, 60), store.hold("good", [Hold("c", 1, 9, math.inf)], 60), return_exceptions=True
        )
        assert (isinstance(told[0], TypeError), told[1]) == (True, None)
        assert await store.balances("") == {"c": Balance(0, 1)}


async def test_there_is_a_partition_for_each_month_and_old_ones_are_dropped(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path, retention_days=1000) as store:
        for number in range(8):
            store.append({"id": f"r{number}", "created": NOW - number * MONTH})
        await store.flush()
        assert len(await store.query()) == 8
        assert await store._database.ask(lambda connection: store._table.drop_before(connection, NOW - 90 * 86400))
        kept = [record["id"] for record in await store.query()]
        assert 3 <= len(kept) <= 5
        store.append({"id": "late", "created": NOW - 7 * MONTH})  # its partition is known to have been dropped
        await store.flush()
        assert (await store.find("late"))["id"] == "late"


async def test_a_partition_that_another_process_dropped_is_made_again(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        store.append({"id": "a", "created": NOW})
        await store.flush()
        month = month_of(("a", NOW, b""))
        await fetch(server, tmp_path, f"DROP TABLE {month}")
        store.append({"id": "b", "created": NOW})
        await store.flush()
        assert [record["id"] for record in await store.query()] == ["b"]


def test_months_join_without_a_gap() -> None:
    assert span("journal_2026_12") == (
        datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
        datetime(2027, 1, 1, tzinfo=UTC).timestamp(),
    )
    assert month_of(("r", span("journal_2026_12")[1], b"")) == "journal_2027_01"
    for created in (math.inf, math.nan, 1e20, -1e9):
        with pytest.raises(ValueError):  # noqa: PT011
            month_of(("r", created, b""))


async def test_the_last_record_with_an_id_counts_and_bad_ones_stop_nobody(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        for status in ("begun", "ok"):
            store.append({"id": "a", "created": NOW, "status": status})
            await store.flush()
        store.append({"id": "nul\0", "created": NOW})
        store.append({"id": "never", "created": 1e20})
        store.append({"id": "b", "created": NOW})
        await store.flush()
        assert [(record["id"], record.get("status")) for record in await store.query()] == [("b", None), ("a", "ok")]
        assert store.outbox.lost == 2


async def test_migrations_run_once_whoever_begins(server: Any, tmp_path: Path) -> None:
    stores = [create(server, tmp_path) for _ in range(4)]
    await asyncio.gather(*[store.__aenter__() for store in stores])
    await asyncio.gather(*[store.__aexit__(None, None, None) for store in stores])
    assert await fetch(server, tmp_path, "SELECT number FROM migration") == [
        (number + 1,) for number in range(len(schema.migrations()))
    ]


async def test_leases_of_an_older_version_are_booked_or_given_back(server: Any, tmp_path: Path) -> None:
    connection = await asyncpg.connect(server.url, server_settings={"search_path": name_of(tmp_path)})
    try:
        await schema.migrate(connection, name_of(tmp_path), schema.migrations()[:1])
        await connection.execute("INSERT INTO counter (name, used, held, until) VALUES ('day', 13, 30, 1e300)")
        for id, amount, ends in ((b"live", 20, NOW + 600), (b"dead", 10, NOW - 1)):
            holds = msgspec.msgpack.encode([("day", amount, 1e300)])
            await connection.execute("INSERT INTO lease (id, holds, ends, lapsed) VALUES ($1, $2, $3, false)", id, holds, ends)
    finally:
        await connection.close()
    async with create(server, tmp_path) as store:
        assert await store.balances("") == {"day": Balance(13, 20)}
        assert [await store.book("live", {"day": 9}), await store.book("dead", {"day": 4})] == [True, True]
        assert await store.balances("") == {"day": Balance(26, 0)}


async def test_a_migration_that_fails_leaves_nothing(server: Any, tmp_path: Path) -> None:
    connection = await asyncpg.connect(server.url, server_settings={"search_path": name_of(tmp_path)})
    try:
        with pytest.raises(asyncpg.UndefinedTableError):
            await schema.migrate(connection, name_of(tmp_path), ["CREATE TABLE a (x int)", "INSERT INTO nothing VALUES (1)"])
        await schema.migrate(connection, name_of(tmp_path), ["CREATE TABLE a (x int)"])
        assert await connection.fetchval("SELECT count(*) FROM migration") == 1
    finally:
        await connection.close()


async def test_a_database_that_cannot_be_used_is_a_mistake_in_the_configuration(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path):
        pass
    await fetch(server, tmp_path, "INSERT INTO migration (number) VALUES (99) RETURNING number")
    stranger = server.url.replace("postgres@", "nobody:wrong-one@")
    for more, reason in (({}, "version 99"), ({"url": stranger}, "nobody"), ({"url": "mysql://x"}, "DSN|dsn")):
        with pytest.raises(ConfigError, match=rf"\[store.main\] \$.url: .*({reason})") as told:
            async with create(server, tmp_path, **more):
                pass
        assert "wrong-one" not in str(told.value)


async def test_values_beyond_the_bound_go_those_that_expire_first_and_lasting_ones_stay(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        for number in range(20):
            await store.set(f"k{number:02}", bytes(1000), 100 + number)
            await store.set(f"good{number:02}", bytes(1000), math.inf)
        await store.set("short", b"1", 0.001)
        await store._database.ask(lambda connection: fit(connection, 30_500, 1000))
        kept = list(await store.scan(""))
        assert [key for key in kept if key.startswith("k")] == [f"k{number:02}" for number in range(10, 20)]
        assert len([key for key in kept if key.startswith("good")]) == 20


async def test_what_is_old_is_forgotten(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        past = time.time() - 2 * 86400
        await store.hold("a", [Hold("old", 1, 5, past), Hold("new", 1, 5, math.inf)], 60)
        await store.book("a", {"old": 1, "new": 1})
        await store._database.ask(store._forget)
        assert await fetch(server, tmp_path, "SELECT name FROM counter") == [(b"new",)]


async def test_what_another_store_holds_is_moved_here(server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory = MemoryStore()
    for number in range(30):
        await memory.set(f"key/{number:02}", b"%d" % number, math.inf)
        await memory.hold(f"h{number}", [Hold(f"budget/{number:02}", 5, 9, time.time() + 3600)], 60)
        await memory.book(f"h{number}", {f"budget/{number:02}": number + 1})
        memory.append({"id": f"r{number}", "created": time.time()})
    for written in (30, 0):
        await move({"a": memory, "b": create(server, tmp_path)}, "a", "b")
        assert capsys.readouterr().out.count(f"30 read from a, {written} written to b") == 3
    async with create(server, tmp_path) as store:
        assert await store.balances("") == await memory.balances("")
        assert await store.windows("") == await memory.windows("")
