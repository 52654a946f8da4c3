"""What the Responses API serves beside its POST: kept responses are read, listed and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest
from lynkr_extension_responses.errors import NotFound
from lynkr_extension_responses.kept import Kept
from lynkr_extension_responses.record import Record, encode, listed

PAGE, MAX_PAGE = 20, 100
"""Items of a page; OpenAI's default and most."""


class Routes:
    """Each looks at the caller's own responses only."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def all(self) -> Sequence[Route]:
        path = "/v1/responses/{response_id}"
        return [
            Route(method="GET", path=path, endpoint=self.read),
            Route(method="DELETE", path=path, endpoint=self.delete),
            Route(method="GET", path=path + "/input_items", endpoint=self.items),
            Route(method="POST", path=path + "/cancel", endpoint=self.cancel),
        ]

    async def _own(self, query: RouteRequest) -> tuple[str, Record]:
        """Raises `NotFound`."""
        id = query.params["response_id"]
        record = await self._kept.find(id)
        if record is None or record.input is None or record.owner != query.principal.id:
            raise NotFound.response(id)
        return id, record

    async def read(self, query: RouteRequest) -> Reply:
        _, record = await self._own(query)
        if query.params.get("stream") in ("true", "1"):
            raise InvalidRequest("a kept response is not streamed again; ask without stream", param="stream")
        return Reply(body=bytes(record.response))

    async def delete(self, query: RouteRequest) -> Reply:
        id, _ = await self._own(query)
        await self._kept.delete(id)
        return Reply(body=encode({"id": id, "object": "response", "deleted": True}))

    async def cancel(self, query: RouteRequest) -> Reply:
        await self._own(query)
        raise InvalidRequest("Cannot cancel a synchronous response.", param="response_id")

    async def items(self, query: RouteRequest) -> Reply:
        """A page of the input. `order` is desc unless asked otherwise, as the API has it."""
        id, record = await self._own(query)
        found = [listed(item, f"item_{id.removeprefix('resp_')}_{number}") for number, item in enumerate(record.input or [])]
        if ordered(query.params.get("order", "desc")):
            found.reverse()
        ids = [identity(item) for item in found]
        after = query.params.get("after")
        if after is not None and after not in ids:
            raise InvalidRequest(f"there is no item {after[:100]!r} in this response", param="after")
        start = 0 if after is None else ids.index(after) + 1
        end = start + page_size(query.params.get("limit"))
        return Reply(body=encode(page(found[start:end], ids[start:end], end < len(found))))


def ordered(order: str) -> bool:
    """Whether the newest come first. Raises `InvalidRequest`."""
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order: expected asc or desc, got {order[:100]!r}", param="order")
    return order == "desc"


def page_size(limit: str | None) -> int:
    """Raises `InvalidRequest`."""
    if limit is None:
        return PAGE
    if not limit.isdecimal() or not 1 <= int(limit[:9]) <= MAX_PAGE:
        raise InvalidRequest(f"limit: expected 1 to {MAX_PAGE}, got {limit[:100]!r}", param="limit")
    return int(limit)


def identity(item: dict[str, Any]) -> str:
    id = item["id"]
    return id if isinstance(id, str) else bytes(id).decode().strip('"')


def page(items: Sequence[dict[str, Any]], ids: Sequence[str], more: bool) -> dict[str, Any]:
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more}
