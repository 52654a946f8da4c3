"""How many requests and tokens a model was sent in the last minute."""

from __future__ import annotations

from collections import deque

WINDOW = 60
"""Seconds."""


class Meter:
    """Counts by whole seconds, so it holds sixty numbers at most."""

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()  # second, requests, tokens
        self.requests = 0
        self.tokens = 0

    def add(self, now: float, requests: int, tokens: int) -> None:
        """`tokens` may be negative: what was counted too much."""
        self.expire(now)
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += requests
        self._seconds[-1][2] += tokens
        self.requests += requests
        self.tokens += tokens

    def expire(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW:
            _, requests, tokens = self._seconds.popleft()
            self.requests -= requests
            self.tokens -= tokens
