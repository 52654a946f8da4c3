"""`lynkr usage --savings`: the receipts of the journal, added up by plugin."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from lynkr_core.cli.exporting import records
from lynkr_core.cli.printing import print_json
from lynkr_core.cli.usage import journal_of
from lynkr_core.stores import Record

HEADS = ("plugin", "requests", "tokens", "USD", "lost in")


class Sum(Struct):
    """One plugin's. `unpriced`: requests of which nobody knows what they saved in USD; `losses`: those that it made dearer."""

    requests: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    losses: int = 0


class Receipts:
    """Of all requests whose cost is known, `billed` USD; `untouched` is what they would have cost without any plugin."""

    def __init__(self) -> None:
        self.requests = 0
        self.untouched = self.billed = 0.0
        self.plugins: dict[str, Sum] = {}

    def add(self, record: Record) -> None:
        if record.get("cost") is not None and record.get("untouched") is not None:
            self.requests += 1
            self.billed += record["cost"]
            self.untouched += record["untouched"]
        for saving in record.get("savings") or ():
            self.one(saving)

    def one(self, saving: Mapping[str, Any]) -> None:
        sum = self.plugins.setdefault(saving["plugin"], Sum())
        sum.requests += 1
        sum.tokens += saving["tokens"]
        sum.unpriced += saving["usd"] is None
        sum.usd += saving["usd"] or 0.0
        sum.losses += (saving["usd"] or 0.0) < 0

    def told(self, limit: int) -> dict[str, Any]:
        """As JSON, those that earned most first."""
        ranked = sorted(self.plugins.items(), key=lambda item: (-item[1].usd, -item[1].tokens, item[0]))[:limit]
        rows = [{"plugin": plugin, **msgspec.structs.asdict(sum)} for plugin, sum in ranked]
        return {"requests": self.requests, "untouched_usd": self.untouched, "billed_usd": self.billed, "rows": rows}


def tell(span: tuple[float, float], limit: int, config: Path, json: bool) -> None:
    """Raises `LynkrError` where nothing outlives the gateway."""
    told = anyio.run(added, span, limit, config)
    if json:
        print_json(told)
        return
    sys.stdout.write("\t".join(HEADS) + "\n")
    for row in told["rows"]:
        usd = "?" if row["unpriced"] == row["requests"] else f"{row['usd']:.4f}"
        sys.stdout.write("\t".join([row["plugin"], str(row["requests"]), str(row["tokens"]), usd, str(row["losses"])]) + "\n")
    untouched, billed = told["untouched_usd"], told["billed_usd"]
    share = f" ({billed / untouched - 1:+.1%})" if untouched > 0 else ""
    sys.stdout.write(f"{told['requests']} requests: ${untouched:.4f} untouched, ${billed:.4f} billed{share}\n")


async def added(span: tuple[float, float], limit: int, config: Path) -> dict[str, Any]:
    found = Receipts()
    async with journal_of(config) as (_, journal):
        async for record in records(journal, (span[0], math.nextafter(span[1], -math.inf)), {}):
            found.add(record)
    return found.told(limit)
