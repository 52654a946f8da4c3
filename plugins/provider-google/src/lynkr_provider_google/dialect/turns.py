"""A conversation of another dialect, put into the order that Gemini takes.

User and model take turns, the user begins; each call has its result, with the function's name, in the very next turn, and each result
its call in the one before; no text is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs

from lynkr_core.dialects.callids import unpack
from lynkr_core.dialects.openai_chat.translate import ATTRIBUTION
from lynkr_core.request import Message, Part, Reasoning, Request, Text, ToolCall, ToolCallResponse
from lynkr_provider_google.dialect.parts import is_secret
from lynkr_provider_google.dialect.render import fragment, fragments
from lynkr_provider_google.dialect.signatures import TAG
from lynkr_provider_google.dialect.tools import safe_name
from lynkr_provider_google.dialect.wire import Wire, note

OPENING = "(conversation continues)"
"""Said by the user when the conversation would begin with the model."""
NO_RESULT = "(no result)"


class Turn(Struct):
    model: bool
    parts: list[Part]


def write_system(request: Request, losses: list[str]) -> tuple[Wire | None, Sequence[Message]]:
    """`systemInstruction`, leading system and developer messages included, and the messages after it."""
    parts = list(request.system)
    messages = request.messages
    while messages and messages[0].role in ("system", "developer"):
        parts += messages[0].parts
        messages = messages[1:]
    texts = [part.text for part in parts if isinstance(part, Text) and part.text.strip()]
    if any(not isinstance(part, Text) for part in parts):
        note(losses, "system: only text can be carried")
    written = [{"text": text} for text in texts if not text.startswith(ATTRIBUTION)]
    return ({"parts": written} if written else None), messages


def write_contents(messages: Sequence[Message], losses: list[str]) -> list[Any]:
    turns = arrange(messages, losses)
    return [
        {"role": "model" if turn.model else "user", "parts": written}
        for turn in turns
        if (written := fragments(turn.parts, own=False))
    ]


def arrange(messages: Sequence[Message], losses: list[str]) -> list[Turn]:
    """The turns, repaired; what was changed beyond its form is told in `losses`."""
    turns: list[Turn] = []
    for message in messages:
        if message.role in ("system", "developer"):
            note(losses, "messages: a system message amid the conversation is expressed differently, as a user turn")
        if message.name is not None and message.role != "tool":
            note(losses, "messages.name: Gemini knows no names of speakers")
        _add(turns, message.role == "assistant", [kept for part in message.parts if (kept := _carried(part, losses))])
    if turns and turns[0].model:
        turns.insert(0, Turn(False, [Text(text=OPENING)]))
        note(losses, f"messages: began with the assistant, the user text {OPENING!r} was put first")
    _pair(turns, losses)
    return turns


def _add(turns: list[Turn], model: bool, parts: list[Part]) -> None:
    if not parts:
        return
    if turns and turns[-1].model == model:
        turns[-1].parts += parts
    else:
        turns.append(Turn(model, parts))


def _carried(part: Part, losses: list[str]) -> Part | None:
    """The part as it can be sent; None with a note for one that cannot."""
    match part:
        case Text():
            return part if part.text.strip() else None
        case Reasoning():
            return _thought(part, losses)
        case ToolCall():
            return structs.replace(part, name=safe_name(part.name), native=None)
        case ToolCallResponse():
            return structs.replace(part, id=unpack(part.id)[0])
        case _:
            if fragment(part) is None:
                note(losses, f"{getattr(part, 'modality', getattr(part, 'type', 'part'))}: Gemini has no such input")
                return None
            if getattr(part, "detail", None) not in (None, "auto"):
                note(losses, "image.detail: Gemini decides by itself")
            return structs.replace(part, native=None)


def _thought(part: Reasoning, losses: list[str]) -> Part | None:
    """Thinking without Google's signature says nothing to Gemini; what the model itself thought stays with it."""
    if part.signature is not None and part.signature.startswith(TAG):
        return Reasoning(text=part.text, signature=part.signature)
    if part.text or part.signature or part.encrypted:
        note(losses, "reasoning: thinking that Gemini did not sign is not sent back to it")
    return None


def _pair(turns: list[Turn], losses: list[str]) -> None:
    """Results stand in the order of their calls, before all else; what has no counterpart gets one or is told as text."""
    for place, turn in enumerate(turns):
        if not turn.model:
            before = turns[place - 1].parts if place else []
            turn.parts = _answered(turn.parts, [part for part in before if isinstance(part, ToolCall)], losses)


def _answered(parts: list[Part], calls: list[ToolCall], losses: list[str]) -> list[Part]:
    given = [part for part in parts if isinstance(part, ToolCallResponse)]
    results: list[Part] = []
    aside: list[Part] = []
    for call in calls:
        id = unpack(call.id)[0]
        found = next((one for one in given if one.id == id), None)
        if found is None:
            note(losses, "messages: a tool call without a result got an empty one")
            found = ToolCallResponse(id=id, content=(Text(text=NO_RESULT),), is_error=True)
        else:
            given.remove(found)
        texts, media = _split(found, losses)
        results.append(ToolCallResponse(id=id, name=call.name, content=texts, is_error=found.is_error))
        aside += media
    for lost in given:
        note(losses, "messages: a tool result without its call is expressed differently, as user content")
        texts, media = _split(lost, losses)
        aside += [*texts, *media] or [Text(text=NO_RESULT)]
    return [*results, *aside, *[part for part in parts if not isinstance(part, ToolCallResponse)]]


def _split(result: ToolCallResponse, losses: list[str]) -> tuple[tuple[Part, ...], list[Part]]:
    """Texts, and what only stands beside a function's response: models before Gemini 3 take no media inside it."""
    carried = [kept for part in result.content if (kept := _carried(part, losses))]
    return tuple([p for p in carried if isinstance(p, Text)]), [
        p for p in carried if not isinstance(p, Text) and not is_secret(p)
    ]
