"""A provider that misbehaves at random: `python -m tests.benchmarks.faulty SHARE SEED` says its port, and serves until it is stopped.

SHARE of the answers, in per cent, are errors, rate limits, garbage, pages, errors with status 200, or cut before or after some content.
"""

from __future__ import annotations

import asyncio
import random
import sys

from lynkr_core.testing.canned import CANNED, GARBAGE, HTML, IN_200, PATHS, TEXT, Script
from lynkr_core.testing.scripted import Received, ScriptedProvider

BOOM = b'{"error":{"message":"boom","type":"server_error"}}'


def content_at(good: Script) -> int:
    return next((place for place, event in enumerate(good.events) if TEXT[:9].encode() in event), 0)


def faults(good: Script) -> list[Script]:
    return [
        Script(status=500, body=BOOM),
        Script(status=503, body=BOOM),
        Script(status=429, body=BOOM, headers={"retry-after-ms": "20"}),
        IN_200,
        HTML,
        GARBAGE,
        good.but(cut_bytes=0),
        good.but(cut_events=content_at(good), cut_bytes=None if good.events else 10),
        good.but(cut_events=content_at(good) + 1, cut_bytes=None if good.events else 20),
        good.but(pause=0.005),
    ]


class Faulty(ScriptedProvider):
    """Remembers nothing: it is asked a hundred thousand times."""

    def __init__(self, share: float, seed: int) -> None:
        super().__init__()
        self._share = share / 100
        self._random = random.Random(seed)
        self._good = {ending: CANNED[dialect] for ending, dialect in PATHS.items()}
        self._bad = {ending: faults(script) for ending, script in self._good.items()}

    def note(self, received: Received) -> Script:
        ending = next((ending for ending in PATHS if received.path.endswith(ending)), None)
        if ending is None:
            return Script(status=404, body=BOOM)
        if self._random.random() < self._share:
            return self._random.choice(self._bad[ending])
        return self._good[ending]


async def main() -> None:
    async with Faulty(float(sys.argv[1]), int(sys.argv[2])) as provider:
        print(provider.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
