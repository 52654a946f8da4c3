"""What is Redis' own: large numbers, what is deleted, and servers that are not to be used."""

from __future__ import annotations

import math
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lynkr_core import ConfigError
from lynkr_core.cli.store import move
from lynkr_core.stores import Balance, Full, Hold, MemoryStore
from lynkr_core.testing import factories
from lynkr_store_redis import plugin
from lynkr_store_redis.books import MOST
from lynkr_store_redis.server import Server

pytestmark = pytest.mark.anyio


def create(server: Any, folder: Path, **more: Any) -> Any:
    table = {"url": server.url, "prefix": str(folder), "spill": str(folder / "spill"), "deadline": 20.0, **more}
    return factories.build(plugin, table, factories.context("main", "store"))


async def test_amounts_beyond_the_doubles_of_lua_are_exact(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        much = 2**60 + 1
        assert await store.hold("a", [Hold("c", much, much, math.inf)], 60) is None
        assert await store.hold("b", [Hold("c", 1, much, math.inf)], 60) == Full("c", Balance(0, much))
        assert await store.hold("b", [Hold("c", 1, much + 1, math.inf)], 60) is None
        assert await store.renew("a", {"c": much - 2}, "d", [Hold("c", 4, much + 1, math.inf)], 60) == Full(
            "c", Balance(much - 2, 1)
        )
        assert await store.renew("a", {"c": much - 2}, "d", [Hold("c", 2, much + 1, math.inf)], 60) == {"c": Balance(much - 2, 3)}


async def test_a_sum_beyond_64_bits_stops_nobody(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        for id in ("a", "b", "c"):
            await store.hold(id, [Hold("c", 0, 2**80, math.inf), Hold("d", 1, 2**80, math.inf)], 60)
        assert [await store.book(id, {"c": 2**70, "d": 1}) for id in ("a", "b", "c")] == [True] * 3
        balances = await store.balances("")
        assert (balances["c"].used >= MOST, balances["d"]) == (True, Balance(3, 0))
        assert isinstance(await store.hold("e", [Hold("c", 1, 2**80, math.inf)], 60), Full)


async def test_what_is_over_makes_room_for_what_is_new(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        past = time.time() - 2 * 86400
        for number in range(20):
            await store.hold(f"a{number}", [Hold(f"old{number}", 1, 5, past)], 60)
            await store.book(f"a{number}", {f"old{number}": 1})
        for number in range(20):
            await store.hold(f"b{number}", [Hold(f"new{number}", 1, 5, math.inf)], 60)
        keys = [store._server.key(name) for name in ("total", "used")]
        assert [await store._server.client.hlen(key) for key in keys] == [20, 0]
        assert len(await store.balances("")) == 20


async def test_names_of_expired_values_are_forgotten(server: Any, tmp_path: Path) -> None:
    async with create(server, tmp_path) as store:
        for number in range(20):
            await store.set(f"short{number}", b"1", 0.01)
        until = time.monotonic() + 20
        while len(await store._names(store._server.key("keys"), "short", "", 100)) and time.monotonic() < until:
            await store.set("long", b"1", 60)
        assert await store._names(store._server.key("keys"), "", "", 100) == ["long"]


async def test_records_are_deleted_when_they_are_old_or_too_many(server: Any, tmp_path: Path) -> None:
    now = time.time()
    async with create(server, tmp_path, retention_days=1, records=10) as store:
        store.append({"id": "old", "created": now - 90_000})
        for number in range(15):
            store.append({"id": f"r{number:02}", "created": now + number})
        await store.flush()
        assert [record["id"] for record in await store.query()] == [f"r{number:02}" for number in range(14, 4, -1)]
        assert await store.find("r00") is None


@pytest.mark.parametrize("url", ["redis.example:6379", "http://127.0.0.1"])
async def test_a_url_that_is_none_is_a_mistake_in_the_configuration(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"\[store.main\] \$.url: "):
        factories.build(plugin, {"url": url}, factories.context("main", "store"))


async def test_a_server_that_evicts_budgets_is_not_used(own_server: Any, tmp_path: Path) -> None:
    ask(own_server, "config", "set", "maxmemory", "1gb")
    ask(own_server, "config", "set", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(ConfigError, match=r"\[store.main\] \$.url: .*redis.sock: maxmemory-policy allkeys-lru"):
        async with create(own_server, tmp_path):
            pass
    ask(own_server, "config", "set", "maxmemory-policy", "volatile-lru")
    async with create(own_server, tmp_path) as store:
        await store.set("a", b"1", math.inf)


async def test_a_server_that_lets_nobody_in_is_a_mistake_and_tells_no_password(own_server: Any, tmp_path: Path) -> None:
    ask(own_server, "config", "set", "requirepass", "right")
    for url in (own_server.url, own_server.url.replace("unix://", "unix://:wrong-one@")):
        with pytest.raises(ConfigError, match=r"\[store.main\] \$.url: ") as told:
            async with create(own_server, tmp_path, url=url):
                pass
        assert "wrong-one" not in str(told.value)
    async with create(own_server, tmp_path, url=own_server.url.replace("unix://", "unix://:right@")) as store:
        assert await store.get("a") is None


async def test_a_server_without_room_refuses_and_is_not_down(own_server: Any, tmp_path: Path) -> None:
    async with create(own_server, tmp_path) as store:
        await store.set("a", b"1", math.inf)
        ask(own_server, "config", "set", "maxmemory", "1")
        for _ in range(2):
            with pytest.raises(OSError, match="refused"):
                await store.hold("a", [Hold("c", 1, 5, math.inf)], 60)
        assert await store.get("a") == b"1"
        ask(own_server, "config", "set", "maxmemory", "0")
        assert await store.hold("a", [Hold("c", 1, 5, math.inf)], 60) is None


def ask(server: Any, *words: str) -> None:
    told = subprocess.run(["redis-cli", "-s", str(server.socket), *words], capture_output=True, check=True)
    assert told.stdout == b"OK\n", told.stdout


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


async def test_what_was_not_answered_is_not_sent_once_the_network_is_back(tmp_path: Path) -> None:
    """The system would do so for minutes: a hold that was given up, and given back since, would then be made after all."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server("main", f"redis://127.0.0.1:{listening.getsockname()[1]}", "lynkr", 1, 1.5)
        connection = server.client.connection_pool.make_connection()
        await connection._connect()
        found = connection._writer.get_extra_info("socket")
        assert found.getsockopt(socket.SOL_TCP, socket.TCP_USER_TIMEOUT) == 1500
        await connection.disconnect()
        await server.close()
