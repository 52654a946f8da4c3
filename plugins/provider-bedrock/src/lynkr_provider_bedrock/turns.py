"""Messages put into the order that Converse takes.

System prompts stand apart; user and assistant take turns, the user begins; a turn has its tool results before everything else, one for
each call of the turn before it; no text is empty; pictures and documents come from the user, a document with a text beside it
(Converse API reference, `Message`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lynkr_core.dialects.anthropic_messages.signatures import is_foreign
from lynkr_core.dialects.anthropic_messages.turns import NO_RESULT, OPENING, Turn, note
from lynkr_core.request import Blob, File, Generic, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse, Uri

BESIDE = "(see the document)"
"""Said where a document would stand without a text."""
_FERNET = "gAAAA"


def arrange(messages: Sequence[Message], losses: list[str]) -> list[Turn]:
    """The turns, repaired; what was changed beyond its form is told in `losses`."""
    turns: list[Turn] = []
    for message in messages:
        role = role_of(message, losses)
        parts = [part for part in message.parts if carried(part, role, losses)]
        if parts and turns and turns[-1].role == role:
            turns[-1].parts += parts
        elif parts:
            turns.append(Turn(role, parts))
    if not turns or turns[0].role == "assistant":
        turns.insert(0, Turn("user", [Text(text=OPENING)]))
        note(losses, f"messages: did not begin with the user, the user text {OPENING!r} was put first")
    for before, turn in zip([None, *turns], turns, strict=False):
        if turn.role == "user":
            pair(turn, before, losses)
            set_beside(turn)
    trim(turns[-1])
    return turns


def role_of(message: Message, losses: list[str]) -> Literal["user", "assistant"]:
    if message.role in ("system", "developer"):
        note(losses, "messages: a system message amid the conversation is expressed differently, as a user turn")
    if message.name is not None and message.role != "tool":
        note(losses, "messages.name: participants have no names in Converse")
    return "assistant" if message.role == "assistant" else "user"


def carried(part: Part, role: str, losses: list[str]) -> bool:
    """Whether there is a block for this part in a turn of this role."""
    match part:
        case Text():
            return bool(part.text.strip())
        case Reasoning():
            if not (signed := role == "assistant" and is_signed(part)):
                note(losses, "reasoning: thinking that no model here has signed cannot be sent back to one")
            return signed
        case Blob() | Uri():
            if role == "assistant":
                note(losses, f"{part.modality}: Converse takes it from the user only")
            return role == "user"
        case File():
            note(losses, "file: files stored at another vendor cannot be read here")
            return False
        case Generic():
            note(losses, f"{part.type}: Converse has no such block")
            return False
        case _:
            return True


def is_signed(part: Reasoning) -> bool:
    """Encrypted reasoning with an item id, or that begins as a Fernet token does, is OpenAI's."""
    if part.signature is not None:
        return bool(part.text) and not part.signature.startswith("lynkr-") and not is_foreign(part.signature)
    return bool(part.encrypted) and part.id is None and not str(part.encrypted).startswith(_FERNET)


def pair(turn: Turn, before: Turn | None, losses: list[str]) -> None:
    """Each call has its result in the next turn, and each result its call, or the API refuses the request. Results come first."""
    waiting = [part.id for part in before.parts if isinstance(part, ToolCall)] if before else []
    results: list[Part] = []
    others: list[Part] = []
    for part in turn.parts:
        if not isinstance(part, ToolCallResponse):
            others.append(part)
        elif part.id in waiting:
            waiting.remove(part.id)
            results.append(part)
        else:
            note(losses, "messages: a tool result without its call is expressed differently, as user content")
            others += [inner for inner in part.content if carried(inner, "user", losses)] or [Text(text=NO_RESULT)]
    for id in waiting:
        note(losses, "messages: a tool call without a result got an empty one")
        results.append(ToolCallResponse(id=id, content=(Text(text=NO_RESULT),), is_error=True))
    turn.parts = results + others


def set_beside(turn: Turn) -> None:
    documents = any(getattr(part, "modality", None) == "document" for part in turn.parts)
    if documents and not any(isinstance(part, Text) for part in turn.parts):
        turn.parts.append(Text(text=BESIDE))


def trim(turn: Turn) -> None:
    """A prefill that ends in white space is refused by Anthropic's models."""
    last = turn.parts[-1]
    if turn.role == "assistant" and isinstance(last, Text):
        turn.parts[-1] = Text(text=last.text.rstrip(), cache=last.cache)
