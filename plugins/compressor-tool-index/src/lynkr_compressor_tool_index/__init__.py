"""MCP tools behind an index: the model reads a line of each, looks a schema up when it needs it, and calls through one stable tool."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_compressor_tool_index.calling import CALL, FIND, found, passed_on, rewritten
from lynkr_compressor_tool_index.catalogue import Catalogue
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.inner import offer
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Request, Tool, ToolCall
from lynkr_core.sessions import session_of
from lynkr_core.stores import Recent

__all__ = ["Config", "ToolIndex", "plugin"]
REMEMBERED = 10_000
"""Conversations whose decision is remembered."""
LISTS = 200
"""Lists of tools whose index is kept."""
DEFERRED = b'"defer_loading"'
"""In a tool whose schema the provider itself holds back."""
FIND_SCHEMA = Raw(
    b'{"type":"object","properties":{"query":{"type":"string","description":"Names of tools, or words of what is to be done."}},'
    b'"required":["query"]}'
)
CALL_SCHEMA = Raw(
    b'{"type":"object","properties":{"name":{"type":"string","description":"The whole name of the tool."},'
    b'"arguments":{"type":"object","description":"As the tool\'s own schema says."}},"required":["name","arguments"]}'
)
FIND_TEXT = f"Gives the descriptions and schemas of tools that {CALL} lists. Look a tool up before its first call."
CALL_TEXT = "Calls one of the tools below; a name is the server's and the tool's together, as in `mcp__server__tool`.\n\n"


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.tool-index]`"""

    min_tokens: Annotated[int, Meta(ge=0, description="Tokens of MCP schemas under which they stay as they are.")] = 10_000
    mcp: Annotated[tuple[str, ...], Meta(description="Patterns of the names of tools that may go behind the index.")] = (
        "mcp__*",
    )
    keep: Annotated[tuple[str, ...], Meta(description="Patterns of those that stay as they are all the same.")] = ()
    dedup: Annotated[bool, Meta(description="Leave out a client's own search or fetch tool where an MCP server has one.")] = True


class Twin(Struct, forbid_unknown_fields=True):
    dropped: list[str]
    where: list[str]


class Twins(Struct, forbid_unknown_fields=True):
    twin: list[Twin]


class Plan(Struct, frozen=True, eq=False):
    """What happens to one conversation's tools. `index` as it stood on the first turn."""

    catalogue: Catalogue | None
    index: str = ""
    dropped: frozenset[str] = frozenset()


NOTHING = Plan(None)


class ToolIndex:
    """Decides by the first turn's tools, and stays with it."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.name = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        text = files("lynkr_compressor_tool_index").joinpath("twins.toml").read_text()
        self.twins = msgspec.convert(tomllib.loads(text), Twins).twin
        self.plans: Recent[tuple[str, str, str], Plan] = Recent(REMEMBERED)
        self.catalogues: Recent[int, tuple[Catalogue, int]] = Recent(LISTS)
        self.hides = lru_cache(4096)(self._hides)

    def _hides(self, name: str) -> bool:
        return matches(name, self.config.mcp) and not matches(name, self.config.keep)

    def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        hidden = [tool for tool in request.tools if tool.kind == "function" and self.hides(tool.name)]
        if not hidden or any(DEFERRED in bytes(tool.native) for tool in hidden if tool.native is not None):
            return None
        plan = self.plan(exchange, request, hidden)
        if plan.catalogue is None and not plan.dropped:
            return None
        tools = [tool for tool in request.tools if tool.name not in plan.dropped]
        if plan.catalogue is None:
            return self.saved(exchange, request, request.edit(tools=tuple(tools)))
        catalogue, names = plan.catalogue, frozenset(tool.name for tool in hidden)
        shown = [tool for tool in tools if tool.name not in names or is_chosen(request, tool.name)]
        others = frozenset(tool.name for tool in shown)
        if not offer(exchange, FIND, partial(found, catalogue)) or not offer(
            exchange, CALL, partial(passed_on, catalogue, others)
        ):
            return None
        tools = [*unmarked(shown, request.tools[-1]), *pair(plan.index, mark_of(request.tools, names))]
        called = frozenset(name for name in called_in(request) if self.hides(name))
        messages = tuple([rewritten(message, called) for message in request.messages]) if called else request.messages
        return self.saved(exchange, request, request.edit(tools=tuple(tools), messages=messages))

    def plan(self, exchange: Exchange, request: Request, hidden: Sequence[Tool]) -> Plan:
        """By the tools of the first turn. Later ones may come and go: the index stands, and what is looked up is what there is now."""
        session = session_of(exchange)
        key = (exchange.principal.id, session.id, session.thread) if session else None
        catalogue, tokens = self.catalogue(hidden)
        before = self.plans.get(key) if key else None
        if before is not None:
            if before.catalogue is None and before.index == "":
                return before
            return Plan(catalogue, before.index, before.dropped)
        plan = self.decided(request, catalogue, tokens)
        if key is not None:
            self.plans.set(key, plan)
        return plan

    def decided(self, request: Request, catalogue: Catalogue, tokens: int) -> Plan:
        dropped = self.doubled(request, catalogue) if self.config.dedup else frozenset[str]()
        if tokens < max(self.config.min_tokens, self.count(pair(catalogue.index))):
            return Plan(None, "", dropped)
        return Plan(catalogue, catalogue.index, dropped)

    def doubled(self, request: Request, catalogue: Catalogue) -> frozenset[str]:
        """The client's tools that an MCP server has, too; not those that the conversation has used, or that are asked for."""
        own = {tool.name for tool in request.tools if tool.name not in catalogue.tools and not is_chosen(request, tool.name)}
        own -= called_in(request)
        there = [twin for twin in self.twins if any(matches(name, twin.where) for name in catalogue.tools)]
        return frozenset(name for twin in there for name in twin.dropped if name in own)

    def catalogue(self, hidden: Sequence[Tool]) -> tuple[Catalogue, int]:
        """With the tokens of its schemas; kept, because each turn has the same tools."""
        key = hash(tuple([(tool.name, tool.description, tool.parameters and bytes(tool.parameters)) for tool in hidden]))
        known = self.catalogues.get(key)
        if known is None:
            known = Catalogue(hidden), self.count(hidden)
            self.catalogues.set(key, known)
        return known

    def count(self, tools: Sequence[Tool]) -> int:
        return self.tokens.count(*[spelt(tool) for tool in tools])

    def saved(self, exchange: Exchange, before: Request, after: Request) -> Request:
        tokens = self.count(before.tools) - self.count(after.tools)
        if tokens > 0:
            save(exchange, self.name, tokens)
        return after


def pair(index: str, cache: Raw | None = None) -> tuple[Tool, Tool]:
    """The two tools. `cache`: the mark that stood on the last tool of the list."""
    find = Tool(name=FIND, description=FIND_TEXT, parameters=FIND_SCHEMA)
    return find, Tool(name=CALL, description=CALL_TEXT + index, parameters=CALL_SCHEMA, cache=cache)


def mark_of(tools: Sequence[Tool], hidden: frozenset[str]) -> Raw | None:
    """The mark of what is cached, where it stood on the last tool or on one that goes."""
    found = [tool.cache for tool in tools if tool.cache is not None and (tool is tools[-1] or tool.name in hidden)]
    return found[-1] if found else None


def unmarked(shown: Sequence[Tool], last: Tool) -> Sequence[Tool]:
    """Its mark goes to the end of the list."""
    return [tool.edit(cache=None) if tool is last and tool.cache is not None else tool for tool in shown]


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def is_chosen(request: Request, name: str) -> bool:
    return request.tool_choice is not None and request.tool_choice.name == name


def called_in(request: Request) -> set[str]:
    """Names of the functions that the conversation has called."""
    return {part.name for message in request.messages for part in message.parts if isinstance(part, ToolCall)}


def spelt(tool: Tool) -> str:
    return f"{tool.name}\n{tool.description or ''}\n{bytes(tool.parameters or b'').decode('utf-8', 'replace')}"


plugin = Plugin(api=1, config=Config, create=ToolIndex)
