"""Keys of lynkr's own for callers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from msgspec import Meta, Struct

from lynkr_auth_keys.book import Book
from lynkr_auth_keys.commands import Commands
from lynkr_auth_keys.failures import Failures
from lynkr_auth_keys.key import KEY, Pepper
from lynkr_auth_keys.known import Entry, Known
from lynkr_auth_keys.routes import Desk
from lynkr_auth_keys.used import Used
from lynkr_core.caller import presented_key
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Exchange, Principal, Reject
from lynkr_core.plugins import Context, Plugin
from lynkr_core.routes import Route
from lynkr_core.secret import Secret
from lynkr_core.stores import MemoryStore

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["Config", "Keys", "plugin"]

log = logging.getLogger("lynkr.auth.keys")
SHORTEST = 16
"""Characters of a pepper or master key."""
MASTER = Principal(id="master", key="master")


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[auth.keys]`"""

    store: Annotated[str | None, Meta(description="Name of the store that has the keys; the first one when left out.")] = None
    pepper: Annotated[
        Secret | None,
        Meta(description="Secret that all hashes depend on, as `${LYNKR_PEPPER}`; left out, one is made and kept in the store."),
    ] = None
    master_key: Annotated[Secret | None, Meta(description="A key that may use everything, from the environment.")] = None
    recheck: Annotated[
        float,
        Meta(gt=0, le=3600, description="Seconds within which a revocation reaches every process; at once the one that did it."),
    ] = 10.0
    fail: Annotated[
        Literal["closed", "local-share"],
        Meta(
            description="While the store is down or slow: `local-share` goes on with the keys that this process knows, `closed` refuses."
        ),
    ] = "local-share"
    grace: Annotated[float, Meta(ge=0, description="Seconds for which `local-share` holds; then it is `closed`.")] = 300.0
    deadline: Annotated[float, Meta(gt=0, description="Seconds after which a store that has not answered counts as down.")] = 3.0
    cache: Annotated[int, Meta(gt=0, description="Keys remembered by each process.")] = 10_000
    failures: Annotated[int, Meta(ge=0, description="Keys that are not valid from one address in a minute; then 429.")] = 30


class Keys:
    """Takes keys that begin with `lk_`, and the master key; others are left to other plugins."""

    def __init__(self, config: Config, context: Context, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises `PluginError`."""
        for name, secret in (("pepper", config.pepper), ("master_key", config.master_key)):
            if secret is not None and len(secret.reveal()) < SHORTEST:
                raise PluginError(f"$.{name}: must have at least {SHORTEST} characters; `openssl rand -hex 32` makes one")
        try:
            store = context.stores.key_value(config.store)
        except KeyError:
            raise PluginError(f"$.store: there is no [store.{config.store}]") from None
        self._clock = clock
        self._deadline = config.deadline
        self._fail = config.fail
        self._store = store
        self._book = Book(store, config.pepper)
        grace = config.grace if config.fail == "local-share" else 0.0
        self._known = Known(self._book, config.cache, config.recheck, grace, config.deadline, clock)
        self._used = Used(self._book)
        self._failures = Failures(config.failures, clock)
        self._pepper: Pepper | None = None
        self._master = self._known.digest(config.master_key.reveal()) if config.master_key else None

    async def __aenter__(self) -> Self:
        """Raises `PluginError` when the keys in the store were made with another pepper. A store that is down is waited for later."""
        if isinstance(self._store, MemoryStore):
            log.warning("no store is enabled that keeps values: keys are gone when lynkr stops, and `lynkr keys` cannot see them")
        try:
            async with asyncio.timeout(self._deadline):
                self._pepper = await self._book.pepper()
        except (OSError, TimeoutError) as error:
            log.error("keys cannot be looked up yet: %s", type(error).__name__)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._known.close()
        await self._used.close()

    def authenticate(self, exchange: Exchange) -> Principal | Reject | Coroutine[Any, Any, Principal | Reject] | None:
        """One keyed hash and one look-up for a key that is known; for others the store is asked."""
        shown = presented_key(exchange.headers, exchange.query)
        digest = self._known.digest(shown)
        entry = self._known.entries.get(digest)
        if entry is None:
            return self._unknown(exchange, shown, digest)
        now = self._clock()
        if now < entry.due:
            return entry.principal or self._refused(exchange)
        if now >= entry.until:
            return self._ask(exchange, shown, digest)
        self._known.refresh(shown, digest)
        return self._used_by(exchange, entry, now)

    def _used_by(self, exchange: Exchange, entry: Entry, now: float) -> Principal | Reject:
        """Noted no more often than keys are asked for again."""
        if entry.principal is not None:
            self._used.note(entry.id, now)
        return entry.principal or self._refused(exchange)

    def _refused(self, exchange: Exchange) -> Reject:
        return Reject(self._failures.refusal(exchange.client))

    def _unknown(
        self, exchange: Exchange, shown: str, digest: bytes
    ) -> Principal | Reject | Coroutine[Any, Any, Principal | Reject] | None:
        if self._master is not None and compare_digest(digest, self._master):
            return MASTER
        if not shown.startswith("lk_"):
            return None
        if not KEY.fullmatch(shown) or (self._pepper is not None and not self._pepper.made(shown)):
            return self._refused(exchange)
        return self._ask(exchange, shown, digest)

    async def _ask(self, exchange: Exchange, shown: str, digest: bytes) -> Principal | Reject:
        """Raises `Unavailable` when the store does not answer and the key is not known well enough."""
        entry = await self._known.ask(shown, digest)
        self._pepper = self._pepper or await self._book.pepper()
        return self._used_by(exchange, entry, self._clock())

    def register_routes(self) -> Sequence[Route]:
        return Desk(self._book, self._known.forget).routes()

    def register_commands(self, cli: App) -> None:
        Commands(self._book, self._store).add_to(cli)

    def status(self) -> Mapping[str, Any]:
        known = sum(entry.principal is not None for entry in self._known.entries.values())
        return {
            "known": known,
            "refused": self._failures.count,
            "store": "down" if self._known.down else "ok",
            "fail": self._fail,
        }


plugin = Plugin(api=1, config=Config, create=Keys)
