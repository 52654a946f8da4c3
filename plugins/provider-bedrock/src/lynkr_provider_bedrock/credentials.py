"""AWS's credential chain, by botocore: environment, profiles, SSO, assumed roles, containers and instances."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lynkr_core.errors import UpstreamError
from lynkr_provider_bedrock.signing import Keys


def is_installed() -> bool:
    return find_spec("botocore") is not None


class Chain:
    """Resolves in a thread, since botocore blocks, and renews keys a while before they expire; see `signing.Source`."""

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._found: Any = None
        self._keys: Keys | None = None
        self._lock = asyncio.Lock()

    def ready(self) -> Keys | None:
        is_stale = getattr(self._found, "refresh_needed", None)  # keys that never expire have no such method
        return None if is_stale is not None and is_stale() else self._keys

    async def fetch(self) -> Keys:
        async with self._lock:
            keys = self.ready()
            if keys is None:
                keys = self._keys = await asyncio.to_thread(self._resolve)
            return keys

    def _resolve(self) -> Keys:
        try:
            if self._found is None:
                self._found = import_module("botocore.session").Session(profile=self._profile).get_credentials()
            found = None if self._found is None else self._found.get_frozen_credentials()
        except Exception as error:
            raise UpstreamError("auth", f"AWS credentials: {type(error).__name__}: {error}") from None
        if found is None or not found.access_key:
            raise UpstreamError("auth", "AWS credentials: the chain of environment, profiles and roles has none")
        return Keys(found.access_key, found.secret_key, found.token)
