"""A process that holds and books as fast as it can, for tests that kill it: `python -m lynkr_core.testing.hammer MODULE TABLE COUNTER LIMIT`.

MODULE has the `plugin`, TABLE is its table as JSON. Each attempt holds 1 to 7 and books up to that. It prints `ready`, and ends when the
counter has been full for a second; with `doomed` as another word it goes on until it is killed, with `shares` it draws on shares.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import random
import sys
import uuid
from contextlib import nullcontext
from typing import Any

from lynkr_core.stores import Hold, Ledger, Shares
from lynkr_core.testing import factories

LEASE = 2.0
AT_ONCE = 8


async def main(module: str, table: str, counter: str, limit: int, shared: bool, patience: float) -> None:
    plugin = importlib.import_module(module).plugin
    async with factories.running(factories.build(plugin, json.loads(table), factories.context("hammer", "store"))) as store:
        ledger: Any = Shares(store, lease=LEASE) if shared else store
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        async with ledger if shared else nullcontext():
            await asyncio.gather(*[attempts(ledger, counter, limit, patience) for _ in range(AT_ONCE)])


async def attempts(ledger: Ledger, counter: str, limit: int, patience: float) -> None:
    """Ends after so many refusals in a row."""
    refused = 0
    while refused < patience:
        id, amount = uuid.uuid4().hex, random.randint(1, 7)
        if await ledger.hold(id, [Hold(counter, amount, limit, math.inf)], LEASE) is None:
            await asyncio.sleep(random.random() / 500)
            refused = 0
            await ledger.book(id, {counter: random.randint(0, amount)})
        else:
            refused += 1
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    words = sys.argv[1:]
    patience = math.inf if "doomed" in words[4:] else 20
    asyncio.run(main(words[0], words[1], words[2], int(words[3]), "shares" in words[4:], patience))
