"""A real server is frozen, killed and started again while it is used."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from lynkr_core.stores import Balance, Bucket, Hold
from lynkr_core.testing import factories
from lynkr_store_redis import plugin

pytestmark = pytest.mark.anyio
NOW = float(int(time.time()))
LIMIT = 400


def create(server: Any, folder: Path, **more: Any) -> Any:
    table = {"url": server.url, "spill": str(folder / "spill"), "deadline": 2.0, **more}
    return factories.build(plugin, table, factories.context("main", "store"))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(60):
        while not await holds():
            await asyncio.sleep(0.05)


async def answers(store: Any) -> bool:
    try:
        await store.balances("")
    except OSError:
        return False
    return True


def calls(store: Any) -> list[Callable[[], Awaitable[Any]]]:
    holds, bucket = [Hold("c", 1, 9, math.inf)], [Bucket("b", 1, 9, 9.0)]
    return [
        lambda: store.hold("a", holds, 60),
        lambda: store.book("a", {"c": 1}),
        lambda: store.renew("a", {}, "b", holds, 60),
        lambda: store.extend("a", 60),
        lambda: store.balances(""),
        lambda: store.take(bucket),
        lambda: store.give(bucket),
        lambda: store.get("k"),
        lambda: store.set("k", b"v", 60),
        lambda: store.delete("k"),
        lambda: store.scan(""),
        lambda: store.find("r"),
        lambda: store.query(),
    ]


async def test_a_frozen_server_fails_every_call_in_time_and_is_used_again(own_server: Any, tmp_path: Path) -> None:
    async with create(own_server, tmp_path) as store:
        await store.set("k", b"before", 60)
        own_server.freeze()
        began = time.monotonic()
        for call in calls(store):
            with pytest.raises(OSError, match="down"):
                await call()
        assert (
            time.monotonic() - began < 20
        )  # the first one waits, and few others; without the breaker it were 13 times two seconds
        own_server.resume()
        await until(lambda: answers(store))
        assert await store.get("k") is not None


async def test_many_calls_at_once_on_a_frozen_server_all_fail_in_time(own_server: Any, tmp_path: Path) -> None:
    async with create(own_server, tmp_path, connections=4) as store:
        await store.get("k")
        own_server.freeze()
        with anyio.fail_after(30):
            told = await asyncio.gather(*[store.get(f"k{n}") for n in range(200)], return_exceptions=True)
        assert all(isinstance(error, OSError) for error in told)
        own_server.resume()
        await until(lambda: answers(store))


async def test_a_server_that_is_killed_under_load_loses_nothing_and_is_not_overdrawn(own_server: Any, tmp_path: Path) -> None:
    booked: list[str] = []
    async with create(own_server, tmp_path, pending=600) as store:
        load = [asyncio.create_task(attempts(store, f"w{n}", booked)) for n in range(8)]
        records = asyncio.create_task(append(store, 1500))
        await until(lambda: asyncio.sleep(0, len(booked) > 50))
        own_server.kill()
        await until(lambda: asyncio.sleep(0, bool(list(tmp_path.glob("spill.spill-*")))))
        own_server.start()
        await asyncio.gather(*load, records)
        await store.flush()
        await until(lambda: settled(store))
        assert (store.outbox.lost, store.outbox.dropped) == (0, 0)
        assert len(await store.query(limit=2000)) == 1500
        (balance,) = (await store.balances("c")).values()
        assert len(booked) <= balance.used <= LIMIT  # what was booked and not answered is booked too
    assert list(tmp_path.glob("*spill*")) == []


async def attempts(store: Any, name: str, booked: list[str]) -> None:
    """Until the counter is full; those that meet an error give up their attempt."""
    number = 0
    while True:
        number += 1
        id = f"{name}-{number}"
        try:
            if await store.hold(id, [Hold("c", 1, LIMIT, math.inf)], 1.0) is None:
                await asyncio.sleep(0.002)
                if await store.book(id, {"c": 1}):
                    booked.append(id)
            elif await settled(store):
                return
            else:
                await asyncio.sleep(0.05)
        except OSError:
            await asyncio.sleep(0.05)


async def settled(store: Any) -> bool:
    """Whether nothing is held, and nothing waits to be read back."""
    balance = (await store.balances("c")).get("c", Balance())
    return balance.held == 0 and not store.outbox._spilt


async def append(store: Any, count: int) -> None:
    """As many as there is room for at a time."""
    for number in range(count):
        while len(store.outbox.waiting) > 500:
            await asyncio.sleep(0.01)
        store.append({"id": f"r{number:05}", "created": NOW + number})
        await asyncio.sleep(0.001)


async def test_a_server_that_is_down_at_the_start_is_waited_for(own_server: Any, tmp_path: Path) -> None:
    own_server.kill()
    async with create(own_server, tmp_path) as store:
        store.append({"id": "r", "created": NOW})
        with pytest.raises(OSError, match="down"):
            await store.get("k")
        assert await store.find("r") is not None
        own_server.start()
        await store.flush()
        await until(lambda: answers(store))
        assert len(await store.query()) == 1


async def test_what_waits_when_lynkr_stops_is_there_after_the_next_start(own_server: Any, tmp_path: Path) -> None:
    async with create(own_server, tmp_path) as store:
        own_server.kill()
        for number in range(700):
            store.append({"id": f"r{number}", "created": NOW + number})
    assert len(list(tmp_path.glob("spill.spill-*"))) == 1
    own_server.start()
    async with create(own_server, tmp_path, deadline=30.0) as store:
        await until(lambda: asyncio.sleep(0, not store.outbox._spilt))
        assert len(await store.query(limit=1000)) == 700
    assert list(tmp_path.glob("*spill*")) == []
