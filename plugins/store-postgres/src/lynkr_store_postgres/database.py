"""The database: a pool of connections, a deadline for each call, and a line that is cut while it is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from lynkr_core.stores.line import Line
from lynkr_store_postgres.schema import VersionError, lock_of, migrate

T = TypeVar("T")
DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
LOCKED = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError)
STALLED_SECONDS = 5
"""After so long the server ends a transaction whose gateway says nothing more, so that a frozen one holds nobody up."""


class Connection(asyncpg.Connection):
    """Nothing is ever set that outlives a transaction: asking the server to reset it would cost a round trip each time it is given back."""

    def get_reset_query(self) -> str:
        return ""


@asynccontextmanager
async def transaction(connection: Any) -> AsyncGenerator[None]:
    """As asyncpg's own, but one that is cancelled asks for nothing more: a server that is frozen would never answer to the rollback."""
    begun = connection.transaction(isolation="read_committed")
    await begun.start()
    try:
        yield
    except (asyncio.CancelledError, OSError):
        connection.terminate()
        raise
    except BaseException:
        await begun.rollback()
        raise
    else:
        await begun.commit()


class Database:
    """Calls wait for a free connection, within their deadline. The tables are made or brought up to date before the first one."""

    def __init__(self, name: str, url: str, schema: str, connections: int, deadline: float) -> None:
        self.schema = schema
        self.line = Line(name, deadline, DOWN, (asyncpg.PostgresError, VersionError))
        self._deadline = deadline
        self._options: dict[str, Any] = {
            "dsn": url,
            "min_size": 0,
            "max_size": connections,
            "timeout": deadline,
            "connection_class": Connection,
            "server_settings": {
                "application_name": "lynkr",
                "search_path": f'"{schema}"',
                "statement_timeout": str(round(deadline * 1000)),
                "idle_in_transaction_session_timeout": str(STALLED_SECONDS * 1000),
            },
        }
        self._pool: Any = None
        self._ready = False
        self._preparing = asyncio.Lock()

    async def open(self) -> None:
        """Asks nobody yet. Raises `ValueError` for a URL that is none."""
        driver: Any = asyncpg  # without type stubs
        self._pool = await driver.create_pool(**self._options)

    async def prepare(self) -> None:
        """Brings the tables up to date, however long that takes. Raises asyncpg's errors, `OSError` or `VersionError`."""
        async with self._connection():
            pass

    async def close(self) -> None:
        """Connections that do not end in time are cut."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(self._deadline):
                await pool.close()
        except (*DOWN, asyncpg.PostgresError, OSError):
            pool.terminate()

    async def ask(self, call: Callable[[Any], Awaitable[T]]) -> T:
        """What the call makes of a connection. Raises `OSError`."""
        return await self.line.ask(self._run(call))

    def lock(self, what: str) -> int:
        return lock_of(self.schema, what)

    async def _run(self, call: Callable[[Any], Awaitable[T]]) -> T:
        async with self._connection() as connection:
            return await call(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        """One that was waited for in vain is thrown away: asyncpg would wait for the server to say that it has stopped."""
        if self._pool is None:
            raise OSError("the store is not open")
        connection = await self._pool.acquire(timeout=self._deadline)
        try:
            if not self._ready:
                async with self._preparing:
                    await migrate(connection, self.schema)
                    self._ready = True
            yield connection
        except (asyncio.CancelledError, OSError):
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection, timeout=self._deadline)
