"""Keys over HTTP, for whoever has the admin key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lynkr_auth_keys.book import Book, Listed
from lynkr_auth_keys.key import Record
from lynkr_auth_keys.wanted import Rotation, Wanted, read, seconds
from lynkr_core.errors import Unavailable
from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest

PATH = "/v1/admin/keys"
HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
encode = msgspec.json.Encoder().encode


class Desk:
    """`changed` is called with the id of a key that was rotated or revoked."""

    def __init__(self, book: Book, changed: Callable[[str], None]) -> None:
        self._book = book
        self._changed = changed

    def routes(self) -> Sequence[Route]:
        one = PATH + "/{id}"
        return [
            Route(method="POST", path=PATH, endpoint=guarded(self.create), admin=True),
            Route(method="GET", path=PATH, endpoint=guarded(self.list), admin=True),
            Route(method="GET", path=one, endpoint=guarded(self.show), admin=True),
            Route(method="POST", path=one + "/rotate", endpoint=guarded(self.rotate), admin=True),
            Route(method="DELETE", path=one, endpoint=guarded(self.revoke), admin=True),
        ]

    async def create(self, query: RouteRequest) -> Reply:
        """201 with the key, which is told this once."""
        wanted: Wanted = read(query.body, Wanted)
        key, record = await self._book.create(**wanted.fields())
        return told({"key": key, **shown(record)}, 201)

    async def list(self, query: RouteRequest) -> Reply:
        return told({"object": "list", "data": [one.shown() for one in await self._book.listed()]})

    async def show(self, query: RouteRequest) -> Reply:
        return told((await self._book.show(query.params["id"])).shown())

    async def rotate(self, query: RouteRequest) -> Reply:
        rotation: Rotation = read(query.body, Rotation)
        key, record = await self._book.rotate(query.params["id"], seconds(rotation.grace, "grace"))
        self._changed(record.id)
        return told({"key": key, **shown(record)})

    async def revoke(self, query: RouteRequest) -> Reply:
        id = query.params["id"]
        await self._book.revoke(id)
        self._changed(id)
        return told({"id": id, "state": "revoked"})


def guarded(endpoint: Any) -> Any:
    """The endpoint, with a store that fails told as 503."""

    async def guard(query: RouteRequest) -> Reply:
        try:
            return await endpoint(query)
        except OSError as error:
            raise Unavailable(f"the store of the keys does not answer: {type(error).__name__}", retry_after=2.0) from None

    return guard


def shown(record: Record) -> dict[str, Any]:
    return Listed(record=record).shown()


def told(value: Any, status: int = 200) -> Reply:
    return Reply(body=encode(value), status=status, headers=HEADERS)
