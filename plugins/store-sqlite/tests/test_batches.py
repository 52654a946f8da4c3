"""Records that stand together in one row, and those of files from before there were such rows."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lynkr_core import Context, Stores
from lynkr_core.testing.waiting import until
from lynkr_store_sqlite import Config, journal, plugin, schema, writer

NOW = float(int(time.time()))


def create(path: Path, **settings: Any) -> Any:
    context = Context(name="main", kind="store", transport=None, tiers=None, stores=Stores(), environ={})
    return plugin.create(Config(path=str(path), **settings), context)


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"r{number:05}", "created": NOW + number, "status": "ok", "model": f"m{number % 3}", "text": "naïve\n", **more}


def counted(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lynkr.db"


@pytest.mark.anyio
async def test_few_rows_hold_many_records_and_each_is_told_as_it_was(path: Path) -> None:
    records = [record(number, odd="x" * (number % 7), big="y" * (300_000 if number == 40 else 0)) for number in range(600)]
    async with create(path) as store:
        for each in records:
            store.append(each)
        await store.flush()
        assert counted(path, "batch") < 60
        assert await store.query(limit=1000) == records[::-1]
        assert [await store.find(each["id"]) for each in records[30:50]] == records[30:50]
        with closing(sqlite3.connect(path)) as other:
            assert {id: json.loads(told) for id, told in other.execute("SELECT id, record FROM journal")}["r00040"] == records[40]


@pytest.mark.anyio
async def test_another_record_of_the_same_id_hides_the_one_before_it(path: Path) -> None:
    async with create(path) as store:
        for number in range(60):
            store.append(record(number % 30, version=number))
        await store.flush()
        store.append(record(3, version=90, created=NOW + 500))
        await store.flush()
        assert (counted(path, "journal"), (await store.usage())[0].requests) == (30, 30)
        assert [each["version"] for each in await store.query(limit=3)] == [90, 59, 58]


@pytest.mark.anyio
async def test_a_batch_goes_with_the_last_of_its_records(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SLICE_ROWS", 10)
    monkeypatch.setattr(journal, "BATCH_BYTES", 200)
    day = 86_400
    async with create(path) as store:
        for number in range(40):
            store.append(record(number, created=NOW - 3 * day if number < 33 else NOW))
        await store.flush()
        before = counted(path, "batch")
    async with create(path, retention_days=1) as store:
        await until(lambda: counted(path, "fact") == 7 and counted(path, "batch") < before / 2)
        assert [each["id"] for each in await store.query()] == [f"r{number:05}" for number in range(39, 32, -1)]


@pytest.mark.anyio
@pytest.mark.parametrize("version", [1, 3, 4, 5, 6])
async def test_the_records_of_an_older_file_are_there_in_the_new_one(path: Path, version: int) -> None:
    records = [record(number) for number in range(1500)]
    path.touch()
    with closing(schema.connect(path)) as old:
        schema.migrate(old, schema.MIGRATIONS[:version])
        rows = [(each["id"], each["created"], json.dumps(each).encode()) for each in records]
        old.execute("BEGIN")
        old.executemany("INSERT INTO journal (id, created, record) VALUES (?, ?, ?)", rows)
        old.execute("COMMIT")
    async with create(path) as store:
        assert await store.query(limit=2000) == records[::-1]
        assert await store.find("r00007") == records[7]
        assert [(row.group, row.requests) for row in await store.usage(["model"])] == [
            ({"model": "m0"}, 500), ({"model": "m1"}, 500), ({"model": "m2"}, 500),
        ]  # fmt: skip
        store.append(record(7, status="error"))
        await store.flush()
        assert (await store.usage())[0].errors == 1
    assert (counted(path, "journal"), counted(path, "batch") < 150) == (1500, True)
