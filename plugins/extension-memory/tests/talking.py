"""Conversations through the plugin's hooks, as the kernel calls them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from lynkr_core.exchange import Exchange, Principal
from lynkr_core.request import Choice, Response, Text
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_extension_memory import Memory, plugin
from lynkr_extension_memory.placing import HEAD

ANNA, BEN = Principal(id="key:anna"), Principal(id="key:ben")


def memory(stores: Stores | None = None, **table: Any) -> Memory:
    return factories.build(plugin, table, factories.context("memory", stores=stores or Stores(MemoryStore())))


class Talk:
    """One conversation. `sent` has the messages of each request as they went out."""

    def __init__(
        self, made: Memory, who: Principal = ANNA, session: str = "one", dialect: str = "openai.chat", **headers: str
    ) -> None:
        self.made, self.who, self.dialect = made, who, dialect
        self.headers = {"x-lynkr-session": session} if session else {}
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.messages: list[dict[str, Any]] = []
        self.sent: list[list[Any]] = []
        self.local = ""

    async def say(self, text: str, answer: str = "I see.") -> str:
        """A user's turn. Gives what is recalled at it."""
        self.messages.append({"role": "user", "content": text})
        told = await self.go()
        await self.answered(answer)
        return told

    async def go(self) -> str:
        """Sends what there is. Gives what the last message has of memories."""
        body = {"model": "auto", "max_tokens": 100, "messages": self.messages}
        self.exchange = exchange = factories.exchange(
            body, dialect=self.dialect, headers=self.headers, served=factories.candidates()
        )
        exchange.principal, exchange.local_only = self.who, self.local
        request = exchange.request
        changed = await self.made.transform_request(exchange, request, exchange.candidates[0])
        fields = msgspec.json.decode(msgspec.json.encode(exchange.dialect.encode_request(changed or request, [])))
        self.sent.append(fields["messages"])
        return "\n".join([text for text in texts(fields["messages"][-1]) if text.startswith(HEAD)])

    async def answered(self, text: str) -> None:
        for observe in self.exchange.observers:
            observe(Response(dialect="", id="1", model="m", choices=(Choice(parts=(Text(text=text),)),)))
        await self.made.post_response(self.exchange, factories.outcome())
        self.messages.append({"role": "assistant", "content": text})

    @property
    def everything(self) -> str:
        """All that went out last."""
        return msgspec.json.encode(self.sent[-1]).decode()


def texts(message: dict[str, Any]) -> list[str]:
    content = message.get("content")
    return [content] if isinstance(content, str) else [part["text"] for part in content or () if "text" in part]


async def known(made: Memory) -> list[str]:
    """Everything that is kept, of everybody."""
    return [row.text async for _, row in made.shelf.all()]


def same_beginning(exchanges: list[list[Any]]) -> bool:
    """Whether each request begins with the one before."""
    return all(new[: len(old)] == old for old, new in pairwise(exchanges))


def unused(exchange: Exchange) -> bool:
    return exchange.saved_tokens == 0 and not exchange.observers
