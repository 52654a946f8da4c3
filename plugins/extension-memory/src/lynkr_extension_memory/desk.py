"""Memories over HTTP: each caller its own, the admin key everybody's.

GET    /v1/memory          those there are, the newest first; `?kind=`, `?session=`, for the admin `?who=`
GET    /v1/memory/{id}     one
DELETE /v1/memory/{id}     forgets one
DELETE /v1/memory          forgets all of the caller's, or of one session; the admin says `who=NAME` or `all=true`
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from lynkr_core.errors import GatewayError, InvalidRequest, Unavailable, UnknownModel
from lynkr_core.exchange import Principal, Reply
from lynkr_core.process import ADMIN
from lynkr_core.routes import Route, RouteRequest
from lynkr_extension_memory.owners import is_known, owner_of
from lynkr_extension_memory.rows import Row
from lynkr_extension_memory.shelf import Shelf

PATH = "/v1/memory"
HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
FILTERS = ("kind", "session", "who")
encode = msgspec.json.Encoder().encode


class NoMemory(GatewayError):
    """There is none with this id that the caller may see."""

    status, type = UnknownModel.status, UnknownModel.type


class Desk:
    def __init__(self, shelf: Shelf, by_user: bool, anonymous: bool) -> None:
        self._shelf = shelf
        self._by_user = by_user
        self._anonymous = anonymous

    def routes(self) -> Sequence[Route]:
        one = PATH + "/{id}"
        return [
            Route(method="GET", path=PATH, endpoint=guarded(self.list)),
            Route(method="DELETE", path=PATH, endpoint=guarded(self.forget_all)),
            Route(method="GET", path=one, endpoint=guarded(self.show)),
            Route(method="DELETE", path=one, endpoint=guarded(self.forget)),
        ]

    async def list(self, query: RouteRequest) -> Reply:
        rows = sorted((await self.found(query)).values(), key=lambda row: (-row.at, row.id))
        return told({"object": "list", "data": [shown(row) for row in rows]})

    async def show(self, query: RouteRequest) -> Reply:
        return told(shown(next(iter((await self.one(query)).values()))))

    async def forget(self, query: RouteRequest) -> Reply:
        return told({"id": query.params["id"], "forgotten": await self._shelf.forget(await self.one(query))})

    async def forget_all(self, query: RouteRequest) -> Reply:
        if query.principal is ADMIN and not query.params.get("who") and query.params.get("all") != "true":
            raise InvalidRequest("say whose memories: ?who=NAME, or ?all=true for everybody's", param="who")
        return told({"forgotten": await self._shelf.forget(await self.found(query))})

    async def found(self, query: RouteRequest) -> dict[str, Row]:
        """By their keys, those that the caller may see and asks for."""
        owner = self.owner(query.principal)
        if owner is None:
            return {}
        wanted = {name: query.params[name] for name in FILTERS if query.params.get(name)}
        return {key: row async for key, row in self._shelf.all(owner) if matches(row, wanted)}

    async def one(self, query: RouteRequest) -> dict[str, Row]:
        """Raises `NoMemory`: the same for somebody else's as for none."""
        owner, id = self.owner(query.principal), query.params["id"]
        if owner is not None:
            async for key, row in self._shelf.all(owner):
                if row.id == id:
                    return {key: row}
        raise NoMemory(f"there is no memory {id[:100]!r}", param="id", code="not_found")

    def owner(self, principal: Principal) -> str | None:
        """Empty for the admin, who sees all; None for who has no memory."""
        if principal is ADMIN:
            return ""
        return owner_of(principal, self._by_user) if self._anonymous or is_known(principal) else None


def matches(row: Row, wanted: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in wanted.items())


def shown(row: Row) -> dict[str, Any]:
    return {
        "id": row.id, "kind": row.kind, "text": row.text, "who": row.who, "session": row.session, "at": row.at, "by": row.by,
        "said": row.said, "weight": row.weight,
    }  # fmt: skip


def guarded(endpoint: Callable[[RouteRequest], Awaitable[Reply]]) -> Callable[[RouteRequest], Awaitable[Reply]]:
    """The endpoint, with a store that fails told as 503."""

    async def guard(query: RouteRequest) -> Reply:
        try:
            return await endpoint(query)
        except OSError as error:
            raise Unavailable(f"the store of the memories does not answer: {type(error).__name__}", retry_after=2.0) from None

    return guard


def told(value: Any) -> Reply:
    return Reply(body=encode(value), headers=HEADERS)
