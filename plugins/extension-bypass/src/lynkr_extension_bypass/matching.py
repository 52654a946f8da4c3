"""Whether a request is one that a rule speaks of. Exact: what is not quite so goes to a model."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lynkr_core.exchange import Exchange
from lynkr_core.request import Message, Part, Request, Text
from lynkr_core.sessions import VOLATILE
from lynkr_extension_bypass.rules import MOST, Rule, When

REMINDER = ("<system-reminder>", "</system-reminder>")
NO_TOOLS = (b"null", b"[]")


class Sieve:
    """The cheap half of a rule: what is known before the conversation is read."""

    def __init__(self, rule: Rule) -> None:
        when = rule.when
        self.rule = rule
        self.when = when
        self.agents = tuple([agent.encode() for agent in when.agents])
        self.headers = tuple([(name.lower().encode(), value.encode()) for name, value in when.headers.items()])
        self.text = when.text.encode() if when.text and is_plain(when.text) else b""
        self.marks = tuple([mark.encode() for mark in when.system if is_plain(mark)])

    def may_hold(self, exchange: Exchange) -> bool:
        when, envelope, headers = self.when, exchange.envelope, exchange.headers
        if when.dialects and exchange.dialect.name not in when.dialects:
            return False
        if self.agents and not headers.get(b"user-agent", b"").startswith(self.agents):
            return False
        if when.max_tokens is not None and (envelope.max_tokens is None or envelope.max_tokens > when.max_tokens):
            return False
        if len(exchange.body) > when.most or any(headers.get(name) != value for name, value in self.headers):
            return False
        if has_tools(envelope.fields) != when.tools or (
            self.text and not self.is_said(envelope.fields, exchange.dialect.conversation)
        ):
            return False
        return all(mark in exchange.body for mark in self.marks)

    def is_said(self, fields: Mapping[str, msgspec.Raw], conversation: str) -> bool:
        """Whether the text stands in the conversation: one message, with what the tool adds, is far smaller than tools and prompt."""
        view = memoryview(fields.get(conversation, b""))
        return len(view) <= MOST and self.text in bytes(view)


def is_plain(text: str) -> bool:
    """Whether JSON writes this text in one way only, so that it can be looked for in a body."""
    return text.isascii() and text.isprintable() and not any(c in text for c in "\"\\/<>&'")


def has_tools(fields: Mapping[str, msgspec.Raw]) -> bool:
    tools = fields.get("tools")
    return tools is not None and bytes(memoryview(tools)[:4]).replace(b" ", b"") not in NO_TOOLS


def source(rule: Rule, request: Request) -> str | None:
    """The user's text of which a title can be made, when the rule holds; None when it does not."""
    when = rule.when
    if (request.n or 1) != 1 or not told(when, request):
        return None
    messages = list(spoken(request))
    if when.prefill is not None:
        last = messages.pop() if messages else None
        if last is None or last.role != "assistant" or text_of(last.parts) != when.prefill:
            return None
    texts = [text_of(message.parts) if message.role == "user" else None for message in messages]
    if not texts or texts[-1] is None:
        return None
    if when.text is not None and texts != [when.text]:
        return None
    if when.first is not None and (texts[0] != when.first or len(texts) < 2):
        return None
    return texts[-1] if when.quoted is None else inside(texts[-1], when.quoted)


def told(when: When, request: Request) -> bool:
    """Whether the system prompt says all that the rule names, or is not there when it names nothing."""
    parts = [*request.system]
    for message in request.messages:
        if message.role in ("system", "developer"):
            parts += message.parts
    texts = [part.text for part in parts if isinstance(part, Text) and not part.text.startswith(VOLATILE)]
    system = "\n".join(texts)
    return all(mark in system for mark in when.system) if when.system else not system.strip()


def spoken(request: Request) -> tuple[Message, ...]:
    return tuple([message for message in request.messages if message.role not in ("system", "developer")])


def text_of(parts: tuple[Part, ...]) -> str | None:
    """The text without what the tool reminds the model of; None when there is anything but text."""
    kept: list[str] = []
    for part in parts:
        if not isinstance(part, Text):
            return None
        text = part.text.strip()
        if not (text.startswith(REMINDER[0]) and text.endswith(REMINDER[1])):
            kept.append(text)
    return "\n".join(kept)


def inside(text: str, element: str) -> str | None:
    _, opened, rest = text.partition(f"<{element}>")
    found, closed, _ = rest.rpartition(f"</{element}>")
    return found if opened and closed else None
