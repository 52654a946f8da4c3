"""The kept responses of every principal, in a store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import Unavailable
from lynkr_core.exchange import Principal
from lynkr_core.stores import KeyValue
from lynkr_extension_responses.record import Record, encode, read_answer, read_record

log = logging.getLogger("lynkr.extension.responses")
PAUSES = (0.05, 0.2)
"""Seconds after which an unknown id is looked for again: another process may be writing it at this moment."""
READ_SECONDS = 3.0
FINISHED = ("completed", "incomplete", None)
"""A status whose response can be gone on from; servers that leave it out send finished ones."""


class Kept:
    """`ttl` in seconds, `limit` in bytes for each response with its conversation."""

    def __init__(self, values: KeyValue, ttl: float, limit: int) -> None:
        self._values = values
        self._ttl = ttl
        self._limit = limit
        self._writing: set[asyncio.Task[None]] = set()

    async def find(self, id: str, patient: bool = False) -> Record | None:
        """The record, whoever owns it. Raises `Unavailable` when the store cannot be read."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                data = await self._values.get(key(id))
                for pause in PAUSES if patient and data is None else ():
                    await asyncio.sleep(pause)
                    data = data or await self._values.get(key(id))
            return None if data is None else read_record(data)
        except Exception as error:  # each store has errors of its own; to go on without the conversation would be wrong
            log.error("response %.60s cannot be read: %s: %s", id, type(error).__name__, error)
            raise Unavailable("the store of responses cannot be read at the moment") from None

    async def delete(self, id: str) -> None:
        """Raises `Unavailable`."""
        try:
            await self._values.delete(key(id))
        except OSError as error:
            log.error("response %.60s cannot be deleted: %s", id, error)
            raise Unavailable("the store of responses cannot be written at the moment") from None

    def keep(self, body: bytes, principal: Principal, earlier: Sequence[Raw] | None) -> None:
        """Begins to write a response. Without `earlier` only whose it is: the conversation is kept elsewhere."""
        try:
            answer = read_answer(body)
        except UNREADABLE:
            return  # an error in the place of an answer
        if not answer.id or answer.status not in FINISHED:
            return
        record = Record(owner=principal.id)
        if earlier is not None:
            record = Record(owner=principal.id, input=list(earlier), response=Raw(body))
        task = asyncio.ensure_future(self._write(answer.id, record))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, id: str, record: Record) -> None:
        data = encode(record)
        if len(data) > self._limit:
            log.warning("response %.60s is not kept: it has %d bytes with its conversation", id, len(data))
            data = encode(Record(owner=record.owner))
        try:
            before = await self._values.get(key(id))
            if before is not None and read_record(before).owner != record.owner:
                log.error("response %.60s is not kept: somebody else's has the same id", id)
                return
            await self._values.set(key(id), data, self._ttl)
        except (OSError, msgspec.DecodeError) as error:
            log.error("response %.60s cannot be kept: %s", id, error)

    async def settle(self) -> None:
        """Returns when all that was begun is written."""
        while self._writing:
            await asyncio.wait(self._writing)


def key(id: str) -> str:
    return f"responses/{id}"
