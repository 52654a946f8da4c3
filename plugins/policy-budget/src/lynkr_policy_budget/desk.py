"""What budgets stand at, and runs stopped by hand, over HTTP: for whoever has the admin key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lynkr_core.errors import InvalidRequest, Unavailable
from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.stores import Ledger
from lynkr_policy_budget.balances import Standing
from lynkr_policy_budget.rules import Rule
from lynkr_policy_budget.stopped import Run, Stopped

HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Desk:
    def __init__(self, ledger: Ledger, prefix: str, rules: Sequence[Rule], stopped: Stopped) -> None:
        self._standing = Standing(ledger, prefix, rules)
        self._stopped = stopped

    def routes(self) -> Sequence[Route]:
        runs = "/v1/admin/runs"
        return [
            Route(method="GET", path="/v1/admin/budgets", endpoint=self.budgets, admin=True),
            Route(method="GET", path=runs, endpoint=self.runs, admin=True),
            Route(method="POST", path=runs + "/stop", endpoint=self.stop, admin=True),
            Route(method="POST", path=runs + "/resume", endpoint=self.resume, admin=True),
        ]

    async def budgets(self, query: RouteRequest) -> Reply:
        """`?subject=team:` those that begin so, `?all=1` also those whose window is over."""
        try:
            rows = await self._standing.rows(query.params.get("subject", ""), query.params.get("all", "") in ("1", "true"))
        except OSError:
            raise unanswered() from None
        return told({"object": "list", "data": rows})

    async def runs(self, query: RouteRequest) -> Reply:
        """Those that are stopped."""
        try:
            await self._stopped.look()
        except OSError:
            raise unanswered() from None
        return told({"object": "list", "data": list(self._stopped.runs.values())})

    async def stop(self, query: RouteRequest) -> Reply:
        """`{"session": …, "caller": …, "why": …}`; what is under way ends by itself."""
        try:
            return told({**msgspec.to_builtins(await self._stopped.stop(read(query.body))), "state": "stopped"})
        except OSError:
            raise unanswered() from None

    async def resume(self, query: RouteRequest) -> Reply:
        try:
            was = await self._stopped.resume(read(query.body))
        except OSError:
            raise unanswered() from None
        return told({"state": "running", "was_stopped": was})


def read(body: bytes) -> Run:
    """Raises `InvalidRequest`."""
    try:
        return msgspec.json.decode(body, type=Run)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the body is no run: {error}") from None


def unanswered() -> Unavailable:
    return Unavailable("the store of the budgets does not answer", code="budget_unavailable", retry_after=2.0)


def told(value: Any) -> Reply:
    return Reply(body=msgspec.json.encode(value), headers=HEADERS)
