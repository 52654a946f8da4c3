"""Asks the gateway: its live feed, or where it has none, its health and what the journal sums up."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlencode

import httpx2
import msgspec

from lynkr_core.errors import LynkrError
from lynkr_core.secret import Secret

LIVE, READY, USAGE = "/v1/admin/live", "/health/ready", "/v1/usage"
MOST = 8_388_608
"""Bytes of an answer."""
WAIT = 5.0
"""Seconds for which the gateway may wait for news."""
PATIENCE = 15.0
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Unreachable(LynkrError):
    """The gateway does not answer, or not with what was asked for; the text is for people."""


class Reader:
    """`async with Reader(url, key) as reader: told = await reader.poll()`. `pause`: seconds to wait before the next one."""

    def __init__(self, url: str, key: Secret | None, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Raises `Unreachable` for a URL that is none."""
        headers = {"x-api-key": key.reveal()} if key else {}
        try:
            self._client = httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, transport=transport)
        except (ValueError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{url!r} is no URL: {error}") from None
        self._cursor = ""
        self.live = True
        self.pause = 0.0

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def poll(self, wait: float = WAIT) -> dict[str, Any]:
        """What `Board.take` takes, as soon as there is something new. Raises `Unreachable`."""
        if self.live:
            asked = {"wait": f"{wait:g}", **({"after": self._cursor} if self._cursor else {})}
            told = await self._get(f"{LIVE}?{urlencode(asked)}")
            if told is not None:
                self._cursor, self.pause = str(told.get("cursor") or ""), 0.0
                return told
            self.live, self.pause = False, 2.0
        return await self._plain()

    def forget(self) -> None:
        """After a failure: the gateway may be another one."""
        self._cursor, self.live = "", True

    async def _plain(self) -> dict[str, Any]:
        ready = await self._get(READY) or {}
        usage = await self._get(f"{USAGE}?by=tier&since=24h")
        plugins: dict[str, Any] = ready.get("plugins") or {}
        breaker: dict[str, Any] = plugins.get("policy.breaker") or {}
        rows: list[dict[str, Any]] = (usage or {}).get("rows") or []
        return {
            "anew": True,
            "open": {"total": ready.get("attempts", 0), "rows": []},
            "totals": [{**row, **(row.get("group") or {})} for row in rows],
            "left_alone": breaker.get("left_alone"),
            "plugins": [{"id": id, "off": True} for id in ready.get("plugins_off") or ()],
        }

    async def _get(self, path: str) -> dict[str, Any] | None:
        """None for 404: that is not enabled there."""
        try:
            async with self._client.stream("GET", path) as answer:
                status, body = answer.status_code, await self._read(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{self._client.base_url} does not answer: {type(error).__name__}") from None
        if status in (401, 403):
            raise Unreachable("the gateway wants another key: set LYNKR_ADMIN_KEY")
        if status == 404:
            return None
        if status not in (200, 503):
            raise Unreachable(f"GET {path.partition('?')[0]} was answered with status {status}")
        try:
            return _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Unreachable(f"GET {path.partition('?')[0]} gave no JSON: is this a lynkr gateway?") from None

    async def _read(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > MOST:
                raise Unreachable("the answer is too large")
        return bytes(body)
