from __future__ import annotations

import logging
import math
import sqlite3
import subprocess
import sys
import threading
import time
from itertools import count, islice
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from lynkr_core import ConfigError, Context, Journal, Stores
from lynkr_core.stores import Balance
from lynkr_core.testing.waiting import least, quickest, until
from lynkr_store_sqlite import Config, plugin, schema, spill, writer

NOW = float(int(time.time()))


def create(path: Path, **settings: Any) -> Any:
    context = Context(name="main", kind="store", transport=None, tiers=None, stores=Stores(), environ={})
    return plugin.create(Config(path=str(path), **settings), context)


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"req_{number:06}", "created": NOW + number, "text": "naïve", **more}


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM journal").fetchone()[0]
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lynkr.db"


@pytest.mark.anyio
async def test_a_record_is_found_at_once_and_after_a_restart(path: Path) -> None:
    async with create(path) as store:
        assert isinstance(store, Journal)
        store.append(record(1, nested={"a": [1, None, 2.5]}))
        assert await store.find("req_000001") == record(1, nested={"a": [1, None, 2.5]})
        assert await store.find("other") is None
    async with create(path) as store:
        assert await store.find("req_000001") == record(1, nested={"a": [1, None, 2.5]})


@pytest.mark.anyio
async def test_a_query_gives_the_newest_first_written_or_not(path: Path) -> None:
    async with create(path) as store:
        for number in (3, 1, 2):
            store.append(record(number))
        await store.flush()
        assert rows(path) == 3
        store.append(record(4))
        store.append(record(2, again=True))
        found = await store.query(since=NOW + 2, limit=2)
        assert [row["created"] - NOW for row in found] == [4.0, 3.0]
        assert [row.get("again") for row in await store.query(since=NOW + 2)] == [None, None, True]
        assert len(await store.query()) == 4


@pytest.mark.anyio
async def test_the_last_record_with_an_id_counts(path: Path) -> None:
    async with create(path) as store:
        store.append(record(1))
        store.append(record(1, status="ok"))
        await store.flush()
        assert (await store.find("req_000001"))["status"] == "ok"
        assert rows(path) == 1


@pytest.mark.anyio
async def test_it_is_written_soon_without_a_flush(path: Path) -> None:
    async with create(path) as store:
        store.append(record(1))
        await until(lambda: rows(path) == 1)


@pytest.mark.anyio
async def test_many_records_go_in_batches_and_all_arrive(path: Path) -> None:
    async with create(path) as store:
        for number in range(3000):
            store.append(record(number))
        await store.flush()
        assert rows(path) == 3000
        assert not store._pending
        for number in range(3000, 3700):
            store.append(record(number))
    assert rows(path) == 3700
    assert (store.dropped, store.lost) == (0, 0)


@pytest.mark.anyio
async def test_what_finds_no_room_is_dropped_counted_and_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = create(path, pending=5)
    for number in range(20):
        store.append(record(number))
    assert store.dropped == 15
    assert [entry.levelno for entry in caplog.records] == [logging.ERROR]
    async with store:
        await store.flush()
        store.append(record(99))
    assert rows(path) == 6


@pytest.mark.anyio
async def test_append_costs_next_to_nothing(path: Path) -> None:
    async with create(path) as store:
        records = [record(number) for number in range(2000)]
        slices = iter([records[start : start + 200] for start in range(0, 2000, 200)])
        seconds = quickest(lambda: [store.append(each) for each in next(slices)], 10, time.thread_time)
        assert seconds / 200 < 5e-6  # 0.4 µs where this was written


@pytest.mark.anyio
async def test_old_records_are_deleted_in_slices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SLICE_ROWS", 10)
    async with create(path, retention_days=1) as store:
        for number in range(35):
            store.append({"id": f"old{number}", "created": NOW - 90_000})
        store.append({"id": "young", "created": NOW - 60_000})
        await store.flush()
    async with create(path, retention_days=1) as store:
        await until(lambda: rows(path) == 1)
        assert [row["id"] for row in await store.query()] == ["young"]


@pytest.mark.anyio
async def test_a_full_disk_delays_records_and_loses_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.02)
    async with create(path) as store:
        await fill(store)
        await until(lambda: bool(caplog.records))
        assert await store.find("big") is not None
        store._writer._connection.execute("PRAGMA max_page_count = 100000")
        await store.flush()
        assert rows(path) == 1
    assert "disk is full" in caplog.records[0].message
    assert store.lost == 0


@pytest.mark.anyio
async def test_a_stop_does_not_wait_for_a_full_disk_and_loses_nothing(path: Path) -> None:
    async with create(path) as store:
        await fill(store)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 10  # it would wait for as long as the disk is full
    spilt = list(path.parent.glob("lynkr.db.spill-*"))
    assert (store.lost, rows(path), [file.stat().st_mode & 0o777 for file in spilt]) == (0, 0, [0o600])
    async with create(path) as store:
        assert (await store.find("big"))["text"] == "x" * 200_000
    assert list(path.parent.glob("*spill*")) == []


@pytest.mark.anyio
async def test_what_waits_too_long_is_spilt_and_read_back_when_writing_works(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.02)
    async with create(path, pending=2000) as store:
        await fill(store)
        for number in range(1900):
            store.append(record(number))
        await until(lambda: bool(list(path.parent.glob("*.spill-*"))))
        store._writer._connection.execute("PRAGMA max_page_count = 100000")
        await store.flush()
        assert (rows(path), store.lost, store.dropped) == (1901, 0, 0)
    assert list(path.parent.glob("*spill*")) == []


@pytest.mark.anyio
async def test_where_nothing_can_be_written_the_loss_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with create(path) as store:
        await fill(store)
        monkeypatch.setattr(Path, "write_bytes", refuse)
    assert store.lost == 1


def refuse(*args: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.anyio
async def test_damaged_lines_and_half_files_stop_nobody(path: Path) -> None:
    keeping = spill.Spill(path)
    assert keeping.add([(f"r{number}", NOW, b'{"id":"r"}') for number in range(3)])
    (file,) = path.parent.glob("*.spill-*")
    file.write_bytes(file.read_bytes()[:-12] + b"\n\xff\n[1]\n")
    (path.parent / ".lynkr.db.spill-1-1.part").write_bytes(b'["x",1.0,{')
    async with create(path) as store:
        assert [await store.find(id) is not None for id in ("r0", "r1", "r2", "x")] == [True, True, False, False]


async def fill(store: Any) -> None:
    """The disk has no room for the record."""
    await store.flush()
    store._writer._connection.execute("PRAGMA max_page_count = 6")
    store.append({"id": "big", "created": NOW, "text": "x" * 200_000})


@pytest.mark.anyio
async def test_a_record_that_is_not_json_stops_nobody_else(path: Path) -> None:
    async with create(path) as store:
        store.append({"id": "bad", "created": NOW, "what": object()})
        store.append({"id": "worse", "created": "yesterday"})
        store.append(record(1))
        await store.flush()
        assert rows(path) == 1
    assert store.lost == 2


@pytest.mark.anyio
async def test_a_file_that_cannot_be_opened_is_a_mistake_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be seen as none" * 30)
    future = sqlite3.connect(tmp_path / "future")
    future.execute("PRAGMA user_version = 99")
    future.close()
    for name, reason in [("no/such.db", "No such file"), ("", "directory"), ("text", "not a database"), ("future", "version 99")]:
        with pytest.raises(ConfigError, match=rf"\[store.main\] \$.path: cannot open .*{reason}"):
            async with create(tmp_path / name):
                pass


@pytest.mark.anyio
async def test_the_file_is_for_its_owner_only_and_has_a_log(path: Path) -> None:
    async with create(path) as store:
        store.append(record(1))
        await store.flush()
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["lynkr.db", "lynkr.db-shm", "lynkr.db-wal"]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_migrations_run_once_each_in_their_order(path: Path) -> None:
    path.touch()
    connection = schema.connect(path)
    schema.migrate(connection, ("CREATE TABLE a (x); INSERT INTO a VALUES (1)",))
    schema.migrate(connection, ("CREATE TABLE a (x); INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"))
    assert connection.execute("SELECT x FROM a").fetchall() == [(1,), (2,)]
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, ("", "", "INSERT INTO a VALUES (3); INSERT INTO nothing VALUES (1)"))
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (2,)
    assert schema.version(connection) == 2
    connection.close()


def test_two_that_migrate_at_once_do_it_once(path: Path) -> None:
    threads = [threading.Thread(target=schema.create, args=(path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(path) == 0


KILLED = """
import asyncio, sys, time
from lynkr_core import Context, Stores
from lynkr_store_sqlite import Config, plugin

async def main():
    context = Context(name="main", kind="store", transport=None, tiers=None, stores=Stores(), environ={})
    async with plugin.create(Config(path=sys.argv[1]), context) as store:
        for number in range(700):
            store.append({"id": str(number), "created": time.time()})
        await asyncio.sleep(2.0)
        print("written", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_process_loses_nothing_older_than_the_flush_interval(path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
    finally:
        process.kill()
        process.communicate()
    assert rows(path) == 700


@pytest.mark.anyio
async def test_the_event_loop_is_not_held_up_by_writing(path: Path) -> None:
    async with create(path) as store:
        numbers = count()

        async def longest() -> float:
            found, last = 0.0, time.perf_counter()
            for number in islice(numbers, 5000):
                store.append(record(number, padding="x" * 500))
                if number % 20 == 0:
                    await anyio.lowlevel.checkpoint()
                    now = time.perf_counter()
                    found, last = max(found, now - last), now
            await store.flush()
            return found

        assert await least(longest, 0.25) < 0.25


def held(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [key for (key,) in connection.execute("SELECT key FROM key_value ORDER BY expires")]
    finally:
        connection.close()


@pytest.mark.anyio
async def test_values_outlive_a_restart_and_expired_ones_are_deleted(path: Path) -> None:
    async with create(path) as store:
        await store.set("long", b"1", 600)
        await store.set("short", b"2", 0.01)
    await anyio.sleep(0.02)
    async with create(path) as store:
        assert (await store.get("long"), await store.get("short")) == (b"1", None)
        await until(lambda: held(path) == ["long"])


@pytest.mark.anyio
async def test_values_over_the_limit_go_those_that_expire_first_before_the_others(path: Path) -> None:
    async with create(path, values_bytes=20_000) as store:
        for number in range(40):
            await store.set(f"k{number:02}", bytes(1000), 100 + number)
        await until(lambda: len(held(path)) <= 20)
        assert await store.get("k00") is None
        assert await store.get("k39") is not None


@pytest.mark.anyio
async def test_a_value_is_written_at_once_though_records_gather(path: Path) -> None:
    async with create(path) as store:

        async def took() -> float:
            began = time.monotonic()
            for number in range(20):
                store.append(record(number))
                await store.set("a", b"%d" % number, 60)
            return time.monotonic() - began

        assert await least(took, 1.0) < 1.0  # of 20 times the 0.2 s in which records gather
        await until(lambda: rows(path) == 20)


@pytest.mark.anyio
async def test_a_value_that_cannot_be_written_is_told_and_not_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with create(path) as store:
        store._writer._connection.execute("PRAGMA max_page_count = 10")
        with pytest.raises(OSError, match="cannot be kept"):
            await store.set("a", bytes(1_000_000), 60)
        assert await store.get("a") is None
        store._writer._connection.execute("PRAGMA max_page_count = 100000")
        await store.set("a", b"1", 60)
        assert await store.get("a") == b"1"
    assert "1 changes cannot be written" in caplog.text


@pytest.mark.anyio
async def test_a_caller_that_leaves_does_not_stop_the_writing(path: Path) -> None:
    async with create(path) as store:
        with anyio.move_on_after(0):
            await store.set("a", b"1", 60)
        await until(lambda: held(path) == ["a"])


@pytest.mark.anyio
async def test_what_is_kept_for_good_is_never_evicted_and_has_a_bound(path: Path) -> None:
    async with create(path, values_bytes=10_000) as store:
        for number in range(8):
            await store.set(f"good{number}", bytes(1000), math.inf)
            await store.set(f"soon{number}", bytes(1000), 1 + number)
        with pytest.raises(OSError, match="kept for good"):
            await store.set("more", bytes(3000), math.inf)
        assert len(await store.scan("good")) == 8
        await until(lambda: len(held(path)) <= 10)
        await store.delete("good0")
        await store.set("more", bytes(2500), math.inf)
        assert len(await store.scan("good")) == 7


@pytest.mark.anyio
async def test_leases_of_an_older_version_are_booked_or_given_back(path: Path) -> None:
    path.touch()
    connection = schema.connect(path)
    schema.migrate(connection, schema.MIGRATIONS[:8])
    connection.execute("INSERT INTO counter (name, used, held, until) VALUES ('day', 13, 30, 1e300)")
    for id, amount, ends in (("live", 20, NOW + 600), ("dead", 10, NOW - 1)):
        holds = msgspec.msgpack.encode([("day", amount, 1e300)])
        connection.execute("INSERT INTO lease (id, holds, ends, lapsed) VALUES (?, ?, ?, 0)", (id, holds, ends))
    connection.close()
    async with create(path) as store:
        assert await store.balances("") == {"day": Balance(13, 20)}
        assert [await store.book("live", {"day": 9}), await store.book("dead", {"day": 4})] == [True, True]
        assert await store.balances("") == {"day": Balance(26, 0)}
