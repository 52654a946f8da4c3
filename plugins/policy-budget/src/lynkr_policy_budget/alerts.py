"""What is said when a budget gets short: a line in the log, and a POST to a URL that the operator chose."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec

from lynkr_core.errors import PluginError, UpstreamError
from lynkr_core.secret import Secret
from lynkr_core.upstream import Endpoint, Timeouts, Transport
from lynkr_policy_budget.gauges import Gauge, Level
from lynkr_policy_budget.rules import moment

log = logging.getLogger("lynkr.budget")
MOST_AT_ONCE = 16
SECONDS = 5.0
MAX_ANSWER = 64 * 1024


class Alerts:
    """Raises `PluginError` for a URL that is none. Nothing is sent anywhere without a URL."""

    def __init__(self, url: str | None, key: Secret | None, transport: Transport) -> None:
        self._transport = transport
        self._endpoint: Endpoint | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.said = self.lost = 0
        if url is not None:
            headers = [(b"content-type", b"application/json")]
            headers += [(b"authorization", b"Bearer " + key.reveal().encode())] if key else []
            try:
                self._endpoint = Endpoint(url, tuple(headers), timeouts=Timeouts(connect=SECONDS, silence=SECONDS))
            except ValueError as error:
                raise PluginError(f"$.webhook: {error}") from None

    def say(self, gauge: Gauge, level: Level) -> None:
        self.said += 1
        told = gauge.told()
        words = "has no room for a request" if level == "exceeded" else f"is {gauge.share:.0%} used"
        log.warning("the budget of %s %s: %s of %s, until %s", *[told["budget-scope"], words, told["budget-used"]],
                    told["budget-limit"], told["budget-reset"])  # fmt: skip
        if self._endpoint is not None:
            self._send(self._endpoint, message(gauge, level))

    def _send(self, endpoint: Endpoint, body: bytes) -> None:
        if len(self._tasks) >= MOST_AT_ONCE:
            self.lost += 1
            return
        task = asyncio.ensure_future(self._post(endpoint, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, endpoint: Endpoint, body: bytes) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                response = await self._transport.send(endpoint, (), body).response()
                await response.read(MAX_ANSWER)
            if response.status >= 300:
                raise UpstreamError("invalid", f"it answered with status {response.status}")
        except (UpstreamError, TimeoutError) as error:
            self.lost += 1
            log.warning("the webhook at %s could not be told: %s", endpoint.authority, error or "it took too long")

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SECONDS)


def message(gauge: Gauge, level: Level) -> bytes:
    """Amounts in nano-dollars, tokens or requests."""
    rule = gauge.room.rule
    told: dict[str, Any] = {
        "event": f"budget.{level}", "subject": gauge.room.subject, "per": rule.windows.per, "unit": rule.unit,
        "used": gauge.used, "limit": gauge.limit, "share": round(gauge.share, 4), "resets": moment(gauge.until),
    }  # fmt: skip
    return msgspec.json.encode(told)
