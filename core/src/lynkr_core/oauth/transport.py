"""A transport whose requests carry a token."""

from __future__ import annotations

import asyncio

from lynkr_core.caller import CREDENTIALS
from lynkr_core.errors import UpstreamError
from lynkr_core.oauth.bearer import Bearer, Header
from lynkr_core.upstream import Call, Endpoint, HeaderList, Transport, UpstreamResponse

REFUSED = 401


class BearerTransport:
    """Another transport with the token added; it is not closed with this one. An endpoint's own credentials stay alone."""

    def __init__(self, transport: Transport, bearer: Bearer) -> None:
        self._transport = transport
        self._bearer = bearer

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Call:
        if any(name in CREDENTIALS for name, _ in endpoint.headers):
            return self._transport.send(endpoint, headers, body)
        return BearerCall(self._transport, self._bearer, endpoint, headers, body)

    async def aclose(self) -> None:
        """Does nothing: the transport inside has an owner."""


class BearerCall:
    """Sent at once when a token is at hand; sent once more, with a new token, when the provider refused the old one."""

    __slots__ = ("_aborted", "_bearer", "_body", "_call", "_endpoint", "_header", "_headers", "_transport", "_waiting")

    def __init__(self, transport: Transport, bearer: Bearer, endpoint: Endpoint, headers: HeaderList, body: bytes) -> None:
        self._transport = transport
        self._bearer = bearer
        self._endpoint, self._headers, self._body = endpoint, headers, body
        self._call: Call | None = None
        self._waiting: asyncio.Future[Header] | None = None
        self._aborted = False
        self._header = bearer.ready()
        if self._header is not None:
            self._send(self._header)

    def _send(self, header: Header) -> Call:
        self._call = self._transport.send(self._endpoint, (*self._headers, header), self._body)
        return self._call

    async def response(self) -> UpstreamResponse:
        """Raises `UpstreamError`, also for a token that could not be had."""
        if self._call is None:
            return await (await self._renewed()).response()
        response = await self._call.response()
        if response.status != REFUSED or self._header is None:
            return response
        response.abort()
        self._bearer.forget(self._header)
        return await (await self._renewed()).response()

    async def _renewed(self) -> Call:
        self._call = None
        if self._aborted:
            raise UpstreamError("unavailable", "the call was aborted")
        self._waiting = self._bearer.fetched()
        try:
            header = await self._waiting
        except asyncio.CancelledError:
            if self._aborted:
                raise UpstreamError("unavailable", "the call was aborted") from None
            raise
        return self._send(header)

    def abort(self) -> None:
        self._aborted = True
        if self._call is not None:
            self._call.abort()
        elif self._waiting is not None:
            self._waiting.cancel()
