"""Who loses money is switched off."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger("lynkr.cache-guard")
MOST_PLUGINS = 256
FEWEST = 20
"""Requests before anything is said of a plugin."""


class Governor:
    """Adds up what each plugin earned over its last `window` requests; below `-loss` USD it is off for `seconds`."""

    def __init__(self, window: int, loss: float, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._loss = loss
        self._seconds = seconds
        self._clock = clock
        self._earned: dict[str, deque[float]] = {}
        self._off: dict[str, tuple[float, str]] = {}

    def book(self, plugin: str, usd: float) -> None:
        earned = self._earned.get(plugin)
        if earned is None:
            if len(self._earned) >= MOST_PLUGINS:
                return
            earned = self._earned[plugin] = deque(maxlen=self._window)
        earned.append(usd)
        if len(earned) >= FEWEST and plugin not in self._off and (total := sum(earned)) < -self._loss:
            why = f"lost ${-total:.4f} over its last {len(earned)} requests"
            self._off[plugin] = (self._clock() + self._seconds, why)
            earned.clear()
            log.warning("%s %s: new conversations go on without it", plugin, why)

    def off(self) -> frozenset[str]:
        """Who takes no part in new conversations. One that is in use stays as it is, because its cache depends on that."""
        if not self._off:
            return NOBODY
        now = self._clock()
        for plugin in [plugin for plugin, (until, _) in self._off.items() if until <= now]:
            del self._off[plugin]
            log.info("%s is tried again", plugin)
        return frozenset(self._off)

    def why(self) -> dict[str, Any]:
        return {plugin: why for plugin, (_, why) in self._off.items()}


NOBODY: frozenset[str] = frozenset()
