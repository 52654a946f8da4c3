"""The issuer's public keys: fetched from where its discovery document says, kept, and asked for again within bounds.

OpenID Connect Discovery 1.0, section 4; JSON Web Key Sets, RFC 7517.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from msgspec import Struct

from lynkr_core.errors import Unavailable, UpstreamError
from lynkr_core.upstream import Endpoint, Timeouts, Transport
from lynkr_core.waiting import stopped

log = logging.getLogger("lynkr.auth.jwt")
MAX_BODY = 256 * 1024
MAX_KEYS = 100
AGAIN, RETRY = 60.0, 10.0
"""Seconds between two fetches for a key that is not known, and after one that failed."""
SHORTEST_RSA = 2048
NEEDS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None), "RS384": ("RSA", None), "RS512": ("RSA", None),
    "PS256": ("RSA", None), "PS384": ("RSA", None), "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519"),
}  # fmt: skip
"""The type and curve of key that each algorithm takes; a shared secret never comes from a key set."""


class Discovery(Struct):
    issuer: str
    jwks_uri: str


class KeySet(Struct):
    keys: list[dict[str, Any]]


class Key(NamedTuple):
    """`made` is cryptography's."""

    id: str | None
    type: str
    curve: str | None
    algorithm: str | None
    made: Any

    def fits(self, id: str | None, algorithm: str) -> bool:
        type, curve = NEEDS[algorithm]
        named = id is None or self.id == id
        return named and self.type == type and curve in (None, self.curve) and self.algorithm in (None, algorithm)


class Keys:
    """`keep`: seconds after which the keys are fetched again, beside the requests. `grace`: for how many more they are good when the issuer
    does not answer.
    """

    def __init__(
        self, transport: Transport, issuer: str, url: str | None, keep: float, grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._transport = transport
        self._issuer = issuer
        self._url = url
        self._keep = keep
        self._grace = grace
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._fetched = -math.inf
        self._not_before = -math.inf
        self._task: asyncio.Task[None] | None = None
        self.down = False

    def find(self, id: str | None, algorithm: str) -> Any | None:
        """A key at hand. A token that names none has one only where no other would fit it."""
        now = self._clock()
        if now >= self._fetched + self._keep + self._grace:
            return None
        if now >= self._fetched + self._keep and now >= self._not_before:
            self._begin()
        found = [key for key in self._keys if key.fits(id, algorithm)]
        return found[0].made if len(found) == 1 or (found and id is not None) else None

    async def fetched(self, id: str | None, algorithm: str) -> Any | None:
        """As `find`, from the issuer's newest answer: it is asked at most once a minute. Raises `Unavailable` when there are no keys."""
        if self._clock() >= self._not_before or (self._task is not None and not self._task.done()):
            await asyncio.shield(self._begin())
        if self._clock() >= self._fetched + self._keep + self._grace:
            raise Unavailable(
                "tokens cannot be checked now: their issuer does not answer", code="auth_unavailable", retry_after=RETRY
            )
        return self.find(id, algorithm)

    def worth_asking(self) -> bool:
        """Whether a key that is not known may be there by now, or nobody knows."""
        return self._clock() >= self._not_before or not self._keys or (self._task is not None and not self._task.done())

    def _begin(self) -> asyncio.Task[None]:
        if self._task is None or self._task.done():
            self._not_before = self._clock() + AGAIN
            self._task = asyncio.ensure_future(self._fetch())
        return self._task

    async def _fetch(self) -> None:
        """A failure is told once, until the issuer has answered again."""
        try:
            url = self._url or await self._discovered()
            keys = usable(msgspec.json.decode(await self._get(url), type=KeySet))
            if not keys:
                raise ValueError("it has no key that could be used")
        except Exception as error:
            self._not_before = self._clock() + RETRY
            if not self.down:
                log.error("the keys of %s cannot be had: %s: %s", self._issuer, type(error).__name__, str(error)[:200])
            self.down = True
        else:
            self._keys, self._fetched, self.down = keys, self._clock(), False

    async def _discovered(self) -> str:
        """Raises `ValueError` for a document that is not this issuer's, or leads away from https."""
        found = msgspec.json.decode(
            await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration"), type=Discovery
        )
        if found.issuer != self._issuer:
            raise ValueError(f"the discovery document is of {found.issuer[:100]!r}")
        if urlsplit(self._issuer).scheme == "https" and urlsplit(found.jwks_uri).scheme != "https":
            raise ValueError("jwks_uri is not https")
        return found.jwks_uri

    async def _get(self, url: str) -> bytes:
        """Redirections are not followed. Raises `UpstreamError` or `ValueError`."""
        endpoint = Endpoint(url, ((b"accept", b"application/json"),), method="GET", timeouts=Timeouts(connect=4.0, silence=4.0))
        response = await self._transport.send(endpoint, (), b"").response()
        body = await response.read(MAX_BODY)
        if response.status != 200:
            raise UpstreamError("server", f"status {response.status}", status=response.status)
        return body

    async def close(self) -> None:
        await stopped(self._task)


def usable(found: KeySet) -> Sequence[Key]:
    """Public keys for signatures; others, and what is broken, are left out."""
    keys: list[Key] = []
    for entry in found.keys[:MAX_KEYS]:
        type, curve, algorithm = entry.get("kty"), entry.get("crv"), entry.get("alg")
        if type not in ("RSA", "EC", "OKP") or entry.get("use", "sig") != "sig" or algorithm not in (None, *NEEDS):
            continue
        try:
            made: Any = PyJWK(entry).key
        except (PyJWTError, ValueError, TypeError):
            continue
        if type != "RSA" or made.key_size >= SHORTEST_RSA:
            keys.append(Key(entry.get("kid"), type, curve, algorithm, made))
    return keys
