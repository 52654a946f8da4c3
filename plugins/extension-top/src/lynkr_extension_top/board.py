"""What is shown, put together from one answer of the gateway after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

KEPT = 200
"""Finished requests that are remembered."""
LONGEST = 60
Row = Mapping[str, Any]


class Board:
    """`take` an answer of `GET /v1/admin/live`, or the little that a gateway without that feed tells (`Reader.poll`)."""

    def __init__(self) -> None:
        self.told: Row = {}
        self.finished: deque[Row] = deque(maxlen=KEPT)
        self.missed = 0

    def take(self, told: Row) -> None:
        if told.get("anew", True):
            self.finished.clear()
        self.finished.extend(told.get("finished") or ())
        self.missed += told.get("missed") or 0
        self.told = told

    @property
    def open(self) -> Sequence[Row]:
        return self._table("open").get("rows") or ()

    def _table(self, name: str) -> Row:
        found = self.told.get(name)
        return cast("Row", found) if isinstance(found, Mapping) else {}

    def headline(self) -> str:
        """One line: how much, and since when."""
        totals: Sequence[Row] = self.told.get("totals") or ()
        sums = {
            name: sum(row.get(name) or 0 for row in totals)
            for name in ("requests", "errors", "refused", "usd", "saved_usd", "unpriced")
        }
        said = [
            f"{self._table('open').get('total', 0)} under way",
            f"{sums['requests']:,} requests",
            f"{sums['errors']:,} failed",
        ]
        said += [f"{sums['refused']:,} refused"] if sums["refused"] else []
        said += [f"{dollars(sums['usd'])} spent", f"{dollars(sums['saved_usd'])} saved"]
        if sums["unpriced"]:
            said.append(f"{sums['unpriced']:,} without a price")
        if self.told.get("sees") == "own":
            said.append("your own only")
        if self._table("process").get("workers", 1) > 1:
            said.append("one worker of several")
        if self.missed:
            said.append(f"{self.missed:,} not shown")
        return " · ".join(said)

    def under_way(self) -> list[tuple[str, ...]]:
        return [
            (age(row.get("seconds")), model(row), name(row.get("tier")), name(row.get("stage")), who(row), f"{row.get('attempts') or 0}")
            for row in self.open
        ]  # fmt: skip

    def ended(self) -> list[tuple[str, ...]]:
        """The newest first."""
        return [ended(row) for row in reversed(self.finished)]

    def tiers(self) -> list[tuple[str, ...]]:
        """Every tier, also those that nothing came to."""
        totals: Sequence[Row] = self.told.get("totals") or ()
        by = {row.get("tier"): row for row in totals}
        configured: Sequence[Row] = self.told.get("tiers") or ()
        names = [row.get("name") for row in configured]
        order = [*names, *[tier for tier in by if tier not in names]]
        whole = sum(row.get("requests") or 0 for row in totals) or 1
        rows = [(tier, by.get(tier, {})) for tier in order]
        return [
            (name(tier), count(row.get("requests", 0)), f"{(row.get('requests') or 0) / whole:.0%}", dollars(row.get("usd", 0)),
             dollars(row.get("saved_usd", 0)), count(row.get("errors", 0)), count(row.get("fallbacks", 0)))
            for tier, row in rows
        ]  # fmt: skip

    def breakers(self) -> list[str]:
        """Models that are left alone, plugins that are off; empty when all is well."""
        found = [alone(id, row) for id, row in self._table("left_alone").items()]
        plugins: Sequence[Row] = self.told.get("plugins") or ()
        return found + [f"{name(row.get('id'))}: switched off after errors" for row in plugins if row.get("off")]

    def budgets(self) -> list[str]:
        """The fullest first."""
        rows: Sequence[Row] = self.told.get("budgets") or ()
        share = {place: (row.get("used") or 0) / row["limit"] if row.get("limit") else 0.0 for place, row in enumerate(rows)}
        order = sorted(range(len(rows)), key=lambda place: -share[place])
        return [f"{name(rows[p].get('subject'))}: {share[p]:.0%} of {amount(rows[p])}" for p in order]


def ended(row: Row) -> tuple[str, ...]:
    """The cells of a finished request; a star says that it was not served by the first choice."""
    status = name(row.get("status")) + (" *" if row.get("fallback") else "")
    tokens = [count(row.get(key)) for key in ("input_tokens", "output_tokens", "saved_tokens")]
    why = name(row.get("error") or row.get("reason"))
    return (status, model(row), name(row.get("tier")), age(row.get("duration")), dollars(row.get("cost")), *tokens, who(row), why)


def alone(id: str, row: Row) -> str:
    return f"{name(id)}: {name(row.get('state'))}, {age(row.get('seconds'))} more, {name(row.get('reason'))}"


def amount(row: Row) -> str:
    limit = dollars(row.get("limit")) if row.get("unit") == "usd" else f"{count(row.get('limit'))} {name(row.get('unit'))}"
    return f"{limit} a {name(row.get('per'))}"


def name(value: object) -> str:
    """Without what would move the cursor of a terminal: callers choose some of what is shown."""
    return "-" if value is None else "".join(letter if letter.isprintable() else "?" for letter in str(value))[:LONGEST]


def model(row: Row) -> str:
    return f"{name(row.get('provider'))}/{name(row.get('model'))}" if row.get("model") else name(row.get("model_asked"))


def who(row: Row) -> str:
    return name(next((row[key] for key in ("key", "user", "team", "agent", "principal") if row.get(key)), None))


def dollars(value: float | None) -> str:
    return "?" if value is None else f"${value:,.4f}" if abs(value) < 1 else f"${value:,.2f}"


def count(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def age(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.1f}s" if seconds < 100 else f"{seconds / 60:.0f}m"
