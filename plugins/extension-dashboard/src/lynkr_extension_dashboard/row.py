"""What is remembered of a finished exchange: little, nothing of a message, and told as JSON only when somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from lynkr_core.exchange import Candidate, Exchange, Outcome, Principal, Status
from lynkr_core.pricing import rates_of
from lynkr_core.remarks import Saving
from lynkr_core.request import Usage

LONGEST_ERROR = 300
WHOSE = ("key", "user", "team", "agent")
KEPT = (
    "id", "created", "principal", *WHOSE, "dialect", "operation", "stream", "model_asked", "route", "tier", "score", "provider",
    "model", "reason", "selected_by", "status", "http_status", "error", "cost", "saved_tokens", "saved_usd", "cache", "duration",
    "first_token",
)  # fmt: skip
"""What a row and a record of the journal have in common."""
TOKENS = ("input_tokens", "output_tokens", "cache_read")


class Row(Struct, gc=False):
    """Times in seconds, `cost` in USD. `fallback`: somebody else served, or was asked too, than who was first in the order."""

    id: str
    created: float
    principal: Principal
    dialect: str
    operation: str
    stream: bool
    model_asked: str | None
    route: str
    tier: str | None
    score: float | None
    candidate: Candidate | None
    reason: str
    selected_by: str
    status: Status
    http_status: int
    error: str | None
    cost: float | None
    usage: Usage | None
    saved_tokens: int
    savings: tuple[Saving, ...]
    cache: str
    duration: float
    first_token: float | None
    attempts: int
    fallback: bool

    @property
    def unpriced(self) -> bool:
        return self.usage is not None and self.cost is None

    def saved_usd(self) -> float | None:
        """As far as it is known: tokens are worth what the served model's input costs, where a plugin does not say."""
        price = self.candidate.price if self.candidate else None
        known = [saving.usd for saving in self.savings if saving.usd is not None]
        if price is not None:
            sent = self.usage.input_tokens if self.usage else 0
            rest = [saving.tokens for saving in self.savings if saving.usd is None]
            known += [tokens * rates_of(price, Usage(input_tokens=sent + tokens)).input / 1e6 for tokens in rest]
        return sum(known) if known else None

    def told(self) -> dict[str, Any]:
        """As JSON values, by the names that the journal has for them."""
        who, usage, served = self.principal, self.usage, self.candidate
        return {
            **{name: getattr(self, name) for name in KEPT if name in self.__struct_fields__ and name != "principal"},
            "principal": who.id,
            **{name: getattr(who, name) for name in WHOSE},
            "provider": served.provider.name if served else None,
            "model": served.model if served else None,
            **{name: getattr(usage, name) if usage else None for name in TOKENS},
            "saved_usd": self.saved_usd(),
            "attempts": self.attempts,
            "fallback": self.fallback,
        }


def row(exchange: Exchange, outcome: Outcome) -> Row:
    """Called once for each exchange, watched or not: in the order of the fields, which is a third faster than by their names."""
    envelope, selection, reply, dialect = exchange.envelope, exchange.selection, exchange.reply, exchange.dialect
    return Row(
        exchange.id, exchange.created, exchange.principal, dialect.name, dialect.operation, envelope.stream if envelope else False,
        envelope.model if envelope else None, exchange.route, exchange.tier, exchange.score, outcome.candidate,
        selection.reason if selection else (reply.reason if reply else ""), exchange.selected_by, outcome.status,
        outcome.http_status, fault(outcome) if outcome.error else None, outcome.cost, outcome.usage, exchange.saved_tokens,
        exchange.savings, reply.cache if reply else "off", outcome.duration, outcome.first_token,
        len(outcome.attempts), fell_back(exchange, outcome),
    )  # fmt: skip


def fell_back(exchange: Exchange, outcome: Outcome) -> bool:
    tried, order = outcome.attempts, exchange.selection.order if exchange.selection else ()
    if outcome.candidate is not None and order and outcome.candidate is not order[0]:
        return True
    return len(tried) > 1 and tried[-1].candidate is not tried[0].candidate


def fault(outcome: Outcome) -> str | None:
    """What went wrong, without an upstream's own words: they may quote the caller's."""
    if outcome.error is None:
        return None
    last = outcome.attempts[-1].error if outcome.attempts else None
    if last is None:
        return outcome.error[:LONGEST_ERROR]
    return " ".join([str(word) for word in (last.kind, last.status, last.code) if word is not None])


def of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row as `told`, of a record of the journal."""
    usage: Mapping[str, Any] = record.get("usage") or {}
    attempts, order = record.get("attempts") or (), record.get("order") or ()
    served = f"{record.get('provider')}/{record.get('model')}" if record.get("model") else None
    asked = {attempt["candidate"] for attempt in attempts}
    return {
        **{name: record.get(name) for name in KEPT},
        **{name: usage.get(name) for name in TOKENS},
        "attempts": len(attempts),
        "fallback": len(asked) > 1 or bool(served and order and served != order[0]),
    }
