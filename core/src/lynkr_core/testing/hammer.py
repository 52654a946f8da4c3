"""A process that holds and books as fast as it can, for tests that kill it: `python -m lynkr_core.testing.hammer MODULE TABLE COUNTER LIMIT
FILE`.

MODULE has the `plugin`, TABLE is its table as JSON. Each attempt holds 1 to 7 and books up to that. It prints `ready`, and ends when the
counter has been full for a second; with `doomed` as another word it goes on until it is killed, with `shares` it draws on shares. FILE has
a line for all that was really used, or may have been: the numbers add up to it at any moment.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import os
import random
import sys
import uuid
from contextlib import nullcontext
from typing import Any

import msgspec

from lynkr_core.stores import Hold, Ledger, Shares
from lynkr_core.testing import factories

LEASE = 2.0
AT_ONCE = 8


async def main(module: str, table: str, hold: Hold, file: str, shared: bool, patience: float) -> None:
    plugin = importlib.import_module(module).plugin
    used = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with factories.running(factories.build(plugin, json.loads(table), factories.context("hammer", "store"))) as store:
        ledger: Any = Shares(store, lease=LEASE) if shared else store
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        async with ledger if shared else nullcontext():
            await asyncio.gather(*[attempts(ledger, hold, used, patience) for _ in range(AT_ONCE)])


async def attempts(ledger: Ledger, like: Hold, used: int, patience: float) -> None:
    """Ends after so many refusals in a row."""
    refused = 0
    while refused < patience:
        id, amount = uuid.uuid4().hex, random.randint(1, 7)
        if await ledger.hold(id, [msgspec.structs.replace(like, amount=amount)], LEASE) is None:
            os.write(used, b"%d\n" % amount)  # until it is known, it may be all
            await asyncio.sleep(random.random() / 500)
            refused, booked = 0, random.randint(0, amount)
            os.write(used, b"%d\n" % (booked - amount))
            await ledger.book(id, {like.counter: booked})
        else:
            refused += 1
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    words = sys.argv[1:]
    patience = math.inf if "doomed" in words[5:] else 20
    hold = Hold(words[2], 0, int(words[3]), math.inf, forfeit=True)
    asyncio.run(main(words[0], words[1], hold, words[4], "shares" in words[5:], patience))
