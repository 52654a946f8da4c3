"""Summarises the old turns of long conversations, rarely, and only where that can pay or must be."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import Annotated, Any, Self

from msgspec import Meta, Struct, structs

from lynkr_compressor_history.asking import Model
from lynkr_compressor_history.epochs import Epoch, Epochs
from lynkr_compressor_history.extract import framed, lines, summary
from lynkr_compressor_history.turns import begin, cut, digest, weight
from lynkr_core.errors import LynkrError, PluginError
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.pricing import rates_of
from lynkr_core.remarks import save
from lynkr_core.request import Message, Request, Text, Usage
from lynkr_core.sessions import PLACES
from lynkr_core.waiting import stopped

__all__ = ["Config", "History", "plugin"]

log = logging.getLogger("lynkr.history")
LEAST_BYTES = 2
"""Bytes of a body for each token, at least: a smaller body is not looked into."""
DEAR = 0.5
"""Share of the price of input from which on reading the cache is dear."""
MOST_ASKED = 16
"""Summaries that are being made at one time."""
REST = 30.0
"""Seconds for which a model that has failed is left alone."""
MOST_TOLD = 200_000
"""Characters of a conversation that a model is asked to summarise: its end."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.history]`"""

    window: Annotated[
        float, Meta(gt=0, lt=1, description="Share of the model's window from which on old turns are left out.")
    ] = 0.7
    dear_tokens: Annotated[
        int,
        Meta(ge=0, description="Where reading the cache costs half the price of input or more: tokens from which on; 0: never."),
    ] = 40_000
    keep_turns: Annotated[
        int, Meta(ge=2, le=1000, description="The model's last answers that are never touched, and all between them.")
    ] = 10
    summary_tokens: Annotated[int, Meta(ge=200, le=50_000, description="Tokens of a summary, at most.")] = 3_000
    least: Annotated[
        float, Meta(gt=0, lt=1, description="Share of a request that must be saved; for less the cache is not thrown away.")
    ] = 0.4
    model: Annotated[
        str | None,
        Meta(description="`provider/model` that writes the summaries, meanwhile nothing is left out; none: made without one."),
    ] = None
    seconds: Annotated[float, Meta(gt=0, le=600, description="Within which that model must have answered.")] = 60.0
    keep: Annotated[float, Meta(gt=0, description="Seconds for which it is remembered what was left out of a conversation.")] = (
        86_400.0
    )
    store: Annotated[str | None, Meta(description="Name of a store for values; none: the first there is, else memory.")] = None


class History:
    """An epoch begins when too much would be sent; from then on every turn has the same summary in the place of the same messages."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store or model that is not there."""
        self.config = config
        self.id = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        try:
            store = context.stores.key_value(config.store)
        except KeyError:
            raise PluginError(f"$.store: there is no store {config.store!r}") from None
        self.epochs = Epochs(store, self.id, config.keep)
        self.model = Model(config.model, context.providers, context.tiers) if config.model else None
        self.asked: dict[str, asyncio.Task[None]] = {}
        self.begun = self.failed = 0
        self.rests_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        """What is still being summarised is given up."""
        await stopped(*self.asked.values())

    def status(self) -> dict[str, Any]:
        return {"epochs": self.begun, "failed": self.failed, "under_way": len(self.asked)}

    async def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        most = self.limit(candidate)
        if exchange.operation != "chat" or len(exchange.body) < min(most, self.config.dear_tokens or math.inf) * LEAST_BYTES:
            return None
        if any(name in exchange.envelope.fields for name in PLACES.elsewhere) or (key := self.epochs.key(exchange)) is None:
            return None
        messages = request.messages
        epoch = await self.epochs.find(key, messages)
        total = weight(self.tokens, messages)
        sent = total - (epoch.saved if epoch else 0)
        if sent > most and (place := cut(messages, self.config.keep_turns)) and (epoch is None or place > epoch.cut):
            epoch = self.begin(exchange, key, messages, place, sent, epoch)
        if epoch is None or (epoch.new and not await self.epochs.put(key, structs.replace(epoch, new=False))):
            return None
        self.tell(exchange, candidate, epoch, total - epoch.saved)
        return request.edit(messages=shortened(messages, epoch))

    def limit(self, candidate: Candidate) -> float:
        """Tokens of messages from which on old turns are left out; infinite for a model of which nothing is known."""
        window, price = candidate.context_window, candidate.price
        near = window * self.config.window if window else math.inf
        if price is None or not price.input or not self.config.dear_tokens:
            return near
        read = price.input if price.cache_read is None else price.cache_read
        return min(near, self.config.dear_tokens) if read >= DEAR * price.input else near

    def begin(
        self, exchange: Exchange, key: str, messages: tuple[Message, ...], place: int, sent: int, before: Epoch | None
    ) -> Epoch | None:  # fmt: skip
        """A new epoch, if it saves enough; else the one before. A model's summary is ready at a later turn."""
        old = messages[begin(messages) : place]
        if not self.pays(weight(self.tokens, old) - self.config.summary_tokens, sent, before):
            return before
        if self.model is not None and self.may_ask(exchange, self.model):
            self.ask(self.model, key, old, place)
            return before
        text = summary(old, self.config.summary_tokens, self.tokens)
        epoch = self.epoch(old, place, text)
        return epoch if self.pays(epoch.saved, sent, before) else before

    def pays(self, saved: int, sent: int, before: Epoch | None) -> bool:
        """`sent` is without what is left out already."""
        return saved - (before.saved if before else 0) >= self.config.least * sent

    def epoch(self, old: Sequence[Message], place: int, text: str, usd: float = 0.0) -> Epoch:
        return Epoch(cut=place, of=digest(old), text=text, saved=weight(self.tokens, old) - self.tokens.count(text), usd=usd)

    def may_ask(self, exchange: Exchange, model: Model) -> bool:
        """What must stay on the operator's machines, or may go to some models only, is summarised without another model."""
        who = exchange.principal
        return not (who.models or who.tiers) and (not exchange.local_only or model.is_local)

    def ask(self, model: Model, key: str, old: Sequence[Message], place: int) -> None:
        if key in self.asked or len(self.asked) >= MOST_ASKED or time.monotonic() < self.rests_until:
            return
        task = asyncio.create_task(self.summarise(model, key, old, place))
        self.asked[key] = task
        task.add_done_callback(lambda _: self.asked.pop(key, None))

    async def summarise(self, model: Model, key: str, old: Sequence[Message], place: int) -> None:
        """Kept for the next turn. What fails is tried again after a rest; until there is a summary nothing is left out."""
        told = "\n".join([line for _, line in lines(old)])[-MOST_TOLD:]
        try:
            answer = await model.ask(told, self.config.summary_tokens, self.config.seconds)
        except (LynkrError, OSError, TimeoutError, ValueError) as error:
            self.failed += 1
            self.rests_until = time.monotonic() + REST
            log.warning("no summary by %s: %s", self.config.model, type(error).__name__)
            return
        epoch = self.epoch(old, place, framed(answer.text, len(old)), answer.usd or 0.0)
        if answer.text and epoch.saved > 0:
            await self.epochs.put(key, epoch)

    def tell(self, exchange: Exchange, candidate: Candidate, epoch: Epoch, sent: int) -> None:
        """What this turn, which sends so many tokens, saves at the price of reading the cache; an epoch's first is charged for it."""
        usd = None
        if candidate.price is not None:
            rates = rates_of(candidate.price, Usage(input_tokens=sent))
            read = rates.input if rates.cache_read is None else rates.cache_read
            write = rates.input if rates.cache_write is None else rates.cache_write
            anew = sent if epoch.new else 0
            usd = (epoch.saved * read - anew * (write - read)) / 1e6 - (epoch.usd if epoch.new else 0.0)
        save(exchange, self.id, epoch.saved, usd)
        if epoch.new:
            self.begun += 1
            turn = "unknown" if usd is None else f"{'saves' if usd >= 0 else 'costs'} ${abs(usd):.4f}"
            log.info(
                "request %s: %d messages are a summary now, %d tokens less a turn; this one: %s",
                exchange.id,
                epoch.cut,
                epoch.saved,
                turn,
            )


def shortened(messages: tuple[Message, ...], epoch: Epoch) -> tuple[Message, ...]:
    """The prompts at the front, the summary as a user's message, and what came after, untouched."""
    told = Message(role="user", parts=(Text(text=epoch.text),))
    return (*messages[: begin(messages)], told, *messages[epoch.cut :])


plugin = Plugin(api=1, config=Config, create=History)
"""The lowest rank of its kind: those that refer to earlier results come after it, and refer to none that are left out."""
