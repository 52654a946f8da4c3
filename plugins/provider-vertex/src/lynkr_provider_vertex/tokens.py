"""Access tokens by google-auth: for a service account, or for whatever credentials the machine has."""

from __future__ import annotations

import asyncio
import importlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lynkr_core.errors import PluginError, UpstreamError
from lynkr_core.oauth import Token
from lynkr_core.secret import Secret

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT = 30.0
"""Seconds for one question to a token endpoint."""
LIMIT = 256 * 1024
"""Bytes of its answer."""
LIFETIME = 3600.0
"""Seconds, where the credentials do not say when they end."""


class Answer:
    """google-auth's `transport.Response`."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


class Transport:
    """google-auth's `transport.Request`, by the standard library: it asks once an hour, in a thread of its own."""

    def __call__(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None,
        timeout: float | None = None, **more: Any,
    ) -> Answer:  # fmt: skip
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=timeout or TIMEOUT) as response:  # noqa: S310
                return Answer(response.status, dict(response.headers), response.read(LIMIT))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read(LIMIT))
        except OSError as error:
            raise _module("google.auth.exceptions").TransportError(f"{url}: {error}") from error


class GoogleCredentials:
    """Asks for tokens. `file` is a service account's JSON; without one the machine's own credentials are looked for.

    Nothing is read or asked before the first token is needed, and never in the event loop's thread.
    """

    def __init__(self, file: str | None) -> None:
        _module("google.auth")
        self._file = file
        self._credentials: Any = None

    async def __call__(self) -> Token:
        """Raises `UpstreamError`: `auth` when there are no credentials or they are refused, `unavailable` when nobody answers."""
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> Token:
        errors = _module("google.auth.exceptions")
        try:
            if self._credentials is None:
                self._credentials = self._find()
            self._credentials.refresh(Transport())
        except errors.TransportError as error:
            raise UpstreamError("unavailable", f"no access token could be had: {error}") from None
        except (errors.GoogleAuthError, OSError, ValueError) as error:
            raise UpstreamError("auth", f"no access token could be had: {_first(error)}") from None
        return Token(value=Secret(self._credentials.token), lifetime=_lifetime(self._credentials.expiry))

    def _find(self) -> Any:
        if self._file is None:
            return _module("google.auth").default(scopes=[SCOPE], request=Transport())[0]
        return _module("google.oauth2.service_account").Credentials.from_service_account_file(self._file, scopes=[SCOPE])


def _module(name: str) -> Any:
    """A module of google-auth, which is an extra. Raises `PluginError` when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        needed = "pip install 'lynkr-provider-vertex[auth]', or set access_token or api_key"
        raise PluginError(f"google-auth is not installed: {needed}") from None


def _first(error: Exception) -> str:
    """The error's own words, without the answer that google-auth puts beside them."""
    return str(error.args[0]) if error.args else type(error).__name__


def _lifetime(expiry: datetime | None) -> float:
    """Seconds; google-auth's times are UTC without saying so."""
    if expiry is None:
        return LIFETIME
    return max((expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds(), 0.0)
