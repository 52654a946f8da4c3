"""Whether other plugins leave what was sent as it was sent, and who is left out of a conversation when they do not."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lynkr_compressor_cache_guard.memory import MOST_MESSAGES, Conversation
from lynkr_compressor_cache_guard.prints import Head, Heads, Prints, after, common, of_message, of_messages
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.hooks import STAGE_SECONDS, Call, run
from lynkr_core.remarks import unsaved
from lynkr_core.request import Request

log = logging.getLogger("lynkr.cache-guard")
HEAD = -1
"""The place of what stands before the messages."""


class Step(Struct, frozen=True):
    """What one plugin has made of a request."""

    plugin: str
    before: Request
    after: Request


class Guard:
    """`allowed`: plugins that may rewrite what was sent, because they know what that costs. `calls`: all that change requests before it.

    Policies are never left out, nor blamed.
    """

    def __init__(self, plugin: str, allowed: Iterable[str]) -> None:
        self.plugin = plugin
        self.allowed = frozenset(allowed)
        self.calls: Sequence[Call] = ()
        self.vetoes: dict[str, int] = {}
        self._heads = Heads()

    async def checked(
        self, exchange: Exchange, request: Request, candidate: Candidate, talk: Conversation
    ) -> tuple[Request, frozenset[str]]:
        """The request that may be sent, and who would have rewritten what was sent before."""
        original = exchange.request
        if len(original.messages) > MOST_MESSAGES:
            return request, frozenset()
        head = self._heads.of(exchange.envelope, original)
        if talk.known is not None and head.tools != talk.known.head.tools and request.tools is original.tools:
            request, head = in_order(request, head, talk.known.head)
        if not self.calls:  # nobody else changes anything: only the tools' order counts
            talk.known = Prints(head, EMPTY)
            return request, frozenset()
        if talk.without:
            request, _ = await self.replayed(exchange, candidate, talk.without)
        known = Prints(head, of_messages(original.messages))
        sent = after(request, original, known)
        culprits: frozenset[str] = frozenset()
        place = broken(talk, known, sent)
        if place is not None:
            culprits = await self.blamed(exchange, candidate, talk, known, place)
            if culprits:
                talk.without |= culprits
                request, _ = await self.replayed(exchange, candidate, talk.without)
                sent = after(request, original, known)
                self.tell(exchange, culprits)
        talk.known, talk.sent = known, sent
        return request, culprits

    async def replayed(self, exchange: Exchange, candidate: Candidate, without: frozenset[str]) -> tuple[Request, list[Step]]:
        """What the other plugins make of the caller's request, step by step."""
        unsaved(exchange)
        until, request, steps = time.monotonic() + STAGE_SECONDS, exchange.request, list[Step]()
        for call in self.calls:
            if call.plugin in without and not call.closed:
                continue
            made = await run(call, (exchange, request, candidate), until)
            if made is not None and made is not request:
                steps.append(Step(call.plugin, request, made))
                request = made
        return request, steps

    async def blamed(
        self, exchange: Exchange, candidate: Candidate, talk: Conversation, known: Prints, place: int
    ) -> frozenset[str]:
        """The one without whom all would be as it was; else all who change what is at this place, or anything, or did so last time."""
        _, steps = await self.replayed(exchange, candidate, talk.without)
        found = [step.plugin for step in steps if changes(step, place)] or [step.plugin for step in steps] or list(talk.saved)
        suspects = [plugin for plugin in found if self.may_veto(plugin)]
        for plugin in suspects if len(suspects) > 1 else ():
            request, _ = await self.replayed(exchange, candidate, talk.without | {plugin})
            if broken(talk, known, after(request, exchange.request, known)) is None:
                return frozenset((plugin,))
        return frozenset(suspects)

    def may_veto(self, plugin: str) -> bool:
        return plugin not in self.allowed and any(call.plugin == plugin and not call.closed for call in self.calls)

    def tell(self, exchange: Exchange, culprits: Iterable[str]) -> None:
        for plugin in sorted(culprits):
            first = plugin not in self.vetoes
            self.vetoes[plugin] = self.vetoes.get(plugin, 0) + 1
            exchange.skipped += (
                f"{plugin} is vetoed by {self.plugin}: it rewrote what was sent before, which the provider had cached",
            )
            (log.warning if first else log.info)(
                "%s rewrites what was sent in earlier turns, which loses the provider's cache; this conversation goes on without it",
                plugin,
            )


EMPTY = of_messages(())


def in_order(request: Request, head: Head, before: Head) -> tuple[Request, Head]:
    """The same tools as before, but in another order, are put in the order that the provider knows."""
    if sorted(head.tools) != sorted(before.tools):
        return request, head
    places: dict[int, list[int]] = {}
    for place, tool in enumerate(head.tools):
        places.setdefault(tool, []).append(place)
    tools = tuple([request.tools[places[tool].pop(0)] for tool in before.tools])
    return request.edit(tools=tools), Head(before.tools, head.system)


def broken(talk: Conversation, known: Prints, sent: Prints) -> int | None:
    """Where what was sent before is now another though the caller's own is the same; None when it is as it was."""
    if talk.known is None or talk.sent is None or known.head != talk.known.head:
        return None
    if sent.head != talk.sent.head:
        return HEAD
    kept = common(known.messages, talk.known.messages)
    left_out = max(len(talk.known.messages) - len(talk.sent.messages), 0)
    due = kept - left_out if kept < len(talk.known.messages) else len(talk.sent.messages)
    same = common(sent.messages, talk.sent.messages)
    return same if same < due else None


def changes(step: Step, place: int) -> bool:
    """Whether this plugin has changed what is at the place."""
    old, new = step.before, step.after
    if place == HEAD:
        return old.tools is not new.tools or old.system is not new.system
    if len(old.messages) != len(new.messages):
        return True
    if place >= len(old.messages) or old.messages[place] is new.messages[place]:
        return False
    return of_message(old.messages[place]) != of_message(new.messages[place])
