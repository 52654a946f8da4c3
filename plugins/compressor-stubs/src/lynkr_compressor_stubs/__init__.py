"""Long logs, test output, listings and reports of other agents become stubs; the model gets what is left out when it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, structs

from lynkr_compressor_stubs.originals import Originals
from lynkr_compressor_stubs.sources import calls_of, may_be_stub
from lynkr_compressor_stubs.stubs import id_of, lines_of, stub
from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.inner import offer
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Message, Part, Request, Text, Tool, ToolCall, ToolCallResponse
from lynkr_core.stores import Recent
from lynkr_core.tokens import estimate_text

__all__ = ["Config", "Stubs", "plugin"]
EXPAND = "lynkr_expand"
SHORT = 2
"""Characters of a token at least: shorter texts need not be counted."""
LONG = 256 * 1024
"""Characters of a text that is looked through beside the loop."""
REMEMBERED = 2_000
"""Stubs that are kept made."""
SCHEMA = Raw(
    b'{"type":"object","properties":{"id":{"type":"string"},"first":{"type":"integer"},"last":{"type":"integer"}},"required":["id"]}'
)
TOLD = (
    "Gives the lines that a mark ⟦lynkr:ID lines FIRST-LAST⟧ in a tool's result stands for; "
    "without first and last the whole result."
)
TOOL = Tool(name=EXPAND, parameters=SCHEMA, description=TOLD)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.stubs]`"""

    min_tokens: Annotated[int, Meta(ge=500, description="Tokens over which a result becomes a stub.")] = 2_000
    tools: Annotated[
        tuple[str, ...], Meta(description="Patterns of more tools, in lower case, whose results may become stubs.")
    ] = ()
    keep: Annotated[float, Meta(gt=0, description="Seconds for which a text is kept after the last turn that had it.")] = 86_400.0
    store: Annotated[str | None, Meta(description="Name of the store for the texts; none: the first one.")] = None


class Asked(Struct):
    id: str = ""
    first: int | None = None
    last: int | None = None


_asked = msgspec.json.Decoder(Asked, strict=False)


class Stubs:
    """Looks at each result by itself and its call, so that the same result is always the same stub."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.name = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        self.made: Recent[str, tuple[str, int]] = Recent(REMEMBERED)
        self.originals = Originals(context.stores.key_value(config.store), f"compressor-{context.name}/", config.keep)

    async def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        """The tool is offered from the first turn on: one that came later would cost everything that is cached."""
        if not request.tools:
            return None
        texts: dict[str, str] = {}

        async def expand(call: ToolCall) -> str:
            return await self.expanded(exchange.principal.id, texts, call)

        if not offer(exchange, EXPAND, expand):
            return None
        calls = calls_of(request.messages)
        messages = [await self.shortened(exchange, message, calls, texts) for message in request.messages]
        return request.edit(tools=with_tool(request.tools), messages=tuple(messages))

    async def shortened(
        self, exchange: Exchange, message: Message, calls: Mapping[str, ToolCall], texts: dict[str, str]
    ) -> Message:
        if not any(isinstance(part, ToolCallResponse) for part in message.parts):
            return message
        parts = [await self.result(exchange, part, calls, texts) for part in message.parts]
        return (
            message
            if all(new is old for new, old in zip(parts, message.parts, strict=True))
            else message.edit(parts=tuple(parts))
        )

    async def result(self, exchange: Exchange, part: Part, calls: Mapping[str, ToolCall], texts: dict[str, str]) -> Part:
        call = calls.get(part.id) if isinstance(part, ToolCallResponse) else None
        if call is None or not isinstance(part, ToolCallResponse) or not may_be_stub(call, self.config.tools):
            return part
        content = [await self.text(exchange, inner, texts) for inner in part.content]
        return (
            part if all(new is old for new, old in zip(content, part.content, strict=True)) else part.edit(content=tuple(content))
        )

    async def text(self, exchange: Exchange, part: Part, texts: dict[str, str]) -> Part:
        if not isinstance(part, Text) or len(part.text) < SHORT * self.config.min_tokens:
            return part
        id = id_of(exchange.principal.id, part.text)
        made = self.made.get(id)
        if made is None:
            made = await self.stub(part.text, id)
            self.made.set(id, made)
        short, saved = made
        if saved <= 0 or not await self.originals.keep(exchange.principal.id, id, part.text):
            return part
        texts[id] = part.text
        save(exchange, self.name, saved)
        return structs.replace(part, text=short, edited=True)

    async def stub(self, text: str, id: str) -> tuple[str, int]:
        """With the tokens that it saves; none where the text is not long, or the stub no shorter."""
        if len(text) > LONG:  # counting it exactly would take longer than it is worth, and looking through it stop all others
            short = await asyncio.to_thread(stub, text, id)
            return short, estimate_text(text) - self.tokens.count(short)
        before = self.tokens.count(text)
        if before < self.config.min_tokens:
            return "", 0
        short = stub(text, id)
        return short, before - self.tokens.count(short)

    async def expanded(self, principal: str, texts: Mapping[str, str], call: ToolCall) -> str:
        """What was asked for: from this request, which mostly still has it, else from the store."""
        try:
            asked = _asked.decode(call.arguments.encode())
        except UNREADABLE as error:
            return f"The arguments cannot be read: {error}"
        id = asked.id.strip("⟦⟧ ").removeprefix("lynkr:").split(" ")[0]
        text = texts.get(id) or await self.originals.get(principal, id)
        if text is None:
            return f"There is nothing under {id[:40]!r} any more. Run the tool again."
        if asked.first is None and asked.last is None:
            return text
        return lines_of(text, asked.first or 1, asked.last or len(text))


def with_tool(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """At the end of the list, with the mark of what is cached if the last one had it."""
    *front, last = tools
    if last.cache is None:
        return (*tools, TOOL)
    return (*front, last.edit(cache=None), structs.replace(TOOL, cache=last.cache))


plugin = Plugin(api=1, config=Config, create=Stubs)
