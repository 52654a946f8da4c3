"""The server, asked with scripts: one script is one step that nobody else comes between."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ConnectionError, RedisError, TimeoutError

from lynkr_core.stores.line import Line

DOWN = (ConnectionError, TimeoutError, BusyLoadingError)
Script = Callable[..., Awaitable[Any]]
LEDGER = ("hold", "book", "renew", "extend", "balances")
KINDS = ("total", "used", "names", "windows", "leases", "ends", "lapsed")


class LockedError(Exception):
    """The server wants another user or password."""


class Server:
    """A pool of connections that waits when all are used, and a line that is cut while the server is down. All keys begin with
    `{prefix}:`, so that a cluster behind a proxy keeps them together.

    Nothing is repeated by itself: nobody knows what a call did that was not answered.
    """

    def __init__(self, name: str, url: str, prefix: str, connections: int, deadline: float) -> None:
        """Raises `ValueError` for a URL that is none."""
        pool_class: Any = BlockingConnectionPool
        pool = pool_class.from_url(
            url,
            max_connections=connections,
            timeout=deadline,
            socket_timeout=None,
            socket_connect_timeout=deadline,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        where = pool.connection_kwargs
        if "path" not in where and hasattr(socket, "TCP_USER_TIMEOUT"):
            # else the system goes on sending, after the network is back, what was given up and has been done again since
            where.update(socket_keepalive=True, socket_keepalive_options={socket.TCP_USER_TIMEOUT: round(deadline * 1000)})
        self.address: str = where.get("path") or f"{where.get('host', 'localhost')}:{where.get('port', 6379)}"
        self.line = Line(name, deadline, DOWN, (RedisError,))
        self.client: Any = Redis.from_pool(pool)
        self._prefix = f"{{{prefix}}}:"
        self._scripts: dict[str, Script] = {name: self._script(name) for name in (*LEDGER, "take", "set", "write")}
        self._counters = [self.key(kind) for kind in KINDS]

    def key(self, name: str) -> str:
        return self._prefix + name

    async def run(self, script: str, args: Sequence[Any], keys: Sequence[str] | None = None) -> Any:
        """What the script returns; without `keys` it is one of the ledger's. Raises `OSError`."""
        return await self.ask(self._scripts[script](keys=self._counters if keys is None else keys, args=args))

    async def ask(self, call: Any) -> Any:
        """Raises `OSError` when the server does not answer in time, is down, or refuses."""
        return await self.line.ask(call)

    async def mistake(self) -> str | None:
        """Why nobody may begin to use it: it lets nobody in, or deletes what must stay. Raises `OSError` when it is down."""
        try:
            info = await self.line.ask(self._memory())
        except LockedError as error:
            return f"{self.address}: {error}"
        policy = str(info.get("maxmemory_policy", ""))
        if policy.startswith("allkeys") and int(info.get("maxmemory", 0)) > 0:
            return f"{self.address}: maxmemory-policy {policy} deletes budgets; set noeviction or volatile-lru"
        return None

    async def _memory(self) -> dict[str, Any]:
        try:
            return await self.client.info("memory")
        except RedisError as error:
            if isinstance(error, AuthenticationError) or isinstance(error.__cause__, AuthenticationError):
                raise LockedError(str(error)) from None
            raise

    async def close(self) -> None:
        await self.client.aclose(close_connection_pool=True)

    def _script(self, name: str) -> Script:
        folder = files(__package__ or "") / "lua"
        text = (folder / f"{name}.lua").read_text("utf-8")
        if name in LEDGER:
            text = (folder / "prelude.lua").read_text("utf-8") + text
        return self.client.register_script(text)
