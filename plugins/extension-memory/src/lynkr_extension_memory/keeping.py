"""Keeps what is new against what is known already; what is said again counts more, and a newer value replaces an older one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct, structs

from lynkr_extension_memory.extraction import Finding
from lynkr_extension_memory.recall import HALF_LIFE, weight
from lynkr_extension_memory.rows import Row
from lynkr_extension_memory.shelf import Shelf
from lynkr_extension_memory.words import grams, novelty

SCANNED = 2_000
"""Rows of one room that are looked at, at most."""


class Said(Struct, frozen=True, kw_only=True):
    """Where and when something was said. `by`: user, answer or model. `id` is of the exchange."""

    id: str
    who: str
    session: str
    origin: bytes
    at: float
    by: str


class Keeper:
    """`surprise`: the least share of new grams. `most`: memories of one room; beyond it those worth least go."""

    def __init__(self, shelf: Shelf, surprise: float, most: int) -> None:
        self._shelf = shelf
        self._surprise = surprise
        self._most = most
        self.kept = self.known = self.replaced = 0

    async def keep(self, owner: str, room: str, said: Said, findings: Iterable[Finding]) -> None:
        """Raises `OSError` when the store cannot be asked."""
        rows = {row.id: row for row in await self._shelf.rows(owner, room, SCANNED)}
        for place, finding in enumerate(findings):
            near = alike(finding, rows.values())
            if novelty(grams(finding.words), (grams(row.words) for row in near)) < self._surprise:
                await self._again(owner, room, said, finding, rows, near)
                continue
            row = made(said, finding, place)
            if finding.slot is not None:
                for old in [old for old in rows.values() if old.slot == finding.slot]:
                    await self._shelf.drop(owner, room, old)
                    del rows[old.id]
                    self.replaced += 1
            await self._shelf.put(owner, room, row)
            rows[row.id] = row
            self.kept += 1
        while len(rows) > self._most:
            least = min(rows.values(), key=lambda row: (worth(row, said.at), row.id))
            await self._shelf.drop(owner, room, least)
            del rows[least.id]

    async def _again(
        self, owner: str, room: str, said: Said, finding: Finding, rows: dict[str, Row], near: Sequence[Row]
    ) -> None:
        """What a user says again lives longer and counts more; an answer that repeats it proves nothing."""
        self.known += 1
        new = grams(finding.words)
        row = max(near, key=lambda row: (len(new & grams(row.words)), row.id), default=None)
        if row is not None and said.by == "user" and (row.session, row.origin) != (said.session, said.origin):
            rows[row.id] = again = structs.replace(row, at=said.at, said=row.said + 1)
            await self._shelf.renew(owner, room, again)


def alike(finding: Finding, rows: Iterable[Row]) -> list[Row]:
    """Those with a word in common."""
    own = set(finding.words)
    return [row for row in rows if not own.isdisjoint(row.words)]


def made(said: Said, finding: Finding, place: int) -> Row:
    """The id says nothing of the text."""
    id = blake2b(f"{said.id}/{said.by}/{place}".encode(), digest_size=8).hexdigest()
    return Row(
        id=f"mem_{id}", who=said.who, session=said.session, kind=finding.kind, text=finding.text, weight=finding.weight,
        at=said.at, origin=said.origin, by=said.by, slot=finding.slot,
        words=finding.words,
    )  # fmt: skip


def worth(row: Row, now: float) -> float:
    return weight(row) * 0.5 ** (max(now - row.at, 0.0) / HALF_LIFE)
