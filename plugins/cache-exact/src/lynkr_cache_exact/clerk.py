"""What all caches of conversations do alike: who may be served, what is kept of an answer, and how it is given again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from lynkr_cache_exact.answer import Gathered, content_type, flaw, is_ambiguous, kept, replay, understood
from lynkr_cache_exact.entry import Entry
from lynkr_cache_exact.meaning import UNREADABLE, Meaning, meaning, unfit
from lynkr_cache_exact.scope import Namespace, caller, headers, route
from lynkr_cache_exact.wishes import Wishes, tags, wishes
from lynkr_core.dialect import Dialect
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.exchange import Exchange, Outcome, Reply
from lynkr_core.remarks import save
from lynkr_core.request import Request, Usage

log = logging.getLogger("lynkr.cache")
Seconds = Annotated[float, Meta(gt=0)]
Bytes = Annotated[int, Meta(ge=0)]
MiB = 1024 * 1024
RESPONSES = "openai.responses"


class Terms(Struct, forbid_unknown_fields=True, kw_only=True):
    """Settings of every cache of conversations."""

    namespace: Annotated[
        Namespace,
        Meta(description="Who gets whose answers: each key its own, a team's members each other's, everyone everyone's."),
    ] = "key"
    ttl: Annotated[Seconds, Meta(description="Seconds for which an answer is good.")] = 3600.0
    temperature: Annotated[
        float, Meta(ge=0, description="Requests that ask for a higher one are left alone, unless they say `x-lynkr-cache: on`.")
    ] = 0.3
    usage: Annotated[
        Literal["zero", "original"],
        Meta(description="Tokens that a cached answer tells of: none, as none are billed, or those of the first one."),
    ] = "zero"
    ignore: Annotated[
        list[Literal["user", "metadata"]], Meta(description="Fields in which requests may differ and have one answer.")
    ] = field(default_factory=lambda: ["metadata"])
    headers: Annotated[list[str], Meta(description="Request headers, beside those to lynkr, that an answer depends on.")] = []
    max_request: Annotated[Bytes, Meta(description="Bytes of a request; larger ones are left alone.")] = MiB
    max_answer: Annotated[Bytes, Meta(description="Bytes of an answer; larger ones are not kept.")] = MiB
    store: Annotated[str | None, Meta(description="Name of the store behind the memory; left out, the first one.")] = None


class Ticket(Struct):
    """What is known of an exchange that found nothing, until its answer is there. `leads`: others wait for it."""

    key: str
    wishes: Wishes
    body: bytes
    instead: str
    text: str = ""
    vector: bytes = b""
    leads: bool = False
    gathered: Gathered | None = None


class Clerk:
    """For one cache, by its `name`. `dialects` and `targets` come with the kernel."""

    def __init__(self, name: str, terms: Terms, tool_calls: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.terms = terms
        self.tool_calls = tool_calls
        self.clock = clock
        self.kernel: Any = None
        self.counts: dict[str, int] = dict.fromkeys(("hits", "misses", "kept", "saved_tokens"), 0)
        self._headers = [header.lower().encode("latin-1") for header in terms.headers]

    def wanted(self, exchange: Exchange) -> Wishes | None:
        """What the caller wants; None for what is no conversation, or must not come near a cache."""
        if exchange.operation != "chat" or exchange.dry_run or len(exchange.body) > self.terms.max_request:
            return None
        wished = wishes(exchange)
        return wished if wished.look or wished.keep else None

    def fits(self, request: Request, wished: Wishes) -> bool:
        """Whether an answer depends on this request alone, as far as anybody can say."""
        hot = request.temperature is not None and request.temperature > self.terms.temperature
        if (hot and not wished.insists) or unfit(request):
            return False
        shared = self.terms.namespace != "key" and request.dialect == RESPONSES
        return (
            not shared or request.extra.get("store") == b"false"
        )  # what is stored there can be asked for by its own caller only

    def meaning(self, exchange: Exchange, wished: Wishes) -> Meaning | None:
        """What is asked; None when that cannot be told, or does not fit."""
        try:
            return meaning(exchange, self.terms.ignore) if self.fits(exchange.request, wished) else None
        except (InvalidRequest, *UNREADABLE):
            return None  # whoever reads it next says what is wrong with it

    def surroundings(self, exchange: Exchange) -> list[Any] | None:
        """All that counts beside the body; None for a model that nobody serves."""
        asked = exchange.instead or exchange.asked
        target = self.kernel.catalog.resolve(asked) if self.kernel is not None else None
        if self.kernel is not None and target is None:
            return None
        targets = [candidate.id for candidate in target.candidates] if target else []
        return [caller(exchange, self.terms.namespace), route(exchange, targets), headers(exchange, self._headers)]

    def fresh(self, entry: Entry | None, wished: Wishes) -> Entry | None:
        """The entry, if it is as young as the caller wants it."""
        if entry is None or (wished.max_age is not None and self.clock() - entry.created > wished.max_age):
            return None
        return entry

    def gather(self, exchange: Exchange, ticket: Ticket) -> None:
        if ticket.wishes.keep:
            ticket.gathered = Gathered(self.terms.max_answer)
            exchange.tap(ticket.gathered)

    def entry(self, exchange: Exchange, outcome: Outcome, ticket: Ticket) -> Entry | None:
        """What is kept of this answer; None when it was not whole, not good, or given under other circumstances than the usual."""
        if ticket.gathered is None or not regular(exchange, outcome, ticket):
            return None
        if self.terms.namespace != "key" and is_ambiguous(exchange.body):
            return None
        try:
            body = self._kept(exchange, outcome, ticket.gathered.whole)
        except (UpstreamError, *UNREADABLE):
            body = b""
        return self._made(exchange, outcome, ticket, body) if body else None

    def _kept(self, exchange: Exchange, outcome: Outcome, data: bytes) -> bytes:
        response = understood(exchange.dialect, data, exchange.envelope.stream) if data else None
        if response is None or flaw(response, exchange.request, self.tool_calls):
            return b""
        told = Usage() if self.terms.usage == "zero" else outcome.usage or response.usage or Usage()
        return kept(exchange.dialect, response, exchange.request, told)

    def _made(self, exchange: Exchange, outcome: Outcome, ticket: Ticket, body: bytes) -> Entry:
        usage, served, who = outcome.usage or Usage(), outcome.candidate, exchange.principal
        self.counts["kept"] += 1
        return Entry(
            dialect=exchange.dialect.name, body=body, created=exchange.created, until=self.clock() + self.terms.ttl,
            principal=who.id, key=who.key, asked=exchange.asked, served=served.id if served else "", tags=tags(exchange),
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost=outcome.cost,
            text=ticket.text, vector=ticket.vector,
        )  # fmt: skip

    def reply(
        self, exchange: Exchange, entry: Entry, how: Literal["hit", "semantic"] = "hit", more: Mapping[bytes, bytes] = {}
    ) -> Reply | None:
        """The answer; None when this process cannot read it."""
        source: Dialect | None = exchange.dialect if entry.dialect == exchange.dialect.name else self._dialect(entry.dialect)
        if source is None:
            return None
        try:
            body = replay(exchange, source, entry.body)
        except (UpstreamError, InvalidRequest, *UNREADABLE):
            log.warning("what is kept of %s cannot be read as %s", entry.served, entry.dialect)
            return None
        tokens = entry.input_tokens + entry.output_tokens
        self.counts["hits"] += 1
        self.counts["saved_tokens"] += tokens
        save(exchange, self.name, tokens, entry.cost)
        age = max(0, int(self.clock() - entry.created))
        told = {
            b"content-type": content_type(exchange), b"age": b"%d" % age, b"x-lynkr-cost-usd": b"%.9f" % 0,
            b"x-lynkr-cached-usage": f"input={entry.input_tokens}; output={entry.output_tokens}".encode(), **more,
        }  # fmt: skip
        return Reply(body=body, headers=tuple(told.items()), reason=f"what {entry.served} said {age} s ago", cache=how)

    def _dialect(self, name: str) -> Dialect | None:
        return self.kernel.dialects.get(name) if self.kernel is not None else None


def regular(exchange: Exchange, outcome: Outcome, ticket: Ticket) -> bool:
    """Whether this is the answer that the request would get again: by the first candidate in one go, nobody's place taken, no plugin
    missing, and no tool of lynkr's asked in between."""
    if outcome.status != "ok" or outcome.http_status != 200 or exchange.reply is not None or outcome.resumed or exchange.skipped:
        return False
    if exchange.body is not ticket.body or exchange.instead != ticket.instead:
        return False
    answers = [attempt for attempt in exchange.attempts if attempt.error is None]
    return len(answers) == 1 and all(attempt.candidate is outcome.candidate for attempt in exchange.attempts)
