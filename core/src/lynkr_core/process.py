"""The process around the kernel: whether it is stopping, what became of the last reload, and who may tell it what to do."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from lynkr_core.caller import presented_key
from lynkr_core.dialect import Headers
from lynkr_core.errors import Forbidden, Unauthenticated
from lynkr_core.exchange import Principal, Reply
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.secret import Secret

ADMIN = Principal(id="admin")
MAX_TOLD = 20
"""Mistakes that are told where anybody may look."""
PAGE_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Scripts and styles from lynkr itself only, none inside the page; no frame around it; nothing kept."""


class Reloaded(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a reload. `config`: the hash of what serves now; `mistakes`: why that is still the old one.

    `restart`: settings that have changed in the file and hold from the next start on. `workers`: how many processes took it up.
    """

    config: str
    mistakes: Sequence[str] = ()
    restart: Sequence[str] = ()
    workers: int = 1


class Process:
    """Shared by the applications of all configurations that one process serves. `reload` is None where nobody can reload; `more`: what
    else can be done from outside.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.mistakes: Sequence[str] = ()
        self.reload: Callable[[], Awaitable[Reloaded]] | None = None
        self.more: Sequence[Route] = ()

    def routes(self) -> Sequence[Route]:
        own = [Route(method="POST", path="/v1/admin/reload", endpoint=self._reload, admin=True)] if self.reload else []
        return [*own, *self.more]

    async def _reload(self, query: RouteRequest) -> Reply:
        """200 with a `Reloaded`, or 422 with every mistake while the old configuration goes on."""
        assert self.reload is not None
        done = await self.reload()
        if not done.mistakes:
            return Reply(body=msgspec.json.encode({"status": "ok", **msgspec.to_builtins(done)}))
        told = {"message": "\n".join(done.mistakes), "type": "config_error", "param": None, "code": "config_error"}
        return Reply(status=422, body=msgspec.json.encode({"type": "error", "error": told, **msgspec.to_builtins(done)}))


def page(html: str) -> Reply:
    """A page for a browser, with the headers that keep others from using it."""
    return Reply(body=html.encode(), headers=PAGE_HEADERS)


def admin(key: Secret | None, headers: Headers) -> Principal:
    """Who calls an admin route. Raises `Forbidden` while there is no admin key, `Unauthenticated` for another one."""
    if not key:
        raise Forbidden("admin routes are off; [server] admin_key switches them on", code="admin_off")
    if not is_admin(key, headers):
        raise Unauthenticated("this route needs the admin key, as a bearer token or x-api-key", code="invalid_api_key")
    return ADMIN


def is_admin(key: Secret | None, headers: Headers) -> bool:
    """Whether the admin key is shown: it opens every route that a plugin serves, and shows there what belongs to others too."""
    return bool(key) and hmac.compare_digest(presented_key(headers).encode("latin-1"), key.reveal().encode())
