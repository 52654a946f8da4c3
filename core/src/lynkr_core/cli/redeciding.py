"""A request of the past, as far as the journal has kept it, decided anew by another configuration. Nobody is called."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import structs

from lynkr_core.errors import GatewayError
from lynkr_core.exchange import Candidate, Exchange, Principal, Reject, Reply, Score
from lynkr_core.hooks import STAGE_SECONDS, Call, run
from lynkr_core.kernel import Kernel
from lynkr_core.pricing import cost
from lynkr_core.request import Usage
from lynkr_core.selecting import revise, select
from lynkr_core.stores import Record

CHAT, EMBEDDINGS = "openai.chat", "openai.embeddings"
DIALECTS = {"chat": CHAT, "embeddings": EMBEDDINGS}
"""By operation: in which dialect what is left of a request is put together again."""
LONGEST_PADDING = 2_000_000
WORD = "word "
"""About one token, which stands for each of those that were not kept."""
SAME_SCORE = 2.0
"""How far two scores may lie apart and be one."""


def exchange_of(kernel: Kernel, record: Record) -> Exchange | None:
    """As it was asked, by whom, as large as it was, and with its last text where that was kept. None for what cannot be decided on."""
    dialect = kernel.dialects.get(DIALECTS.get(record.get("operation") or "", ""))
    if dialect is None or not record.get("model_asked"):
        return None
    headers = {b"x-lynkr-task": str(record["task"]).encode()} if record.get("task") else {}
    if record.get("route") == "tier" and record["model_asked"] != record.get("tier"):
        headers[b"x-lynkr-tier"] = str(record["tier"]).encode()
    exchange = Exchange(dialect, dialect.routes[0], headers, body_of(record))
    exchange.envelope = dialect.peek(exchange.body)
    exchange.dry_run, exchange.created = True, record["created"]
    exchange.principal = principal_of(record)
    return exchange


def body_of(record: Record) -> bytes:
    used: dict[str, Any] = record.get("usage") or {}
    said = record.get("ask") or ""
    padding = WORD * min(max(int(used.get("input_tokens") or 0) - len(said) // 4, 0), LONGEST_PADDING // len(WORD))
    model = record["model_asked"]
    if record["operation"] == "embeddings":
        return msgspec.json.encode({"model": model, "input": padding or "word"})
    before = [{"role": "system", "content": padding}] if padding else []
    return msgspec.json.encode({"model": model, "messages": [*before, {"role": "user", "content": said or WORD}]})


def principal_of(record: Record) -> Principal:
    """What a key may use stands at the key, which is not looked up: only what a record says of it."""
    return Principal(
        id=record.get("principal") or "anonymous", key=record.get("key"), user=record.get("user"), team=record.get("team"),
        agent=record.get("agent"), principal_class=record.get("class"), tags=tuple(record.get("tags") or ()),
    )  # fmt: skip


def scores_of(record: Record) -> tuple[Score, ...]:
    """What scorers said then."""
    rows: Iterable[dict[str, Any]] = record.get("scores") or ()
    return tuple([
        Score(value=row["value"], weight=row.get("weight", 1.0), reason=row.get("reason", ""), candidate=row.get("candidate"),
              plugin=row.get("plugin", ""))
        for row in rows
    ])  # fmt: skip


async def admitted(kernel: Kernel, exchange: Exchange) -> bool:
    """Whether policies let it in, and somebody has to be chosen. Raises `GatewayError`."""
    if kernel.hooks.pre_route.calls:
        answer, _ = await kernel.hooks.pre_route.first(exchange)
        if isinstance(answer, Reject):
            raise answer.error
        exchange.reply = answer if isinstance(answer, Reply) else None
    if exchange.reply is None:
        kernel.find_candidates(exchange)
    return exchange.reply is None


async def scored_alike(kernel: Kernel, record: Record) -> bool:
    """Whether the text that was kept is enough for the configuration of then to come to the score of then."""
    exchange = exchange_of(kernel, record) if record.get("ask") and record.get("score") is not None else None
    if exchange is None or not kernel.hooks.score.calls:
        return False
    try:
        if not await admitted(kernel, exchange):
            return False
    except GatewayError:
        return False
    await kernel.score(exchange)
    return exchange.score is not None and abs(exchange.score - record["score"]) <= SAME_SCORE


async def decide(kernel: Kernel, exchange: Exchange, record: Record, rescore: bool) -> Sequence[Candidate]:
    """Who would be tried, in that order; nobody where lynkr itself would answer. Raises `GatewayError` for what would be refused.

    Without `rescore` by the scores of then.
    """
    if not await admitted(kernel, exchange):
        return ()
    if rescore and kernel.hooks.score.calls:
        await kernel.score(exchange)
    else:
        exchange.scores, exchange.score = scores_of(record), record.get("score")
    await choose(kernel, exchange)
    return await permitted(kernel, exchange)


async def choose(kernel: Kernel, exchange: Exchange) -> None:
    await select(kernel.hooks.select_provider, exchange, kernel.catalog.tiers)
    if kernel.hooks.revise_selection.calls:
        await revise(kernel.hooks.revise_selection, exchange)


async def permitted(kernel: Kernel, exchange: Exchange) -> Sequence[Candidate]:
    """Of the selection those that the caller may use; those of another name where a policy puts one in their place.

    Only policies are asked that set nothing aside: what others would say depends on when a request comes. Raises `GatewayError` where
    nobody is left.
    """
    settling = {call.plugin for call in kernel.hooks.settle.calls}
    calls = [call for call in kernel.hooks.reserve.calls if call.closed and call.plugin not in settling]
    instead = exchange.instead
    kept, refusal = await let(calls, exchange)
    if refusal is not None and not kept and exchange.instead != instead:
        kernel.find_candidates(exchange)
        exchange.selection, exchange.selected_by = None, ""
        await choose(kernel, exchange)
        kept, refusal = await let(calls, exchange)
    if refusal is not None and not kept:
        raise refusal
    return kept


async def let(calls: Sequence[Call], exchange: Exchange) -> tuple[Sequence[Candidate], GatewayError | None]:
    """Those that nobody refuses, and the first refusal."""
    kept: list[Candidate] = []
    refusal: GatewayError | None = None
    for candidate in exchange.selection.order if exchange.selection else ():
        for call in calls:
            answer = await run(call, (exchange, candidate), time.monotonic() + STAGE_SECONDS)
            if isinstance(answer, Reject):
                refusal = refusal or answer.error
                break
        else:
            kept.append(candidate)
    return kept, refusal


def price_now(record: Record, candidate: Candidate) -> float | None:
    """USD that the same tokens cost there; as many of them in its prompt cache as then. None where that is not known."""
    if not record.get("usage"):
        return None
    usage = msgspec.convert(record["usage"], Usage)
    return cost(structs.replace(usage, billed=None, service="", estimated=True), candidate.price, record["created"])
