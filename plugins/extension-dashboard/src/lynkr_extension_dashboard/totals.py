"""Sums since the start, by principal and tier. Rows are added many at a time: one by one each would cost three times as much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs

from lynkr_extension_dashboard.row import Row

MOST = 4_096
"""Pairs of principal and tier; beyond them the one that came first is forgotten."""
AT_ONCE = 256


class Sums(Struct):
    """`usd` and `saved_usd` as far as they are known; `seconds` from arrival to end."""

    requests: int = 0
    errors: int = 0
    refused: int = 0
    fallbacks: int = 0
    cache_hits: int = 0
    unpriced: int = 0
    usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    saved_tokens: int = 0
    saved_usd: float = 0.0
    seconds: float = 0.0

    def add(self, row: Row) -> None:
        self.requests += 1
        self.seconds += row.duration
        self.fallbacks += row.fallback
        if row.status != "ok":
            self.errors += row.status in ("error", "cut")
            self.refused += row.status == "refused"
        if row.cache in ("hit", "semantic"):
            self.cache_hits += 1
        if row.usage is not None:
            self.input_tokens += row.usage.input_tokens
            self.output_tokens += row.usage.output_tokens
            self.cache_read += row.usage.cache_read
            self.unpriced += row.cost is None
            self.usd += row.cost or 0.0
        if row.savings:
            self.saved_tokens += row.saved_tokens
            self.saved_usd += row.saved_usd() or 0.0


class Totals:
    def __init__(self) -> None:
        self._sums: dict[tuple[str, str | None], Sums] = {}
        self._waiting: list[Row] = []

    def add(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        for row in self._waiting:
            key = (row.principal.id, row.tier)
            sums = self._sums.get(key)
            if sums is None:
                if len(self._sums) >= MOST:
                    del self._sums[next(iter(self._sums))]
                sums = self._sums[key] = Sums()
            sums.add(row)
        self._waiting.clear()

    def finished(self, principal: str | None) -> int:
        """How many, of one principal or of all."""
        self._settle()
        return sum([sums.requests for (id, _), sums in self._sums.items() if principal in (None, id)])

    def by_tier(self, principal: str | None) -> list[dict[str, Any]]:
        self._settle()
        found: dict[str | None, list[Sums]] = {}
        for (id, tier), sums in self._sums.items():
            if principal in (None, id):
                found.setdefault(tier, []).append(sums)
        return [{"tier": tier, **added(found[tier])} for tier in sorted(found, key=lambda tier: (tier is None, tier))]


def added(sums: Iterable[Sums]) -> dict[str, Any]:
    rows = [structs.astuple(one) for one in sums]
    return dict(zip(Sums.__struct_fields__, map(sum, zip(*rows, strict=True)), strict=True))
