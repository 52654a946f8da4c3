"""Tool results with every fact kept and fewer tokens, and never changed again once sent."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from lynkr_compressor_tool_results.conversation import Conversation
from lynkr_compressor_tool_results.expansion import expand
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Message, Part, Request, Text, ToolCall, ToolCallResponse
from lynkr_core.stores import Recent

__all__ = ["Config", "ToolResults", "expand", "plugin"]

TOLD = 200_000
"""Messages remembered; most of them only as unchanged."""
CONVERSATIONS = 1_000
MEGABYTE = 1 << 20


class Told(NamedTuple):
    """What a message's results say instead, in their order (None: as they came), and the tokens that this saves."""

    texts: tuple[str | None, ...]
    tokens: int


UNCHANGED = Told((), 0)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.tool-results]`"""

    memory: Annotated[
        int, Meta(ge=1, le=4096, description="Megabytes for what was made of earlier messages; without it they are made again.")
    ] = 64


class ToolResults:
    """Tells each result once, when it is first seen, by what stands before it; the same request gives the same bytes."""

    def __init__(self, config: Config, context: Context) -> None:
        self.name = f"{context.kind}.{context.name}"
        self.count = context.tokens.count
        self.told: Recent[tuple[str, int], Told] = Recent(TOLD, config.memory * MEGABYTE // 2)
        self.conversations: Recent[tuple[str, int], Conversation] = Recent(CONVERSATIONS, config.memory * MEGABYTE // 2)

    def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        spoken = [message for message in request.messages if is_tools(message)]
        if not spoken:
            return None
        told = self.tell(exchange.principal.id, spoken)
        changed = {id(message): rewritten(message, one.texts) for message, one in zip(spoken, told, strict=True) if one.texts}
        if not changed:
            return None
        save(exchange, self.name, sum([one.tokens for one in told]))
        return request.edit(messages=tuple([changed.get(id(message), message) for message in request.messages]))

    def tell(self, principal: str, messages: list[Message]) -> list[Told]:
        """What is said instead of each message, which all have calls or results."""
        keys = chained(principal, messages)
        told = [self.told.get(key) for key in keys]
        known = next((i for i, one in enumerate(told) if one is None), len(told))
        if known == len(told):
            return [one for one in told if one is not None]
        conversation = self.conversations.pop(keys[known - 1]) if known else None
        if conversation is None:
            conversation, known = Conversation(self.count), 0
        for at in range(known, len(messages)):
            made = told[at] = one_told(conversation, messages[at])
            self.told.set(keys[at], made, 200 + sum([2 * len(text) for text in made.texts if text]))
        self.conversations.set(keys[-1], conversation, conversation.size)
        return [one for one in told if one is not None]


def is_tools(message: Message) -> bool:
    """Whether it has calls or results."""
    for part in message.parts:
        kind = type(part)
        if kind is ToolCallResponse or kind is ToolCall:
            return True
    return False


def chained(principal: str, messages: list[Message]) -> list[tuple[str, int]]:
    """A key for each message that stands for all up to it. Hashes are keyed by the process, and nobody's but the principal's own."""
    keys: list[tuple[str, int]] = []
    chain = 0
    for message in messages:
        said: list[object] = [chain]
        for part in message.parts:
            if type(part) is ToolCallResponse:
                said.append(part.id)
                said += [one.text for one in part.content if type(one) is Text]
            elif type(part) is ToolCall:
                said += (part.id, part.name, part.arguments)
        chain = hash(tuple(said))
        keys.append((principal, chain))
    return keys


def one_told(conversation: Conversation, message: Message) -> Told:
    """The next message of a conversation."""
    texts: list[str | None] = []
    tokens = 0
    for part in message.parts:
        if type(part) is ToolCall:
            conversation.called(part)
        for text in texts_of(part):
            told, saved = conversation.answered(part.id if type(part) is ToolCallResponse else "", text.text)
            texts.append(told if saved else None)
            tokens += saved
    return Told(tuple(texts), tokens) if tokens else UNCHANGED


def texts_of(part: Part) -> list[Text]:
    return [one for one in part.content if type(one) is Text] if type(part) is ToolCallResponse else []


def rewritten(message: Message, texts: tuple[str | None, ...]) -> Message:
    """The message with these texts in the place of its results' own."""
    left = iter(texts)
    parts: list[Part] = []
    for part in message.parts:
        if type(part) is not ToolCallResponse:
            parts.append(part)
            continue
        content: list[Part] = []
        for one in part.content:
            text = next(left) if type(one) is Text else None
            content.append(one if text is None else one.edit(text=text))
        same = all(new is old for new, old in zip(content, part.content, strict=True))
        parts.append(part if same else part.edit(content=tuple(content)))
    return message.edit(parts=tuple(parts))


plugin = Plugin(api=1, config=Config, create=ToolResults, rank=2)
