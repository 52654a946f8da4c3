"""`POST /v1/feedback`: `{"id": "req_…", "thumb": "up"}`. Whoever asked may say how the answer was, and may change his mind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from msgspec import Struct

from lynkr_core.errors import GatewayError, InvalidRequest
from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest

MAX_BYTES = 1_024
LONGEST = 100


class Thumb(Struct, forbid_unknown_fields=True):
    """`id`: the header `x-lynkr-request-id` of the answer."""

    id: str
    thumb: Literal["up", "down"]


class NotFound(GatewayError):
    """No such request, one too long ago, or somebody else's: all are told alike."""

    status, type = 404, "not_found_error"


_decode = msgspec.json.Decoder(Thumb).decode
_encode = msgspec.json.Encoder().encode


class Feedback:
    """`judge(id, principal, good)` answers whether the principal's own request is remembered."""

    def __init__(self, judge: Callable[[str, str, bool], Awaitable[bool]]) -> None:
        self._judge = judge

    def route(self) -> Route:
        return Route(method="POST", path="/v1/feedback", endpoint=self.take)

    async def take(self, query: RouteRequest) -> Reply:
        """Raises `InvalidRequest`, `NotFound`."""
        given = read(query.body)
        if not await self._judge(given.id, query.principal.id, given.thumb == "up"):
            raise NotFound(f"there is no request {given.id[:LONGEST]!r} to say anything of", param="id", code="not_found")
        return Reply(body=_encode({"object": "feedback", "id": given.id, "thumb": given.thumb}))


def read(body: bytes) -> Thumb:
    """Raises `InvalidRequest` that says where the mistake is."""
    if len(body) > MAX_BYTES:
        raise InvalidRequest(f"expected at most {MAX_BYTES} bytes, got {len(body)}")
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f'expected {{"id": "req_…", "thumb": "up" or "down"}}: {error}') from None
