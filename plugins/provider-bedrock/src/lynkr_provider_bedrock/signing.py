"""AWS Signature Version 4, and a transport that signs what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Protocol
from urllib.parse import quote

from lynkr_core.errors import UpstreamError
from lynkr_core.upstream import Call, Endpoint, HeaderList, Transport, UpstreamResponse

SERVICE = "bedrock"
_SCHEME = "AWS4-HMAC-SHA256"


class Keys:
    """An access key, and the session's token if it is a passing one. Printing shows nothing."""

    __slots__ = ("id", "secret", "token")

    def __init__(self, id: str, secret: str, token: str | None = None) -> None:
        self.id = id
        self.secret = secret
        self.token = token


def sign(endpoint: Endpoint, body: bytes, keys: Keys, region: str, now: datetime) -> HeaderList:
    """The headers to be sent beside the endpoint's own.

    The path is encoded once more than it is sent, as every service but S3 wants it (IAM user guide, "Create a signed API request").
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    added = {b"x-amz-date": stamp.encode()}
    if keys.token:
        added[b"x-amz-security-token"] = keys.token.encode()
    own = {name: value for name, value in endpoint.headers if name == b"content-type" or name.startswith(b"x-amz-")}
    signed = sorted({b"host": endpoint.authority.encode(), **own, **added}.items())
    names = b";".join([name for name, _ in signed]).decode()
    lines = b"".join([b"%b:%b\n" % (name, b" ".join(value.split())) for name, value in signed]).decode("latin-1")
    path, _, query = endpoint.target.partition("?")
    query = "&".join(sorted(query.split("&")))
    canonical = f"{endpoint.method}\n{quote(path, safe='/~')}\n{query}\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for word in scope.split("/"):
        key = digest(key, word.encode(), "sha256")
    told = f"{_SCHEME}\n{stamp}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
    signature = digest(key, told.encode(), "sha256").hex()
    credential = f"{_SCHEME} Credential={keys.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return (*added.items(), (b"authorization", credential.encode()))


class Source(Protocol):
    """Where keys come from."""

    def ready(self) -> Keys | None:
        """Those at hand, None when there are none yet or they must be renewed. Does not wait."""
        ...

    async def fetch(self) -> Keys:
        """Raises `UpstreamError` of kind `auth`."""
        ...


class Fixed:
    """Keys of the configuration."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def ready(self) -> Keys:
        return self._keys

    async def fetch(self) -> Keys:
        return self._keys


class Signing:
    """A `Transport` that signs with the keys of `source`. A configured `authorization` header is left as it is."""

    def __init__(self, transport: Transport, source: Source, region: str) -> None:
        self._transport = transport
        self._source = source
        self._region = region

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Call:
        if any(name == b"authorization" for name, _ in endpoint.headers):
            return self._transport.send(endpoint, headers, body)

        def begin(keys: Keys) -> Call:
            signed = sign(endpoint, body, keys, self._region, datetime.now(UTC))
            return self._transport.send(endpoint, (*headers, *signed), body)

        keys = self._source.ready()
        return Waiting(self._source.fetch(), begin) if keys is None else begin(keys)

    async def aclose(self) -> None:
        await self._transport.aclose()


class Waiting:
    """A call that begins when its keys have come."""

    def __init__(self, keys: Coroutine[None, None, Keys], begin: Callable[[Keys], Call]) -> None:
        self._keys = asyncio.ensure_future(keys)
        self._begin = begin
        self._call: Call | None = None

    async def response(self) -> UpstreamResponse:
        if self._call is None:
            await asyncio.wait([self._keys])
            if self._keys.cancelled():
                raise UpstreamError("cut", "the call was aborted")
            self._call = self._begin(self._keys.result())
        return await self._call.response()

    def abort(self) -> None:
        self._keys.cancel()
        if self._call is not None:
            self._call.abort()
