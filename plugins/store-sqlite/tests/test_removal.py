"""The file is taken away under load, in every way that is known, and no record is lost."""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lynkr_core import Context, Stores
from lynkr_core.stores import Hold
from lynkr_core.testing.waiting import until
from lynkr_store_sqlite import Config, plugin, removal, schema, writer

NOW = float(int(time.time()))
COUNT = 3000


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.05)
    (tmp_path / "data").mkdir()
    return tmp_path / "data/lynkr.db"


def create(path: Path, **settings: Any) -> Any:
    context = Context(name="main", kind="store", transport=None, tiers=None, stores=Stores(), environ={})
    return plugin.create(Config(path=str(path), **settings), context)


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM journal").fetchone()[0]
    finally:
        connection.close()


def unlink(path: Path) -> None:
    path.unlink()


def unlink_all(path: Path) -> None:
    for file in path.parent.glob("lynkr.db*"):
        file.unlink()


def become_a_folder(path: Path) -> None:
    path.rename(path.parent / "taken")
    path.mkdir()


def remove_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def another(path: Path) -> None:
    """An older copy of the file, in the place of it."""
    sqlite3.connect(path.parent / "other").close()
    (path.parent / "other").replace(path)
    for name in ("-wal", "-shm"):
        (path.parent / f"lynkr.db{name}").unlink(missing_ok=True)


async def load(store: Any, first: int, count: int) -> None:
    for number in range(first, first + count):
        store.append({"id": f"r{number}", "created": NOW, "status": "ok", "model": "m"})
        if number % 50 == 0:
            await asyncio.sleep(0.001)


@pytest.mark.anyio
@pytest.mark.parametrize("remove", [unlink, unlink_all])
async def test_a_file_that_is_removed_under_load_is_put_back_with_all_that_was_in_it(
    path: Path, remove: Callable[[Path], None]
) -> None:
    async with create(path) as store:
        await store.set("key", b"value", math.inf)
        await store.hold("a", [Hold("c", 3, 5, math.inf)], 60)
        await load(store, 0, COUNT)
        remove(path)
        await load(store, COUNT, COUNT)
        await store.flush()
        assert (await store.usage())[0].requests == 2 * COUNT
        assert await store.get("key") == b"value"
        assert (await store.balances("c"))["c"].held == 3
        assert (store.lost, store.dropped) == (0, 0)
    assert rows(path) == 2 * COUNT
    assert path.stat().st_mode & 0o777 == 0o600
    assert {file.name for file in path.parent.iterdir()} == {"lynkr.db"}


@pytest.mark.anyio
@pytest.mark.parametrize("remove", [become_a_folder, remove_the_folder])
async def test_where_no_file_can_be_records_wait_or_are_spilt_and_come_back(path: Path, remove: Callable[[Path], None]) -> None:
    async with create(path, pending=COUNT) as store:
        await load(store, 0, 500)
        await store.flush()
        remove(path)
        await load(store, 500, COUNT // 2)
        assert (await store.find("r600"))["model"] == "m"
        with pytest.raises(OSError, match="removed"):
            await store.set("a", b"1", 60)
        if path.exists():
            path.rmdir()
        path.parent.mkdir(exist_ok=True)
        await until(lambda: path.exists() and not store._pending)
        await load(store, 500 + COUNT // 2, 100)
        await store.flush()
        assert (await store.usage())[0].requests == 600 + COUNT // 2
        assert (store.lost, store.dropped) == (0, 0)
    assert rows(path) == 600 + COUNT // 2


def test_a_folder_in_its_place_is_no_other_file_and_nothing_is_made_where_it_is_missing(path: Path) -> None:
    schema.create(path)
    connection = schema.connect(path)
    try:
        become_a_folder(path)
        with pytest.raises(FileExistsError, match="no file"):
            removal.put_back(path, connection)
        path.rmdir()  # now: before, a new and empty file came into being here, and what the old one held was lost
        with pytest.raises(FileNotFoundError):
            schema.create(path, anew=False)
        with pytest.raises(sqlite3.OperationalError):
            schema.connect(path)
        assert not path.exists()
        assert removal.put_back(path, connection)
    finally:
        connection.close()
    assert path.is_file()


def test_a_path_may_have_signs_of_addresses_in_it(tmp_path: Path) -> None:
    path = tmp_path / "what? 50%25 #1&mode=ro.db"
    schema.create(path)
    schema.connect(path).close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name]


@pytest.mark.anyio
async def test_what_is_spilt_while_there_is_a_folder_in_its_place_is_read_back_at_the_next_start(path: Path) -> None:
    async with create(path, pending=2000) as store:
        await load(store, 0, 100)
        await store.flush()
        become_a_folder(path)
        await load(store, 100, 1900)
        await until(lambda: list(path.parent.glob("*.spill-*")))
    assert (store.lost, store.dropped) == (0, 0)
    path.rmdir()
    (path.parent / "taken").rename(path)
    async with create(path) as store:
        assert (await store.usage())[0].requests == 2000
    assert list(path.parent.glob("*spill*")) == []


@pytest.mark.anyio
async def test_another_file_in_its_place_is_written_from_then_on(path: Path) -> None:
    async with create(path) as store:
        await load(store, 0, 100)
        await store.flush()
        another(path)
        await load(store, 100, 100)
        await store.flush()
        assert (await store.usage())[0].requests == 100
        assert await store.find("r150") is not None
    assert rows(path) == 100


@pytest.mark.anyio
async def test_two_processes_put_it_back_once_and_both_go_on(path: Path) -> None:
    async with create(path) as one, create(path) as two:
        await asyncio.gather(load(one, 0, COUNT), load(two, COUNT, COUNT))
        path.unlink()
        await asyncio.gather(load(one, 2 * COUNT, COUNT), load(two, 3 * COUNT, COUNT))
        await asyncio.gather(one.flush(), two.flush())
        for store in (one, two):
            assert (await store.usage())[0].requests == 4 * COUNT
            assert (store.lost, store.dropped) == (0, 0)
