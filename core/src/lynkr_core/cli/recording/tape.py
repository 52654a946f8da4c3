"""A transport that notes what goes through it, byte for byte."""

from __future__ import annotations

from lynkr_core.dialect import Headers
from lynkr_core.upstream import Call, Endpoint, HeaderList, Transport, UpstreamResponse

MOST = 16 * 1024 * 1024
"""Bytes that are noted of one answer."""


class Taped:
    """One call. `status` is 0 until it was answered."""

    def __init__(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> None:
        self.endpoint, self.body = endpoint, body
        self.sent = (*endpoint.headers, *headers)
        self.status = 0
        self.headers: Headers = {}
        self.answer = bytearray()

    def note(self, piece: bytes) -> None:
        self.answer += piece[: MOST - len(self.answer)]


class Tape:
    """Around another transport, which is closed by its owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.taped: list[Taped] = []

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Call:
        taped = Taped(endpoint, headers, body)
        self.taped.append(taped)
        return TapedCall(self._transport.send(endpoint, headers, body), taped)

    async def aclose(self) -> None:
        """Does nothing."""


class TapedCall:
    def __init__(self, call: Call, taped: Taped) -> None:
        self._call, self._taped = call, taped

    async def response(self) -> UpstreamResponse:
        response = await self._call.response()
        self._taped.status, self._taped.headers = response.status, response.headers
        return TapedResponse(response, self._taped)

    def abort(self) -> None:
        self._call.abort()


class TapedResponse(UpstreamResponse):
    """Notes what is read."""

    def __init__(self, response: UpstreamResponse, taped: Taped) -> None:
        self.status, self.headers = response.status, response.headers
        self._response, self._taped = response, taped

    async def read(self, limit: int = MOST) -> bytes:
        body = await self._response.read(limit)
        self._taped.note(body)
        return body

    async def next(self) -> bytes:
        piece = await self._response.next()
        self._taped.note(piece)
        return piece

    def abort(self) -> None:
        self._response.abort()
