"""Real exchanges around hand-made bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from lynkr_core.dialect import Dialect, Envelope, read_fields
from lynkr_core.exchange import Exchange, Score
from lynkr_scorer_heuristic import Config, Heuristic


class FakeDialect:
    """As much of a dialect as a scorer sees."""

    name = "fake"
    conversation = "messages"

    def __init__(self, operation: str = "chat") -> None:
        self.operation = operation


def exchange_of(body: dict[str, Any] | bytes, *, max_tokens: int | None = None, operation: str = "chat") -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    exchange = Exchange(cast("Dialect", FakeDialect(operation)), "/v1/messages", {}, raw)
    exchange.envelope = Envelope(fields=read_fields(raw), model="auto", max_tokens=max_tokens)
    return exchange


@pytest.fixture
def exchange_with() -> Callable[..., Exchange]:
    return exchange_of


@pytest.fixture
def score() -> Callable[..., Score]:
    """Scores a text, a list of messages or a whole body."""

    def run(what: str | list[Any] | dict[str, Any] | bytes, *, config: Config | None = None, **options: Any) -> Score:
        if isinstance(what, str):
            what = [{"role": "user", "content": what}]
        body = {"model": "auto", "messages": what} if isinstance(what, list) else what
        found = Heuristic(config or Config()).score(exchange_of(body, **options))
        assert found is not None
        return found

    return run
