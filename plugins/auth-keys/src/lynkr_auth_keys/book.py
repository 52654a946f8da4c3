"""The keys in the store: made, listed, rotated, revoked.

auth-keys/pepper        the pepper, where none is configured
auth-keys/check         a hash by which a wrong pepper is seen
auth-keys/key/ID        a record, sealed
auth-keys/revoked/ID    when it was revoked; a row of its own, so that nobody who writes the record can undo it
auth-keys/used/ID       when it was used last, to a few minutes
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from typing import Any

from msgspec import Struct, structs

from lynkr_auth_keys.key import Pepper, Record, new_record
from lynkr_core.errors import GatewayError, PluginError, UnknownModel
from lynkr_core.secret import Secret
from lynkr_core.stores import KeyValue

PREFIX = "auth-keys"
MAX_LISTED = 100_000


class UnknownKey(GatewayError):
    """There is no key with this id."""

    status, type = UnknownModel.status, UnknownModel.type


class Listed(Struct, kw_only=True):
    """A key as it may be shown: without hashes."""

    record: Record
    revoked: float | None = None
    used: float | None = None

    def state(self, now: float) -> str:
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.record.expires is not None and self.record.expires <= now else "active"

    def shown(self) -> dict[str, Any]:
        record = structs.asdict(self.record)
        hidden = ("hash", "before", "before_until", "principal_class")
        told = {name: value for name, value in record.items() if name not in hidden}
        times = {"revoked": self.revoked, "last_used": self.used}
        return told | {"class": self.record.principal_class} | times | {"state": self.state(time.time())}


class Book:
    """Each call raises `OSError` when the store cannot be asked."""

    def __init__(self, store: KeyValue, pepper: Secret | None) -> None:
        self._store = store
        self._configured = pepper
        self._pepper: Pepper | None = None

    async def pepper(self) -> Pepper | None:
        """None while there is none in the store, and so no key either. Raises `PluginError` for another one than the keys were made with."""
        if self._pepper is None:
            kept = await self._store.get(f"{PREFIX}/pepper")
            found = self._configured.reveal() if self._configured else kept.decode() if kept else None
            if found is not None:
                made = Pepper(found)
                check = await self._store.get(f"{PREFIX}/check")
                if check is not None and not secrets.compare_digest(check, made.check()):
                    raise PluginError("$.pepper: the keys in the store were made with another pepper")
                self._pepper = made
        return self._pepper

    async def _own_pepper(self) -> Pepper:
        """As `pepper`; made and kept when there is none yet."""
        found = await self.pepper()
        if found is None:
            await self._store.set(f"{PREFIX}/pepper", secrets.token_urlsafe(48).encode(), math.inf)
            found = await self.pepper()
        assert found is not None, "it was written a moment ago"
        await self._store.set(f"{PREFIX}/check", found.check(), math.inf)
        return found

    async def find(self, id: str) -> Record | None:
        """The record of a key that is not revoked; whether it has expired is not looked at."""
        pepper = await self.pepper()
        if pepper is None:
            return None
        value, revoked = await asyncio.gather(self._store.get(f"{PREFIX}/key/{id}"), self._store.get(f"{PREFIX}/revoked/{id}"))
        return pepper.opened(id, value) if value is not None and revoked is None else None

    async def create(self, **fields: object) -> tuple[str, Record]:
        """A new key, which nobody will see again, and its record. Raises `msgspec.ValidationError`."""
        pepper = await self._own_pepper()
        record = new_record(**fields)
        key = pepper.minted(record.id)
        record.hash = pepper.hash(key)
        await self._write(pepper, record)
        return key, record

    async def rotate(self, id: str, grace: float) -> tuple[str, Record]:
        """A new key in the place of the old one, which is good for `grace` more seconds. Raises `UnknownKey`."""
        record, pepper = await self.find(id), await self._own_pepper()
        if record is None:
            raise unknown(id)
        now = time.time()
        key = pepper.minted(id)
        record = structs.replace(record, hash=pepper.hash(key), before=record.hash, before_until=now + grace, rotated=now)
        await self._write(pepper, record)
        return key, record

    async def revoke(self, id: str) -> None:
        """For good. Raises `UnknownKey`."""
        if await self._store.get(f"{PREFIX}/key/{id}") is None:
            raise unknown(id)
        if await self._store.get(f"{PREFIX}/revoked/{id}") is None:
            await self._store.set(f"{PREFIX}/revoked/{id}", b"%d" % time.time(), math.inf)

    async def _write(self, pepper: Pepper, record: Record) -> None:
        await self._store.set(f"{PREFIX}/key/{record.id}", pepper.sealed(record), math.inf)

    async def used(self, id: str, at: float) -> None:
        await self._store.set(f"{PREFIX}/used/{id}", b"%d" % at, math.inf)

    async def show(self, id: str) -> Listed:
        """Raises `UnknownKey`."""
        found = await self.listed(f"/{id}")
        if not found:
            raise unknown(id)
        return found[0]

    async def listed(self, of: str = "/") -> list[Listed]:
        """Every key, the newest first; damaged records are left out."""
        pepper = await self.pepper()
        if pepper is None:
            return []
        values = await self._store.scan(f"{PREFIX}/key{of}", MAX_LISTED)
        revoked, used = await self._times("revoked", of), await self._times("used", of)
        records = [pepper.opened(key.rpartition("/")[2], value) for key, value in values.items()]
        found = [Listed(record=one, revoked=revoked.get(one.id), used=used.get(one.id)) for one in records if one is not None]
        return sorted(found, key=lambda one: one.record.created, reverse=True)

    async def _times(self, what: str, of: str) -> dict[str, float]:
        values = await self._store.scan(f"{PREFIX}/{what}{of}", MAX_LISTED)
        return {key.rpartition("/")[2]: float(value) for key, value in values.items()}


def unknown(id: str) -> UnknownKey:
    return UnknownKey(
        f"there is no key with the id {id[:20]!r} that could be used; `lynkr keys list` has them", code="not_found", param="id"
    )
