"""Runs that somebody has stopped by hand."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from lynkr_core.errors import Forbidden, InvalidRequest
from lynkr_core.exchange import Exchange
from lynkr_core.scopes import label, session_of
from lynkr_core.stores import KeyValue

KEPT_SECONDS = 30 * 86400.0
"""How long a run stays stopped; its counters are gone long before."""
MOST = 10_000
LONGEST = 500


class Run(Struct, forbid_unknown_fields=True, frozen=True):
    """`caller`: the id of a principal, as in the journal; without one every caller's run of that name. `at`: seconds since 1970."""

    session: str
    caller: str = ""
    why: str = ""
    at: float = 0.0


class Stopped:
    """Known here at once, to other processes at their next look."""

    def __init__(self, store: KeyValue, prefix: str, sessions: Sequence[bytes]) -> None:
        self._store = store
        self._prefix = prefix
        self._sessions = sessions
        self.runs: Mapping[str, Run] = {}

    def has(self, exchange: Exchange) -> bool:
        run = session_of(exchange, self._sessions)
        if run is None:
            return False
        return label("run", run) in self.runs or label("run", run[len(exchange.principal.id) :]) in self.runs

    async def look(self) -> None:
        """Raises `OSError`, or `msgspec.MsgspecError` for what is no run."""
        kept = await self._store.scan(self._prefix, MOST)
        found = {key.removeprefix(self._prefix): msgspec.json.decode(value, type=Run) for key, value in kept.items()}
        old = {name for name, run in found.items() if run.at < time.time() - KEPT_SECONDS}
        for name in old:
            await self._store.delete(self._prefix + name)
        self.runs = {name: run for name, run in found.items() if name not in old}

    async def stop(self, run: Run) -> Run:
        """Raises `InvalidRequest` for one without a name, `OSError` when it cannot be kept."""
        name, kept = name_of(run), Run(run.session, run.caller, run.why[:LONGEST], float(int(time.time())))
        # for good: what has a time to live is a cache, and `store move` leaves it behind
        await self._store.set(self._prefix + name, msgspec.json.encode(kept), math.inf)
        self.runs = {**self.runs, name: kept}
        return kept

    async def resume(self, run: Run) -> bool:
        """Whether it was stopped. Raises as `stop`."""
        await self.look()
        name = name_of(run)
        await self._store.delete(self._prefix + name)
        was = name in self.runs
        self.runs = {other: kept for other, kept in self.runs.items() if other != name}
        return was


def name_of(run: Run) -> str:
    if not 0 < len(run.session) <= LONGEST or len(run.caller) > LONGEST:
        raise InvalidRequest("a run has the name of its session, as the journal has it", param="session")
    return label("run", f"{run.caller}/{run.session}")


def halted() -> Forbidden:
    return Forbidden("this run was stopped by the operator", code="run_stopped")
