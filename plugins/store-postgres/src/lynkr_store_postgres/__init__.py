"""Keeps values, budgets and records in PostgreSQL: for several gateways that share them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

import anyio
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Meta, Struct

from lynkr_core.errors import ConfigError
from lynkr_core.plugins import Context, Plugin
from lynkr_core.secret import Secret
from lynkr_core.stores.outbox import Outbox
from lynkr_core.stores.pages import PagedJournal
from lynkr_core.stores.spill import Row
from lynkr_store_postgres.database import DOWN, LOCKED, Database
from lynkr_store_postgres.journal import Table
from lynkr_store_postgres.ledger import TableLedger, forget
from lynkr_store_postgres.schema import VersionError
from lynkr_store_postgres.values import Values, fit

log = logging.getLogger("lynkr.store.postgres")

DAY = 86400.0
SWEEP_SECONDS = 300.0
SLICE_ROWS = 5000


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[Secret, Meta(description="`postgresql://user:password@host:5432/database`; `?sslmode=verify-full` for TLS.")]
    schema: Annotated[
        str, Meta(pattern="^[a-z_][a-z0-9_]{0,62}$", description="Where the tables are; made when there is none.")
    ] = "lynkr"
    connections: Annotated[int, Meta(gt=0, description="Connections of each process; calls beyond wait for one.")] = 8
    deadline: Annotated[float, Meta(gt=0, description="Seconds after which a call that is not answered has failed.")] = 1.0
    retention_days: Annotated[
        float, Meta(gt=0, description="Days after which a record is deleted, when its whole month is that old.")
    ] = 90.0
    pending: Annotated[int, Meta(gt=0, description="Records that may wait to be written; more are dropped and counted.")] = (
        100_000
    )
    values_bytes: Annotated[
        int, Meta(gt=0, description="Bytes of values kept for other plugins; the ones that expire first go.")
    ] = 1024 * 1024 * 1024
    spill: Annotated[
        str, Meta(min_length=1, description="How the names of files begin that take records while the database is down.")
    ] = "lynkr-postgres"
    durable: Annotated[
        bool, Meta(description="Have records that wait in such a file, too: who is killed (kill -9, no memory left) loses none.")
    ] = False


class PostgresStore(TableLedger, Values, PagedJournal):
    """A `Journal`, a `KeyValue` and a `Ledger`."""

    def __init__(self, config: Config, context: Context) -> None:
        self._where = f"[{context.kind}.{context.name}] $.url"
        database = Database(context.name, config.url.reveal(), config.schema, config.connections, config.deadline)
        TableLedger.__init__(self, database)
        Values.__init__(self, database)
        self._database = database
        self._config = config
        self._table = Table(database)
        self._sweeping: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        spill = Path(config.spill).expanduser().absolute()
        self.outbox = Outbox(context.name, self._table.write, config.pending, spill, config.durable)

    async def __aenter__(self) -> Self:
        """A database that is down is waited for in the background. Raises `ConfigError` when it cannot be this store's."""
        try:
            await self._database.open()
            await self._database.prepare()
        except (*LOCKED, VersionError, ValueError, asyncpg.ClientConfigurationError) as error:
            await self._database.close()
            raise ConfigError([f"{self._where}: {error}"]) from None
        except (OSError, *DOWN) as error:
            log.error("%s: the database is down: %s", self._where, error)
        await self.outbox.__aenter__()
        self._sweeping = asyncio.create_task(self._sweep(), name="lynkr-postgres-sweep")
        return self

    async def __aexit__(self, *error: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.outbox.__aexit__(*error)
            self._ending.set()
            if self._sweeping is not None:
                await self._sweeping
            await self._database.close()

    async def _find(self, id: str) -> str | None:
        return await self._table.find(id)

    async def _page(self, since: float, until: float, before: tuple[float, str], limit: int) -> list[Row]:
        return await self._table.page(since, until, before, limit)

    async def _sweep(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError):
                await self._database.ask(self._forget)
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._ending.wait()

    async def _forget(self, connection: Any) -> None:
        await forget(connection, self._database.lock("ledger"), SLICE_ROWS)
        await fit(connection, self._config.values_bytes, SLICE_ROWS)
        dropped = await self._table.drop_before(connection, time.time() - self._config.retention_days * DAY)
        if dropped:
            log.info("dropped %s: all their records were older than %g days", ", ".join(dropped), self._config.retention_days)


plugin = Plugin(api=1, config=Config, create=PostgresStore)
