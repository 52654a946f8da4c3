"""Keeps values, budgets and records in Redis or Valkey: for several gateways that share them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

import anyio
from msgspec import Meta, Struct

from lynkr_core.errors import ConfigError
from lynkr_core.plugins import Context, Plugin
from lynkr_core.secret import Secret
from lynkr_core.stores.outbox import Outbox
from lynkr_core.stores.pages import PagedJournal
from lynkr_core.stores.spill import Row
from lynkr_store_redis.books import Books
from lynkr_store_redis.server import Server
from lynkr_store_redis.values import Values

DAY = 86400.0


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[Secret, Meta(description="`redis://user:password@host:6379/0`, `rediss://…` with TLS, or `unix:///path`.")]
    prefix: Annotated[str, Meta(min_length=1, description="What all keys begin with, in braces.")] = "lynkr"
    connections: Annotated[int, Meta(gt=0, description="Connections of each process; calls beyond wait for one.")] = 16
    deadline: Annotated[float, Meta(gt=0, description="Seconds after which a call that is not answered has failed.")] = 1.0
    retention_days: Annotated[float, Meta(gt=0, description="Days after which a record is deleted.")] = 90.0
    records: Annotated[int, Meta(gt=0, description="Records that are kept at most; the oldest go.")] = 1_000_000
    pending: Annotated[int, Meta(gt=0, description="Records that may wait to be written; more are dropped and counted.")] = (
        100_000
    )
    spill: Annotated[
        str, Meta(min_length=1, description="How the names of files begin that take records while the server is down.")
    ] = "lynkr-redis"
    durable: Annotated[
        bool, Meta(description="Have records that wait in such a file, too: who is killed (kill -9, no memory left) loses none.")
    ] = False


class RedisStore(Books, Values, PagedJournal):
    """A `Journal`, a `KeyValue` and a `Ledger`."""

    def __init__(self, config: Config, context: Context) -> None:
        self._where = f"[{context.kind}.{context.name}] $.url"
        try:
            server = Server(context.name, config.url.reveal(), config.prefix, config.connections, config.deadline)
        except ValueError as error:
            raise ConfigError([f"{self._where}: {error}"]) from None
        Books.__init__(self, server)
        Values.__init__(self, server)
        self._config = config
        self._server = server
        self._records, self._times = server.key("records"), server.key("times")
        spill = Path(config.spill).expanduser().absolute()
        self.outbox = Outbox(context.name, self._write, config.pending, spill, config.durable)

    async def __aenter__(self) -> Self:
        """A server that is down is waited for in the background. Raises `ConfigError` when it lets nobody in or evicts what must stay."""
        with suppress(OSError):
            if mistake := await self._server.mistake():
                await self._server.close()
                raise ConfigError([f"{self._where}: {mistake}"])
        await self.outbox.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        with anyio.CancelScope(shield=True):
            await self.outbox.__aexit__(*error)
            await self._server.close()

    async def _find(self, id: str) -> bytes | None:
        return await self._server.ask(self._server.client.hget(self._records, id))

    async def _page(self, since: float, until: float, before: tuple[float, str], limit: int) -> list[Row]:
        """Sorted sets order ids of one time as it is wanted, the last first."""
        ask, client = self._server.ask, self._server.client
        places: list[tuple[str, float]] = []
        start, end = 0, min(until, before[0])
        while not places:
            found: list[tuple[bytes, float]] = await ask(
                client.zrevrangebyscore(self._times, end, since, start=start, num=limit, withscores=True)
            )
            if not found:
                return []
            start += len(found)
            places = [(id.decode(), at) for id, at in found if (at, id.decode()) < before]
        records: list[bytes | None] = await ask(client.hmget(self._records, [id for id, _ in places]))
        return [(id, at, record) for (id, at), record in zip(places, records, strict=True) if record is not None]

    async def _write(self, rows: Sequence[Row]) -> None:
        args: list[Any] = [time.time() - self._config.retention_days * DAY, self._config.records]
        for id, created, record in rows:
            args += (id, created, record)
        await self._server.run("write", args, [self._records, self._times])


plugin = Plugin(api=1, config=Config, create=RedisStore)
