"""Forgetting answers by key, model or tag: an admin route, and a command on the store itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from lynkr_cache_exact.entry import Entry
from lynkr_cache_exact.shelf import Shelf
from lynkr_core.cli.stored import run
from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.stores import KeyValue

if TYPE_CHECKING:
    from cyclopts import App

NO_STORE = "answers are kept in the server's memory, where this command cannot see them; ask the server, or enable a store"


class Chosen(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which entries: those that fit all that is said, or `all`. `key`: a key's id or name; `model`: as asked for, or `provider/model`."""

    key: str | None = None
    model: str | None = None
    tag: str | None = None
    all: bool = False

    def fits(self, entry: Entry) -> bool:
        return (
            (self.key is None or self.key in (entry.key, entry.principal))
            and (self.model is None or self.model in (entry.asked, entry.served, entry.served.partition("/")[2]))
            and (self.tag is None or self.tag in entry.tags)
        )

    def check(self) -> None:
        """Raises `InvalidRequest` when nothing was said."""
        if not (self.all or self.key or self.model or self.tag):
            raise InvalidRequest("say what to forget: key, model, tag or all")


_chosen = msgspec.json.Decoder(Chosen)


class Purging:
    """`name`: of the cache's instance. `status`: what the route tells."""

    def __init__(self, name: str, shelf: Shelf, store: KeyValue, status: Callable[[], Mapping[str, Any]]) -> None:
        self._name = name
        self._shelf = shelf
        self._store = store
        self._status = status

    def routes(self) -> list[Route]:
        path = f"/v1/admin/cache/{self._name}"
        return [
            Route(method="GET", path=path, endpoint=self._tell, admin=True),
            Route(method="POST", path=f"{path}/purge", endpoint=self._purge, admin=True),
        ]

    async def _tell(self, query: RouteRequest) -> Reply:
        return Reply(body=msgspec.json.encode(self._status()))

    async def _purge(self, query: RouteRequest) -> Reply:
        try:
            chosen = _chosen.decode(query.body or b"{}")
        except (msgspec.DecodeError, UnicodeError) as error:
            raise InvalidRequest(str(error)) from None
        chosen.check()
        return Reply(body=msgspec.json.encode({"purged": await self._shelf.purge(chosen.fits)}))

    def add_to(self, cli: App) -> None:
        from cyclopts import App

        try:
            caches = cli["cache"]
        except KeyError:
            caches = App(name="cache", help="Look after cached answers.")
            cli.command(caches)
        own = App(name=self._name, help=f"The cache {self._name!r}.")
        own.command(self.purge)
        caches.command(own)

    def purge(self, *, key: str | None = None, model: str | None = None, tag: str | None = None, all: bool = False) -> None:
        """Forget answers. Those that fit everything that is said; servers that share the store notice within a second.

        Args:
            key: Of requests made with this key: its id or name.
            model: Of this model: as it was asked for, or `provider/model`.
            tag: Of requests with this tag.
            all: All of them.
        """
        chosen = Chosen(key=key, model=model, tag=tag, all=all)

        async def work() -> int:
            chosen.check()
            return await self._shelf.purge(chosen.fits)

        sys.stdout.write(f"{run(work, self._store, hidden=NO_STORE)} forgotten\n")
