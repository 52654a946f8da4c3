"""Tokens of an OpenID Connect issuer as credentials."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Mapping
from hashlib import blake2b
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import jwt
from jwt import exceptions
from msgspec import Meta, Struct

from lynkr_auth_jwt.claims import Claims, Unfit, holds
from lynkr_auth_jwt.keyset import Keys
from lynkr_core.caller import presented_key
from lynkr_core.errors import PluginError, Unauthenticated
from lynkr_core.exchange import Exchange, Principal, Reject
from lynkr_core.plugins import Context, Plugin
from lynkr_core.secret import Secret

__all__ = ["Config", "Tokens", "plugin"]

LONGEST = 16 * 1024
"""Characters of a token."""
RECHECK = 300.0
"""Seconds after which a token is verified anew: the issuer may have withdrawn its key."""
SHARED = ("HS256", "HS384", "HS512")
SHORTEST = 32
"""Bytes of a shared secret (RFC 7518, section 3.2)."""
REASONS: Mapping[type[Exception], str] = {
    exceptions.ExpiredSignatureError: "it has expired",
    exceptions.ImmatureSignatureError: "it is not good yet",
    exceptions.InvalidAudienceError: "it is for another audience",
    exceptions.InvalidIssuerError: "it is of another issuer",
    exceptions.MissingRequiredClaimError: "a claim is missing: aud, exp, iss and sub are needed",
}
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"
]
Asked = Principal | Reject | Coroutine[Any, Any, Principal | Reject] | None


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[auth.jwt]`"""

    issuer: Annotated[str, Meta(min_length=1, description="Who makes the tokens, as in their claim `iss`; an https address.")]
    audience: Annotated[list[str], Meta(min_length=1, description="A token must be for one of these, by its claim `aud`.")]
    algorithms: Annotated[
        list[Algorithm], Meta(description="Allowed signatures; default: RS256, ES256, EdDSA, with `secret` HS256.")
    ] = []
    secret: Annotated[Secret | None, Meta(description="Shared secret of HS256 and its like; then no keys are fetched.")] = None
    jwks_url: Annotated[str | None, Meta(description="Where the keys are, for an issuer without a discovery document.")] = None
    leeway: Annotated[float, Meta(ge=0, le=600, description="Seconds by which clocks may differ.")] = 60.0
    keep: Annotated[float, Meta(ge=60, description="Seconds after which the issuer's keys are fetched again.")] = 3600.0
    grace: Annotated[
        float, Meta(ge=0, description="Seconds for which they are good after that while the issuer does not answer; then 503.")
    ] = 86_400.0
    cache: Annotated[int, Meta(gt=0, description="Verified tokens remembered by each process.")] = 10_000
    require: Annotated[dict[str, str], Meta(description='Claims that must have, or list, a value: `{ groups = "llm" }`.')] = {}
    claims: Annotated[Claims, Meta(description="The claim of each field of the caller; see below.")] = Claims()


class Tokens:
    """Takes tokens that name its issuer; others are left to other plugins."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises `PluginError`."""
        self.config = config
        self._name = context.name
        self._clock = clock
        self._algorithms = allowed(config)
        self._keys = Keys(context.transport, config.issuer, config.jwks_url, config.keep, config.grace, clock)
        self._salt = os.urandom(32)
        self._known: dict[bytes, tuple[Principal, float]] = {}
        self.refused = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._keys.close()

    def authenticate(self, exchange: Exchange) -> Asked:
        """One keyed hash and one look-up for a token that was verified lately."""
        shown = presented_key(exchange.headers, exchange.query)
        digest = blake2b(shown.encode("latin-1"), digest_size=16, key=self._salt).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known[1]:
            return known[0]
        return self._unknown(shown, digest) if shown.startswith("eyJ") and shown.count(".") == 2 else None

    def _unknown(self, token: str, digest: bytes) -> Asked:
        if len(token) > LONGEST:
            return self._refuse("it is too long")
        try:
            whole = jwt.decode_complete(token, options={"verify_signature": False})
        except (exceptions.PyJWTError, ValueError, TypeError, RecursionError):
            return self._refuse("it cannot be read")
        if whole["payload"].get("iss") != self.config.issuer:
            return None
        header: Mapping[str, Any] = whole["header"]
        algorithm, id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            return self._refuse("its algorithm is not allowed")
        if "crit" in header or not isinstance(id, str | None):
            return self._refuse("its header asks for what lynkr does not know")
        key = self.config.secret.reveal() if self.config.secret else self._keys.find(id, algorithm)
        if key is not None:
            return self._verified(token, digest, key, algorithm)
        if not self._keys.worth_asking():
            return self._refuse("its key is not one of the issuer's")
        return self._ask(token, digest, id, algorithm)

    async def _ask(self, token: str, digest: bytes, id: str | None, algorithm: str) -> Principal | Reject:
        """Raises `Unavailable` while the issuer's keys cannot be had."""
        key = await self._keys.fetched(id, algorithm)
        return (
            self._refuse("its key is not one of the issuer's") if key is None else self._verified(token, digest, key, algorithm)
        )

    def _verified(self, token: str, digest: bytes, key: Any, algorithm: str) -> Principal | Reject:
        config = self.config
        try:
            claims = jwt.decode(
                token, key, algorithms=[algorithm], audience=config.audience, issuer=config.issuer, leeway=config.leeway,
                options={"require": ["aud", "exp", "iss", "sub"]},
            )  # fmt: skip
            if not holds(claims, config.require):
                raise Unfit("it lacks what is required of its claims")
            principal = config.claims.principal(self._name, claims)
        except Unfit as unfit:
            return self._refuse(str(unfit))
        except (exceptions.PyJWTError, ValueError, TypeError, OverflowError) as error:
            return self._refuse(REASONS.get(type(error), "it is not good"))
        left = min(int(claims["exp"]) + config.leeway - time.time(), RECHECK)
        self._known.pop(digest, None)
        if len(self._known) >= config.cache:
            del self._known[next(iter(self._known))]
        self._known[digest] = (principal, self._clock() + left)
        return principal

    def _refuse(self, why: str) -> Reject:
        self.refused += 1
        return Reject(
            Unauthenticated(f"the token is not valid here: {why}; get a new one from {self.config.issuer}", code="invalid_token")
        )

    def status(self) -> Mapping[str, Any]:
        return {"known": len(self._known), "refused": self.refused, "issuer": "down" if self._keys.down else "ok"}


def allowed(config: Config) -> frozenset[str]:
    """The algorithms: of a shared secret or of public keys, never both. Raises `PluginError` for settings that contradict each other."""
    algorithms = frozenset(config.algorithms or (("HS256",) if config.secret else ("RS256", "ES256", "EdDSA")))
    if config.secret and (config.jwks_url or not algorithms.issubset(SHARED)):
        raise PluginError("$.secret: goes with HS256, HS384 and HS512 only, and without jwks_url")
    if config.secret and len(config.secret.reveal().encode()) < SHORTEST:
        raise PluginError(f"$.secret: must have at least {SHORTEST} bytes; `openssl rand -hex 32` makes one")
    if not config.secret and not algorithms.isdisjoint(SHARED):
        raise PluginError("$.algorithms: HS256, HS384 and HS512 need a secret")
    for name, url in (("issuer", None if config.secret else config.issuer), ("jwks_url", config.jwks_url)):
        if url is not None and not is_safe(url):
            raise PluginError(f"$.{name}: must be an https address, or one on this machine")
    return algorithms


def is_safe(url: str) -> bool:
    """Whether nobody in between can change what is fetched from there."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.scheme == "http" and parts.hostname == "localhost"


plugin = Plugin(api=1, config=Config, create=Tokens)
