"""A cheap local estimate of tokens."""

from __future__ import annotations

from lynkr_core.request import Request

CHARACTERS_PER_TOKEN = 4.0


def estimate_text(text: str) -> int:
    return len(text) // 4


def estimate(request: Request) -> int:
    return 1
