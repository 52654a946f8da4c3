"""What a request will cost with each model, before it is sent."""

from __future__ import annotations

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Candidate, Exchange, Outcome
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.tokens import estimate

BYTES_PER_TOKEN = 4
FRESH = 0.1
"""How much the newest call counts against all before it."""
MAX_MODELS = 2_000
"""Models remembered; callers can name any."""
MAX_COST = b"x-lynkr-max-cost-usd"


class Habit:
    """What calls of one model are like: the parts of the input read from its prompt cache and written to it, and tokens of output."""

    __slots__ = ("calls", "output", "read", "written")

    def __init__(self, output: float) -> None:
        self.read = self.written = 0.0
        self.output = output
        self.calls = 0

    def note(self, usage: Usage) -> None:
        self.calls += 1
        part = max(FRESH, 1 / (self.calls + 1))  # the first calls are a plain mean
        size = max(usage.input_tokens, 1)
        self.read += part * (usage.cache_read / size - self.read)
        self.written += part * (usage.cache_write / size - self.written)
        self.output += part * (usage.output_tokens - self.output)


class Estimator:
    """Prices requests by what calls of each model have been like. `output`: tokens of an answer as long as nothing is known."""

    def __init__(self, output: float = 500.0) -> None:
        self.output = output
        self._habits: dict[str, Habit] = {}

    def usd(self, exchange: Exchange, candidate: Candidate, tokens: int) -> float | None:
        """For so many input tokens. A local model without a price costs nothing; of others without one nothing is known: None."""
        if candidate.price is None:
            return 0.0 if candidate.provider.is_local(candidate.model) else None
        habit = self._habits.get(candidate.id)
        output = habit.output if habit else self.output
        limit = exchange.envelope.max_tokens
        output = int(min(output, limit) if limit else output)
        if habit is None:
            return cost(Usage(input_tokens=tokens, output_tokens=output), candidate.price)
        read, written = int(tokens * habit.read), int(tokens * habit.written)
        usage = Usage(input_tokens=tokens, output_tokens=output, cache_read=read, cache_write=written)
        return cost(usage, candidate.price)

    def note(self, outcome: Outcome) -> None:
        """What a call was like, when it is over."""
        if outcome.candidate is None or outcome.usage is None or outcome.status != "ok":
            return
        id = outcome.candidate.id
        if id not in self._habits:
            if len(self._habits) >= MAX_MODELS:
                self._habits.clear()
            self._habits[id] = Habit(self.output)
        self._habits[id].note(outcome.usage)


def input_tokens(exchange: Exchange) -> int:
    """By the size of the body; counted where it may have images or documents, whose bytes say nothing."""
    media = exchange.dialect.media.values()
    if len(exchange.body) > 16_384 and any(mark in exchange.body for marks in media for mark in marks):
        try:
            return estimate(exchange.request)
        except InvalidRequest:
            pass  # whoever has to read it will say what is wrong
    return len(exchange.body) // BYTES_PER_TOKEN + 1


def limit_of(exchange: Exchange, header: bytes, configured: float | None) -> float | None:
    """The lower one of what the caller and the configuration allow. Raises `InvalidRequest` for a header that is no amount."""
    said = exchange.headers.get(header)
    if said is None:
        return configured
    try:
        value = float(said)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        name = header.decode()
        raise InvalidRequest(f"{name} must be a number, 0 or more", param=name)
    return value if configured is None else min(value, configured)
