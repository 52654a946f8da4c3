"""Messages of another dialect put into the order that the Messages API takes.

System prompts stand first and apart; user and assistant take turns, the user begins; a turn has its tool results before
everything else, one for each call of the assistant turn before it; no text is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct, structs

from lynkr_core.dialects.anthropic_messages.fragments import Content, wire
from lynkr_core.dialects.anthropic_messages.signatures import PREFIX, is_foreign
from lynkr_core.dialects.callids import SEAM, bare
from lynkr_core.dialects.losses import note
from lynkr_core.request import File, Message, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse

__all__ = ["NO_RESULT", "OPENING", "Turn", "arrange", "in_tool_loop", "note", "split_system", "write_parts", "write_turns"]
OPENING = "(conversation continues)"
"""Said by the user when the conversation would begin with the assistant."""
NO_RESULT = "(no result)"
_FERNET = "gAAAA"
_NAMED = (ToolCall, ToolCallResponse)
"""Parts with the id of a call."""


class Turn(Struct):
    role: Literal["user", "assistant"]
    parts: list[Part]


def split_system(request: Request) -> tuple[list[Part], Sequence[Message]]:
    """The system prompt, leading system and developer messages included, and the messages after it."""
    system = list(request.system)
    for i, message in enumerate(request.messages):
        if message.role not in ("system", "developer"):
            return system, request.messages[i:]
        system += message.parts
    return system, ()


def arrange(messages: Sequence[Message], losses: list[str]) -> list[Turn]:
    """The turns, repaired; what was changed beyond its form is told in `losses`."""
    turns: list[Turn] = []
    for message in messages:
        _add(turns, _role(message, losses), _carried(message.parts, losses))
    if turns and turns[0].role == "assistant":
        turns.insert(0, Turn("user", [Text(text=OPENING)]))
        note(losses, f"messages: began with the assistant, the user text {OPENING!r} was put first")
    _pair(turns, losses)
    for turn in turns:
        if len(turn.parts) > 1 and ToolCallResponse in map(type, turn.parts):
            turn.parts.sort(key=_comes_later)
    if turns and turns[-1].role == "assistant":
        _trim(turns[-1])
    return turns


def _comes_later(part: Part) -> bool:
    return not isinstance(part, ToolCallResponse)


def _add(turns: list[Turn], role: Literal["user", "assistant"], parts: list[Part]) -> None:
    if not parts:
        return
    if turns and turns[-1].role == role:
        turns[-1].parts += parts
    else:
        turns.append(Turn(role, parts))


def _role(message: Message, losses: list[str]) -> Literal["user", "assistant"]:
    if message.role in ("system", "developer"):
        note(losses, "messages: a system message amid the conversation is expressed differently, as a user turn")
    if message.name is not None and message.role != "tool":
        note(losses, "messages.name: participants have no names in the Messages API")
    return "assistant" if message.role == "assistant" else "user"


def _carried(parts: Iterable[Part], losses: list[str]) -> list[Part]:
    """The parts that there are blocks for; a loss that matters is noted."""
    carried: list[Part] = []
    for part in parts:
        if isinstance(part, Text):
            if part.text and not part.text.isspace():
                carried.append(part)
        elif isinstance(part, _NAMED):
            carried.append(_bare(part) if SEAM in part.id else part)
        elif _has_block(part, losses):
            carried.append(part)
    return carried


def _bare(part: ToolCall | ToolCallResponse) -> Part:
    """Without the signature that its id carries for another vendor."""
    return structs.replace(part, id=bare(part.id))


def _has_block(part: Part, losses: list[str]) -> bool:
    match part:
        case Reasoning():
            if not _signed(part):
                note(losses, "reasoning: thinking that this vendor did not sign cannot be sent back to it")
            return _signed(part)
        case File():
            note(losses, "file: files stored at another vendor cannot be read here")
            return False
        case _:
            if wire(part, lambda parts: ()) is not None:
                if getattr(part, "detail", None) not in (None, "auto"):
                    note(losses, "image.detail: the Messages API decides by itself")
                return True
            note(losses, f"{getattr(part, 'modality', getattr(part, 'type', 'part'))}: the Messages API has no such input")
            return False


def _signed(part: Reasoning) -> bool:
    """Encrypted reasoning without an item id is this API's `redacted_thinking`.

    Clients may drop the id of OpenAI's items (clients.md, Codex), but its text still begins as a Fernet token does.
    """
    if part.signature is None:
        return part.encrypted is not None and part.id is None and not part.encrypted.startswith(_FERNET)
    return not part.signature.startswith(PREFIX) and not is_foreign(part.signature)


def _pair(turns: list[Turn], losses: list[str]) -> None:
    """Each call has its result in the next turn and each result its call in the turn before, or the API refuses the request."""
    for i, turn in enumerate(turns):
        if turn.role == "user":
            calls = _calls(turns[i - 1]) if i else []
            if calls != [part.id if type(part) is ToolCallResponse else None for part in turn.parts]:
                _pair_turn(turn, calls, losses)


def _pair_turn(turn: Turn, calls: list[str], losses: list[str]) -> None:
    waiting = list(calls)
    parts: list[Part] = []
    for part in turn.parts:
        if not isinstance(part, ToolCallResponse):
            parts.append(part)
        elif part.id in waiting:
            waiting.remove(part.id)
            parts.append(part)
        else:
            note(losses, "messages: a tool result without its call is expressed differently, as user content")
            parts += _carried(part.content, losses) or [Text(text=NO_RESULT)]
    for id in waiting:
        note(losses, "messages: a tool call without a result got an empty one")
        parts.append(ToolCallResponse(id=id, content=(Text(text=NO_RESULT),), is_error=True))
    turn.parts = parts


def _calls(turn: Turn) -> list[str]:
    return [part.id for part in turn.parts if isinstance(part, ToolCall)]


def _trim(turn: Turn) -> None:
    """The API refuses a prefill that ends in white space."""
    last = turn.parts[-1]
    if isinstance(last, Text):
        turn.parts[-1] = Text(text=last.text.rstrip(), cache=last.cache)


def in_tool_loop(turns: Sequence[Turn]) -> Turn | None:
    """The assistant turn whose tool results come last; None when the last turn is something else."""
    if len(turns) < 2 or not any(isinstance(part, ToolCallResponse) for part in turns[-1].parts):
        return None
    return turns[-2]


def write_turns(turns: Iterable[Turn], losses: list[str]) -> list[dict[str, object]]:
    """The `messages` array."""
    content = _within(losses)
    return [{"role": turn.role, "content": _blocks(turn.parts, content)} for turn in turns]


def write_parts(parts: Sequence[Part], losses: list[str]) -> list[dict[str, Any]]:
    return _blocks(parts, _within(losses))


def _within(losses: list[str]) -> Content:
    """Writes the content of tool results: a string when it is one text."""

    def content(inner: Sequence[Part]) -> object:
        if len(inner) == 1 and isinstance(inner[0], Text):
            return inner[0].text
        return _blocks(_carried(inner, losses), content)

    return content


def _blocks(parts: Sequence[Part], content: Content) -> list[dict[str, Any]]:
    return [
        block for part in parts if (block := _write_text(part) if isinstance(part, Text) else wire(part, content)) is not None
    ]


def _write_text(text: Text) -> dict[str, object]:
    """Without its citations, which are another vendor's."""
    block: dict[str, object] = {"type": "text", "text": text.text}
    if text.cache is not None:
        block["cache_control"] = text.cache
    return block
