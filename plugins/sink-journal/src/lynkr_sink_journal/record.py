"""What is kept of one exchange: its JSON and what it counts for, so that nothing keeps the exchange itself in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct, field

from lynkr_core.candidates import TIERS, Tiers
from lynkr_core.decision import Decision, decision
from lynkr_core.exchange import Attempt, Candidate, Exchange, Outcome, Principal
from lynkr_core.lending import billed_to_caller
from lynkr_core.pricing import computed, cost, rates_of
from lynkr_core.remarks import Saving
from lynkr_core.request import Usage
from lynkr_core.stores.totals import Row, Written, counted
from lynkr_sink_journal.redaction import redacted

LONGEST_ERROR = 500
LONGEST_TASK = 64
NOTHING: Mapping[str, str] = {}
COMMA = ord(",")
encode_into = msgspec.json.Encoder(enc_hook=dict).encode_into
# what is made for every request has no keywords: its fields are given in their order, which takes a tenth of the time


class Tokens(Struct, gc=False):
    """Tokens by kind."""

    input_tokens: int
    output_tokens: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    audio_input: int
    audio_output: int
    image_output: int
    fees: Mapping[str, int]
    service: str
    estimated: bool


class Tried(Struct, gc=False):
    """One attempt. `at`: seconds after the request's arrival. `error` is the kind of its failure, `code` the upstream's own name for it.
    What failed may have cost something too.
    """

    candidate: str
    error: str | None
    status: int | None
    code: str | None
    answered: Sequence[str]
    at: float
    seconds: float | None
    first_token: float | None
    usage: Tokens | None
    cost: float | None


class Asking(Struct, gc=False):
    """Who asked. `key`: the name of the key that was shown."""

    principal: str
    key: str | None
    user: str | None
    team: str | None
    agent: str | None
    principal_class: str | None = field(name="class")
    tags: Sequence[str]


class Ending(Struct, gc=False):
    """Who served, and what came of it. Times are in seconds, `cost` in USD.

    `billed`: whose money `cost` is; with a key of the caller's own not the operator's.
    `spent` is what all attempts at the same expense cost, as far as that is known. `provider_cost` is what the provider says it takes,
    `computed_cost` what the price row comes to, `price` where that row is from: to be compared. `queue`: seconds in queues of lynkr's.
    `untouched`: USD that it would have cost without what plugins have saved.
    """

    created: float
    stream: bool
    propensity: float
    task: str | None
    billed: str
    grade: str | None
    status: str
    http_status: int
    losses: Sequence[str]
    cache: str
    queue: float
    duration: float
    first_token: float | None
    usage: Tokens | None
    cost: float | None
    attempts: Sequence[Tried]
    spent: float
    provider_cost: float | None
    computed_cost: float | None
    price: str | None
    savings: Sequence[Saving]
    saved_tokens: int
    saved_usd: float | None
    untouched: float | None
    error: str | None


NONE = Tokens(0, 0, 0, 0, 0, 0, 0, 0, 0, {}, "", False)


class Recorder:
    """Makes the records of one journal."""

    def __init__(self, texts: bool, tiers: Tiers | None = None) -> None:
        self._texts = texts
        self._tiers = tiers
        self._buffer = bytearray()

    def record(self, exchange: Exchange, outcome: Outcome) -> Written:
        """The decision, and what came of it, as one JSON object."""
        told = decision(exchange, self._texts, outcome)
        end = ending(exchange, outcome, self._texts, self._tiers)
        if self._texts:
            redact(told, end)
        who = exchange.principal
        return told.id, end.created, self._joined(told, who, end), counts(told, who, end)

    def _joined(self, told: Decision, who: Principal, end: Ending) -> bytes:
        """One object of three."""
        buffer = self._buffer
        encode_into(told, buffer)
        buffer[-1] = COMMA
        buffer += asking(who)
        last = len(buffer) - 1
        encode_into(end, buffer, last)
        buffer[last] = COMMA
        return bytes(buffer)


@lru_cache(maxsize=4096)
def asking(who: Principal) -> bytes:
    """The rest of an object, whose comma stands before: it is the same for all requests of a caller."""
    return msgspec.json.encode(Asking(who.id, who.key, who.user, who.team, who.agent, who.principal_class, who.tags))[1:]


def counts(told: Decision, who: Principal, end: Ending) -> Row:
    """What the record counts for, as `totals.row_of_json` finds it."""
    columns = (
        told.model, told.provider, who.key, who.user, who.team, who.agent, who.id, who.principal_class, told.tier, told.session,
        end.task, end.status,
    )  # fmt: skip
    used, amounts = end.usage or NONE, (end.cost, end.spent, end.saved_usd, end.duration)
    tokens = (used.input_tokens, used.output_tokens, used.cache_read, used.cache_write, used.reasoning, end.saved_tokens)
    return counted(columns, tokens, amounts, used is not NONE, end.billed, end.grade)


def ending(exchange: Exchange, outcome: Outcome, texts: bool, tiers: Tiers | None) -> Ending:
    envelope, served, usage, usd = exchange.envelope, outcome.candidate, outcome.usage, outcome.cost
    price, billed = served.price if served else None, usage.billed if usage else None
    used = tokens(usage) if usage else None
    attempts: list[Tried] = []
    payer = served or (outcome.attempts[-1].candidate if outcome.attempts else None)
    theirs, spent = payer is not None and billed_to_caller(exchange, payer), 0.0
    for attempt in outcome.attempts:
        tokens_own, cost_own = (used, usd) if attempt.usage is usage else took(attempt)
        attempts.append(tried(attempt, exchange.started, tokens_own, cost_own))
        if cost_own and (attempt.candidate is payer or billed_to_caller(exchange, attempt.candidate) == theirs):
            spent += cost_own
    savings, saved = saved_by(exchange, outcome)
    notes = exchange.selection.notes if exchange.selection else NOTHING
    return Ending(
        exchange.created, envelope.stream if envelope else False, propensity(notes) if notes else 1.0, task(exchange, notes),
        "caller" if theirs else "operator", grade(served, tiers) if served else None,
        outcome.status, outcome.http_status, exchange.losses, exchange.cache, exchange.queued, outcome.duration,
        outcome.first_token, used, usd, attempts, spent, billed,
        usd if billed is None else computed(usage, price), price.source if price else None, savings, exchange.saved_tokens, saved,
        None if usd is None or served is None else usd + (saved or 0.0), fault(outcome, texts) if outcome.error else None,
    )  # fmt: skip


def redact(told: Decision, end: Ending) -> None:
    """The texts of a record: of what was scored, and of an error."""
    for place in (told, *told.scores):
        if place.ask:
            place.ask = redacted(place.ask)
    if end.error:
        end.error = redacted(end.error)


def task(exchange: Exchange, notes: Mapping[str, str]) -> str | None:
    """What it is about, as a plugin has found or the caller says."""
    said = notes.get("task") if notes else None
    if not said and b"x-lynkr-task" in exchange.headers:
        said = exchange.header(b"x-lynkr-task")
    return said[:LONGEST_TASK] if said else None


def saved_by(exchange: Exchange, outcome: Outcome) -> tuple[Sequence[Saving], float | None]:
    """What each plugin has saved, and USD as far as they are known."""
    said = exchange.savings
    if not said:
        return (), None
    savings = [saving(each, outcome) for each in said]
    known = [each.usd for each in savings if each.usd is not None]
    return savings, sum(known) if known else None


def saving(said: Saving, outcome: Outcome) -> Saving:
    """Tokens are worth what the served model's input costs, where the plugin does not say."""
    price = outcome.candidate.price if outcome.candidate else None
    if said.usd is not None or price is None:
        return said
    sent = outcome.usage.input_tokens if outcome.usage else 0
    usd = said.tokens * rates_of(price, Usage(input_tokens=sent + said.tokens)).input / 1e6
    return Saving(said.plugin, said.tokens, usd)


def grade(served: Candidate, tiers: Tiers | None) -> str | None:
    """`local` on a machine of the operator's own, `cheap` in the cheapest tier where there is a dearer one, else None."""
    if served.provider.is_local(served.model):
        return "local"
    cheapest = tiers.candidates(TIERS[0]) if tiers else ()
    is_cheap = served in cheapest and tiers is not None and tiers.candidates(TIERS[-1]) != cheapest
    return "cheap" if is_cheap else None


def propensity(notes: Mapping[str, str]) -> float:
    """How likely the first of `order` was to be it, so that strategies can be compared afterwards: 1 unless a selector drew lots."""
    if "propensity" not in notes:
        return 1.0
    try:
        return min(max(float(notes["propensity"]), 0.0), 1.0)
    except ValueError:
        return 1.0


def fault(outcome: Outcome, texts: bool) -> str | None:
    """What went wrong. An upstream's own words may quote the caller's, so they are kept with `texts` only."""
    last = outcome.attempts[-1].error if outcome.attempts else None
    if outcome.error is None or last is None or texts:
        return outcome.error[:LONGEST_ERROR] if outcome.error else None
    return " ".join([str(word) for word in (last.kind, last.status, last.code) if word is not None])


def tokens(usage: Usage) -> Tokens:
    return Tokens(
        usage.input_tokens, usage.output_tokens, usage.cache_read, usage.cache_write, usage.cache_write_1h, usage.reasoning,
        usage.audio_input, usage.audio_output, usage.image_output, usage.fees, usage.service, usage.estimated,
    )  # fmt: skip


def took(attempt: Attempt) -> tuple[Tokens | None, float | None]:
    """Tokens and USD."""
    usage = attempt.usage
    return tokens(usage) if usage else None, cost(usage, attempt.candidate.price)


def tried(attempt: Attempt, began: float, used: Tokens | None, usd: float | None) -> Tried:
    error, started = attempt.error, attempt.started
    return Tried(
        attempt.candidate.id, error.kind if error else None, error.status if error else None, error.code if error else None,
        attempt.answered, started - began, attempt.ended - started if attempt.ended is not None else None,
        attempt.first_token - started if attempt.first_token is not None else None, used, usd,
    )  # fmt: skip
