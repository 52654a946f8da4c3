"""What came of earlier requests, and what it says of one that is like them. Bounded: the oldest row goes first."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lynkr_scorer_learned.embedding import Vector

TIERS = 4
NARROW = 0.15
"""How quickly likeness fades: a row counts exp((cosine - 1) / NARROW)."""
HELD = 0.5
"""Rows of the memory's own average that are added to each estimate."""
COMMON = 0.7
"""How much of the mean vector is taken out of each: all of it would make strangers of rows that are all alike."""
RENEWED, SHARE = 64, 8
"""New rows after which the mean vector is taken anew: so many, or one in `SHARE` of a large memory."""
QUANTUM = 127.0


class Row(Struct, frozen=True, kw_only=True):
    """`tier`: 0 to 3, the dearest tier of the model that answered. `weight`: 0 to 1, how much this outcome is to be believed."""

    id: str
    owner: int
    vector: Vector
    tier: int
    good: bool
    weight: float


class Estimate(Struct, frozen=True):
    """`value`: 0 to 100. `sample`: so many outcomes of requests exactly like this one would say as much."""

    value: float
    sample: float


class Memory:
    """Rows in fixed slots, used in turn. `limit` rows in all, `each` of one owner."""

    def __init__(self, size: int, limit: int, each: int) -> None:
        self.limit, self.each = limit, min(each, limit)
        self.vectors: NDArray[np.int8] = np.zeros((limit, size), np.int8)
        self.tiers = np.zeros(limit, np.int8)
        self.good = np.zeros(limit, np.bool_)
        self.weights = np.zeros(limit, np.float32)
        self.owners = np.zeros(limit, np.int64)
        self.ids: dict[int, str] = {}
        self.slots: OrderedDict[str, int] = OrderedDict()
        """Where each row stands by its id, the oldest first."""
        self.dirty: set[int] = set()
        self._of: dict[int, OrderedDict[str, None]] = {}
        self._near: Vector = np.zeros((limit, size), np.float32)
        self._mean: Vector = np.zeros(size, np.float32)
        self._fresh = 0

    def __len__(self) -> int:
        return len(self.slots)

    def add(self, row: Row) -> None:
        """Keeps a row, in the place of the one with its id, its owner's oldest or the oldest of all."""
        slot = self._slot(row)
        self.ids[slot] = row.id
        self.slots[row.id] = slot
        self._of.setdefault(row.owner, OrderedDict())[row.id] = None
        self.vectors[slot] = np.rint(row.vector * QUANTUM).astype(np.int8)
        self.tiers[slot], self.owners[slot] = row.tier, row.owner
        self._near[slot] = self._centred(self.vectors[slot].astype(np.float32))
        self.judge(row.id, row.good, row.weight)
        self._fresh += 1
        if len(self) < RENEWED or self._fresh >= max(RENEWED, len(self) // SHARE):
            self.renew()

    def judge(self, id: str, good: bool, weight: float) -> None:
        """Says anew what came of a request. Raises `KeyError` for one that is not remembered."""
        slot = self.slots[id]
        self.good[slot], self.weights[slot] = good, weight
        self.dirty.add(slot)

    def owner(self, id: str) -> int | None:
        slot = self.slots.get(id)
        return None if slot is None else int(self.owners[slot])

    def _slot(self, row: Row) -> int:
        own = self._of.get(row.owner, OrderedDict[str, None]())
        if row.id in self.slots:
            return self._free(row.id)
        if len(own) >= self.each:
            return self._free(next(iter(own)))
        return len(self) if len(self) < self.limit else self._free(next(iter(self.slots)))

    def _free(self, id: str) -> int:
        slot = self.slots.pop(id)
        owner = int(self.owners[slot])
        self._of[owner].pop(id, None)
        if not self._of[owner]:
            del self._of[owner]
        return slot

    def renew(self) -> None:
        """Takes what all rows have in common, which says nothing of any one of them, out of each."""
        count = len(self)
        if count:
            rows = self.vectors[:count].astype(np.float32)
            self._mean = COMMON * unit(rows).mean(axis=0)
            self._near[:count] = self._centred(rows)
        self._fresh = 0

    def _centred(self, rows: Vector) -> Vector:
        moved = unit(rows) - self._mean
        return unit(moved)

    def estimate(self, vector: Vector, owner: int | None = None) -> Estimate | None:
        """What the rows, of one owner or of all, say; None when there are none."""
        count = len(self)
        if not count:
            return None
        likeness = np.vecdot(self._near[:count], self._centred(vector))  # row by row: `@` waits for BLAS's threads on busy cores
        near = np.exp((likeness - 1) / NARROW) * self.weights[:count]
        believed = self.weights[:count]
        if owner is not None:
            own = self.owners[:count] == owner
            near, believed = near * own, believed * own
        return self._summed(near, believed) if believed.any() else None

    def _summed(self, near: Vector, believed: Vector) -> Estimate:
        """An answer that was good says so of every dearer tier too, one that was not of every cheaper one."""
        tiers, good = self.tiers[: len(near)], self.good[: len(near)]
        value, sample = 12.5, 0.0
        for tier in range(TIERS - 1):
            failed, passed = ~good & (tiers >= tier), good & (tiers <= tier)
            bad, fine = float(near[failed].sum()), float(near[passed].sum())
            usual = (float(believed[failed].sum()) + 0.5) / (float(believed[failed | passed].sum()) + 1.0)
            value += 25 * (bad + HELD * usual) / (bad + fine + HELD)
            sample += (bad + fine) / (TIERS - 1)
        return Estimate(value, sample)


def unit(rows: Vector) -> Vector:
    """Each with length 1."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=rows.ndim > 1)
    return (rows / np.maximum(lengths, 1e-9)).astype(np.float32)


def owner_of(principal: str) -> int:
    """A number for a principal, the same in every process."""
    return int.from_bytes(blake2b(principal.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little", signed=True)
