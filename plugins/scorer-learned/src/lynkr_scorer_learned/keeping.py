"""The memory in a key-value store, in pieces, so that a new row does not write all of them anew."""

from __future__ import annotations

import logging

import msgspec
import numpy as np
from msgspec import Struct

from lynkr_core.stores import KeyValue
from lynkr_scorer_learned.memory import QUANTUM, Memory, Row

log = logging.getLogger("lynkr.scorer.learned")
PIECE = 256
"""Rows of a piece."""
TTL = 90 * 86_400.0
SHOWN = 3600.0
"""Seconds for which the processes that share the store may look up each other's rows: thumbs are given soon."""
LONGEST_ID = 100


class Kept(Struct, frozen=True, array_like=True):
    """A row as it is stored. `vector`: a signed byte for each number."""

    id: str
    owner: int
    tier: int
    good: bool
    weight: float
    vector: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Kept]).decode


class Keeper:
    """`prefix`: what its keys begin with; it names the embedder, whose vectors cannot be compared with another's."""

    def __init__(self, store: KeyValue, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def load(self, memory: Memory) -> None:
        """Takes what is stored into an empty memory, piece by piece, up to its limit. A piece that cannot be read is left out."""
        for piece in range(-(-memory.limit // PIECE)):
            data = await self._store.get(f"{self._prefix}{piece}")
            if data is None:
                break
            try:
                rows = [row for row in map(row_of, _decode(data)) if len(row.vector) == memory.vectors.shape[1]]
            except (msgspec.MsgspecError, ValueError) as error:
                log.warning("a stored piece of what was learned cannot be read: %s", type(error).__name__)
                continue
            for row in rows:
                memory.add(row)
        memory.dirty.clear()
        memory.renew()

    async def save(self, memory: Memory) -> None:
        """Writes the pieces that have changed. What cannot be written is tried again with the next save."""
        for piece in sorted({slot // PIECE for slot in memory.dirty}):
            slots = range(piece * PIECE, min((piece + 1) * PIECE, len(memory)))
            memory.dirty.difference_update(slots)
            try:
                await self._store.set(f"{self._prefix}{piece}", _encode([kept(memory, slot) for slot in slots]), TTL)
            except OSError as error:
                memory.dirty.update(slots)
                log.warning("what was learned cannot be stored: %s", type(error).__name__)
                return

    async def show(self, memory: Memory, id: str) -> None:
        """Lets other processes find a row, for a thumb that is given to one of them."""
        if id in memory.slots:
            row = _encode([kept(memory, memory.slots[id])])
            try:
                await self._store.set(f"{self._prefix}row-{id}", row, SHOWN)
            except OSError as error:
                log.warning("an outcome cannot be shown to other processes: %s", type(error).__name__)

    async def shown(self, id: str) -> Row | None:
        """A row of whichever process; None for none, and for an id that nobody has made."""
        if not (id.isascii() and id.isprintable() and len(id) <= LONGEST_ID):
            return None
        try:
            data = await self._store.get(f"{self._prefix}row-{id}")
            return row_of(_decode(data)[0]) if data is not None else None
        except (OSError, msgspec.MsgspecError, ValueError, IndexError) as error:
            log.warning("an outcome of another process cannot be read: %s", type(error).__name__)
            return None


def kept(memory: Memory, slot: int) -> Kept:
    return Kept(
        memory.ids[slot], int(memory.owners[slot]), int(memory.tiers[slot]), bool(memory.good[slot]),
        round(float(memory.weights[slot]), 3), memory.vectors[slot].tobytes(),
    )  # fmt: skip


def row_of(kept: Kept) -> Row:
    """Raises `ValueError` for what is no row."""
    if not 0 <= kept.tier <= 3 or not 0 <= kept.weight <= 1:
        raise ValueError("no row")
    vector = np.frombuffer(kept.vector, np.int8).astype(np.float32) / np.float32(QUANTUM)
    return Row(id=kept.id, owner=kept.owner, vector=vector, tier=kept.tier, good=kept.good, weight=kept.weight)
