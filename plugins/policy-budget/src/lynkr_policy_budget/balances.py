"""What budgets stand at, for operators."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from lynkr_core.stores import Balance, Ledger
from lynkr_policy_budget.rules import Rule, moment

PAGE = 1000
MOST = 100_000
UNITS = ("usd", "tokens", "requests")


class Standing:
    """Counters of a ledger with the limits that are on them now."""

    def __init__(self, ledger: Ledger, prefix: str, rules: Sequence[Rule]) -> None:
        self._ledger = ledger
        self._prefix = prefix
        self._rules = rules

    async def rows(self, begins: str = "", over: bool = False) -> list[dict[str, Any]]:
        """Those whose subject begins so, the fullest first; with `over` also those whose window is over, which are kept for a day.

        Amounts are whole nano-dollars, tokens or requests; `limit` and `share` are null where there is no limit any more, `resets` is
        null for what never does. Raises `OSError`.
        """
        found, prefix, after = list[dict[str, Any]](), self._prefix + begins, ""
        now = time.time()
        while len(found) < MOST:
            page = await self._ledger.balances(prefix, PAGE, after=after)
            ends = await self._ledger.windows(prefix, PAGE, after=after)
            found += [row for name, balance in page.items() if (row := self._row(name, balance, ends.get(name, 0.0), now, over))]
            if len(page) < PAGE:
                break
            after = max(page)
        return sorted(found, key=lambda row: (-(row["share"] or 0.0), row["subject"], row["unit"]))

    def _row(self, name: str, balance: Balance, until: float, now: float, over: bool) -> dict[str, Any] | None:
        parts = name.removeprefix(self._prefix).rsplit("/", 3)
        if len(parts) != 4 or parts[3] not in UNITS or (until <= now and not over):
            return None
        subject, per, window, unit = parts
        key = per, window.partition("@")[2], unit
        alike = [rule for rule in self._rules if (rule.windows.per, rule.windows.zone, rule.unit) == key]
        limit = min([rule.limit for rule in alike if rule.is_about(subject)], default=None)
        return {
            "subject": subject, "per": per, "window": window, "unit": unit, "used": balance.used, "held": balance.held, "limit": limit,
            "share": round(balance.used / limit, 4) if limit else None, "resets": None if until > now + 1e10 else moment(until),
        }  # fmt: skip
