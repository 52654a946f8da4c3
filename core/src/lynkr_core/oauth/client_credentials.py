"""A token for an application's own id and secret (RFC 6749, section 4.4)."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta, Struct

from lynkr_core.errors import UpstreamError
from lynkr_core.oauth.bearer import Token
from lynkr_core.secret import Secret
from lynkr_core.upstream import Endpoint, Timeouts, Transport

LIMIT = 256 * 1024
"""Bytes of an answer."""
LIFETIME = 3600.0
"""Seconds, where the server does not say; the RFC leaves that to its documentation."""


class Grant(Struct):
    """What the server answers."""

    access_token: Annotated[str, Meta(pattern=r"^[!-~]+$")]
    expires_in: float | None = None


class Refusal(Struct):
    error: str = ""
    error_description: str = ""


class ClientCredentials:
    """Asks `url` for tokens. `basic`: the id and secret go into the `Authorization` header, else into the form (section 2.3.1)."""

    def __init__(self, transport: Transport, url: str, *, id: str, secret: Secret, scope: str, basic: bool = False) -> None:
        self._transport = transport
        self._secret = secret
        form = {"grant_type": "client_credentials", "scope": scope}
        headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"accept", b"application/json")]
        if basic:
            pair = f"{quote(id, safe='')}:{quote(secret.reveal(), safe='')}"
            headers.append((b"authorization", b"Basic " + b64encode(pair.encode())))
        else:
            form |= {"client_id": id, "client_secret": secret.reveal()}
        self._form = urlencode(form).encode()
        self._endpoint = Endpoint(url, tuple(headers), timeouts=Timeouts(silence=30.0))

    async def __call__(self) -> Token:
        """Raises `UpstreamError`: `auth` when the server refuses, `unavailable` when it is not there or makes no sense."""
        response = await self._transport.send(self._endpoint, (), self._form).response()
        body = await response.read(LIMIT)
        if response.status != 200:
            raise self._refused(response.status, body)
        try:
            grant = msgspec.json.decode(body, type=Grant, strict=False)  # Azure's older endpoints send the seconds as a string
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UpstreamError("unavailable", f"{self._endpoint.authority} sent no token") from None
        return Token(value=Secret(grant.access_token), lifetime=grant.expires_in or LIFETIME)

    def _refused(self, status: int, body: bytes) -> UpstreamError:
        try:
            refusal = msgspec.json.decode(body, type=Refusal)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            refusal = Refusal()
        kind: Literal["auth", "unavailable"] = "auth" if 400 <= status < 500 and status != 429 else "unavailable"
        words = ": ".join(word for word in (refusal.error, refusal.error_description[:300]) if word) or f"status {status}"
        words = words.replace(self._secret.reveal(), "***")
        return UpstreamError(kind, f"{self._endpoint.authority} gave no token for the client id: {words}", status=status)
