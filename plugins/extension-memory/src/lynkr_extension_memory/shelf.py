"""Memories in a store of values.

NAME/OWNER/f/ROOM/ID     a memory; the room is a session, or `all`
NAME/OWNER/t/TALK        what was recalled in a conversation
NAME/OWNER/x/ID          it was forgotten: whoever has read it before and writes it now sees this, and takes it out again
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from lynkr_core.stores import KeyValue
from lynkr_core.stores.guarded import Watch
from lynkr_extension_memory.rows import Record, Row, packed, record_of, row_of

T = TypeVar("T")
PAGE = 500
MOST_LISTED = 100_000


class Shelf:
    """Each call raises `OSError` when the store cannot be asked; one that is down is not waited for again and again."""

    def __init__(self, values: KeyValue, name: str, keep: float, keep_talk: float, watch: Watch | None) -> None:
        self._values = values
        self._name = name
        self._keep = keep
        self._keep_talk = keep_talk
        self._watch = watch

    @property
    def is_up(self) -> bool:
        return self._watch is None or self._watch.since is None

    async def _ask(self, call: Coroutine[Any, Any, T]) -> T:
        return await (call if self._watch is None else self._watch.ask(call))

    async def rows(self, owner: str, room: str, most: int) -> list[Row]:
        """Of one room, in the order of their ids."""
        found = await self._ask(self._values.scan(f"{self._name}/{owner}/f/{room}/", most))
        return [row for row in map(row_of, found.values()) if row is not None]

    async def put(self, owner: str, room: str, row: Row) -> None:
        await self._ask(self._values.set(f"{self._name}/{owner}/f/{room}/{row.id}", packed(row), self._keep))

    async def renew(self, owner: str, room: str, row: Row) -> None:
        """As `put`, of a memory that is there, and may be forgotten meanwhile."""
        await self.put(owner, room, row)
        if await self._ask(self._values.get(f"{self._name}/{owner}/x/{row.id}")) is not None:
            await self.drop(owner, room, row)

    async def drop(self, owner: str, room: str, row: Row) -> None:
        await self._ask(self._values.delete(f"{self._name}/{owner}/f/{room}/{row.id}"))

    async def record(self, owner: str, talk: str) -> Record:
        return record_of(await self._ask(self._values.get(f"{self._name}/{owner}/t/{talk}")))

    async def keep(self, owner: str, talk: str, record: Record) -> Record:
        """Gives what was kept: without what was forgotten meanwhile."""
        key = f"{self._name}/{owner}/t/{talk}"
        await self._ask(self._values.set(key, packed(record), self._keep_talk))
        if ids := record.ids():
            gone = await self._ask(self._values.scan(f"{self._name}/{owner}/x/", PAGE))
            if record.without(ids & {name.rpartition("/")[2] for name in gone}):
                await self._ask(self._values.set(key, packed(record), self._keep_talk))
        return record

    async def all(self, owner: str = "") -> AsyncIterator[tuple[str, Row]]:
        """Memories with their keys: of one owner, or of everybody."""
        async for key, value in self._pages(f"{self._name}/{owner}/f/" if owner else f"{self._name}/"):
            if key.count("/f/") and (row := row_of(value)) is not None:
                yield key, row

    async def forget(self, found: Mapping[str, Row]) -> int:
        """Removes these memories, by their keys, and takes them out of every conversation in which they were recalled."""
        owners: dict[str, set[str]] = {}
        for key, row in found.items():
            owner = key.removeprefix(f"{self._name}/").partition("/")[0]
            owners.setdefault(owner, set()).add(row.id)
            await self._ask(self._values.set(f"{self._name}/{owner}/x/{row.id}", b"", self._keep_talk))
            await self._ask(self._values.delete(key))
        for owner, ids in owners.items():
            await self._sweep(owner, ids)
        return len(found)

    async def _sweep(self, owner: str, ids: Iterable[str]) -> None:
        async for key, value in self._pages(f"{self._name}/{owner}/t/"):
            record = record_of(value)
            if record.without(set(ids)):
                await self._ask(self._values.set(key, packed(record), self._keep_talk))

    async def _pages(self, prefix: str) -> AsyncIterator[tuple[str, bytes]]:
        after, count = "", 0
        while count < MOST_LISTED:
            page = await self._ask(self._values.scan(prefix, PAGE, after=after))
            for key, value in page.items():
                yield key, value
            count += len(page)
            if len(page) < PAGE:
                return
            after = max(page)
