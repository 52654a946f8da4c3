"""The dashboard: a page at `/dashboard`, and the feed that it lives on."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lynkr_core.errors import InvalidRequest, PluginError
from lynkr_core.exchange import Exchange, Outcome, Principal, Reply
from lynkr_core.plugins import Context, Plugin
from lynkr_core.process import ADMIN
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.stores import Journal
from lynkr_extension_dashboard.assets import served
from lynkr_extension_dashboard.feed import Feed, News, place, shown
from lynkr_extension_dashboard.health import Health
from lynkr_extension_dashboard.row import of_record
from lynkr_extension_dashboard.series import Series

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

__all__ = ["Config", "Dashboard", "plugin"]

FORMAT = 1
LONGEST_WAIT = 10.0
MOST_ROWS = 500
HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
encode = msgspec.json.Encoder().encode

NO_JOURNAL = Reply(
    status=404,
    headers=HEADERS,
    body=encode(
        {"error": {"message": "there is no journal; [sink.journal] keeps one", "type": "not_found_error", "code": "no_journal"}}
    ),
)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.dashboard]`"""

    store: Annotated[str | None, Meta(description="The store that the journal is in; the first one when left out.")] = None
    keep: Annotated[int, Meta(ge=10, le=10_000, description="Finished requests that are remembered for the live view.")] = 500


class Dashboard:
    """Remembers what is under way and what has just ended, and shows it to whoever may see it."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store that is not enabled."""
        self.feed = Feed(config.keep)
        try:
            self._journal: Journal = context.stores.journal(config.store)
        except KeyError:
            raise PluginError(f"$.store: there is no [store.{config.store}]") from None

    def pre_route(self, exchange: Exchange) -> None:
        self.feed.begin(exchange)

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        self.feed.end(exchange, outcome)

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        desk = Desk(kernel, self.feed, self._journal)

        async def page(query: RouteRequest) -> Reply:
            return served(query.params.get("file", "index.html"), query.headers)

        return [
            Route(method="GET", path="/dashboard", endpoint=page, public=True),
            Route(method="GET", path="/dashboard/{file:path}", endpoint=page, public=True),
            Route(method="GET", path="/v1/admin/live", endpoint=desk.live),
            Route(method="GET", path="/v1/admin/series", endpoint=desk.series),
        ]


class Desk:
    """Answers readers: the admin key sees all, and so does everybody where nobody is asked for a key; else each sees its own."""

    def __init__(self, kernel: Kernel, feed: Feed, journal: Journal) -> None:
        self._open_to_all = not kernel.hooks.authenticate.calls
        self._workers = kernel.config.server.workers
        self._journal = (
            journal if any(plugin.id.startswith("sink.") and plugin.use == "journal" for plugin in kernel.plugins) else None
        )
        self._feed = feed
        self._health = Health(kernel)
        self._series = Series(journal)

    def _only(self, principal: Principal) -> Principal | None:
        """Whose exchanges are shown; None for all."""
        return None if principal is ADMIN or self._open_to_all else principal

    async def live(self, query: RouteRequest) -> Reply:
        """What is new since the cursor `after`, within `wait` seconds. Raises `InvalidRequest` and `RateLimited`."""
        known(query, "after", "wait", "limit")
        after, wait = place(query.params.get("after", "")), number(query, "wait", 5.0, LONGEST_WAIT)
        limit = int(number(query, "limit", 200, MOST_ROWS)) or 1
        only = self._only(query.principal)
        news = await self._feed.news(only.id if only else None, after, wait, limit)
        rows = [row.told() for row in news.rows]
        if self._journal is not None and (
            news.anew or self._workers > 1
        ):  # what other processes have served is in the journal only
            news = news._replace(anew=True, missed=0)
            rows = await self._with_others(rows, only, limit, self._journal)
        return Reply(body=encode(self._told(news, rows, only, query.principal)), headers=HEADERS)

    def _told(self, news: News, rows: list[dict[str, Any]], only: Principal | None, who: Principal) -> dict[str, Any]:
        now = time.time()
        return {
            "format": FORMAT,
            "cursor": str(news.at),
            "anew": news.anew,
            "missed": news.missed,
            "at": now,
            "started": self._feed.started,
            "sees": "own" if only else "all",
            "principal": who.id,
            "process": {"pid": os.getpid(), "workers": self._workers},
            "journal": self._journal is not None,
            "open": shown(news.open, now),
            "finished": rows,
            "totals": self._feed.totals.by_tier(only.id if only else None),
            **self._health.told(only),
        }

    async def _with_others(
        self, rows: list[dict[str, Any]], only: Principal | None, limit: int, journal: Journal
    ) -> list[dict[str, Any]]:
        """And what the journal has of before the start, and of other processes."""
        known = {row["id"] for row in rows}
        try:
            others = await journal.query(where={"principal": only.id} if only else {}, limit=limit)
        except OSError:
            return rows
        rows = rows + [of_record(record) for record in others if record["id"] not in known]
        return sorted(rows, key=lambda row: row["created"] + (row["duration"] or 0.0))[-limit:]

    async def series(self, query: RouteRequest) -> Reply:
        """Sums in spans of time. Raises `InvalidRequest`."""
        known(query, "since", "by")
        if self._journal is None:
            return NO_JOURNAL
        only = self._only(query.principal)
        told = await self._series.told(query.params.get("since", ""), query.params.get("by", ""), only.id if only else None)
        return Reply(body=encode(told), headers=HEADERS)


def known(query: RouteRequest, *names: str) -> None:
    """Raises `InvalidRequest` for a parameter that is none of these."""
    if odd := next((name for name in query.params if name not in names), None):
        raise InvalidRequest(f"unknown parameter {odd[:50]!r}; there are {', '.join(names)}", param=odd[:50])


def number(query: RouteRequest, name: str, default: float, most: float) -> float:
    """Raises `InvalidRequest`."""
    try:
        value = float(query.params.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise InvalidRequest(f"{name}: say a number from 0 to {most:g}", param=name)
    return value


plugin = Plugin(api=1, config=Config, create=Dashboard, rank=-60)
"""Before the policies: what waits in a queue of theirs is under way too."""
