"""Records that are made later: several at a time, and before anybody can miss them."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lynkr_core import Context, Stores
from lynkr_core.stores import Gathering, Written
from lynkr_core.testing.waiting import until
from lynkr_store_sqlite import GATHERED, Config, plugin, row_from

NOW = float(int(time.time()))


def create(folder: Path) -> Any:
    context = Context(name="main", kind="store", transport=None, tiers=None, stores=Stores(), environ={})
    return plugin.create(Config(path=str(folder / "lynkr.db")), context)


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"r{number}", "created": NOW + number, **more}


def written(number: int, made: list[int] | None = None, **more: Any) -> Written:
    if made is not None:
        made.append(number)
    return row_from(record(number, **more))


@pytest.mark.anyio
async def test_they_are_made_together_and_soon(tmp_path: Path) -> None:
    made: list[int] = []
    async with create(tmp_path) as store:
        assert isinstance(store, Gathering)
        for number in range(GATHERED - 1):
            store.append_later(partial(written, number, made))
        assert made == []
        store.append_later(partial(written, GATHERED, made))
        assert len(made) == GATHERED
        store.append_later(partial(written, 100, made))
        await until(lambda: 100 in made)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "ask", [lambda store: store.find("r1"), lambda store: store.query(), lambda store: store.usage(), lambda store: store.flush()]
)
async def test_whoever_asks_finds_them_at_once(tmp_path: Path, ask: Any) -> None:
    made: list[int] = []
    async with create(tmp_path) as store:
        store.append_later(partial(written, 1, made))
        await ask(store)
        assert made == [1]
        assert await store.find("r1") == record(1)


@pytest.mark.anyio
async def test_the_last_word_is_the_one_that_came_last(tmp_path: Path) -> None:
    async with create(tmp_path) as store:
        store.append_later(partial(written, 1, status="cut"))
        store.append(record(1, status="ok"))
        assert (await store.find("r1"))["status"] == "ok"


@pytest.mark.anyio
async def test_one_that_cannot_be_made_is_counted_and_none_is_left_behind(tmp_path: Path) -> None:
    store = create(tmp_path)
    async with store:
        store.append_later(lambda: 1 / 0)
        store.append_later(partial(written, 1))
        store.append_later(partial(written, 2))
    assert store.lost == 1
    async with create(tmp_path) as again:
        assert [found["id"] for found in await again.query()] == ["r2", "r1"]
