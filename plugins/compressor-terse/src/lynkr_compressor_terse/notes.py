"""What a model is told, and where in a request it stands. The same for every request of a level, so that prompts stay cached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import structs

from lynkr_core.request import Message, Part, Request, Text
from lynkr_core.sessions import VOLATILE

Level = Literal["off", "lite", "full", "ultra"]
KEPT = (
    " Write code, commands, file contents, error messages, numbers, quotations and tool arguments in full, and keep every warning, "
    "doubt and failed check."
)
NOTES: Mapping[Level, str] = {
    "lite": "Keep what you say to the user short: no preamble, no repeating of the question, no closing offer." + KEPT,
    "full": (
        "Say things to the user in as few words as carry the facts: no preamble, no repeating of the question, no praise, no summary of what "
        "was just shown, no closing offer. Prefer lists and fragments where they are clear." + KEPT
    ),
    "ultra": (
        "Speak to the user in telegram style: the result first, bare facts, at most three lines unless more is asked for. No articles where "
        "the sense is clear, no preamble, no reasoning aloud, no summary, no closing offer." + KEPT
    ),
}
PROMPTS = ("system", "developer")
GAP = "\n\n"


def noted(request: Request, note: str) -> Request:
    """The request with the note as the last thing of its system prompt, wherever that stands; with a prompt of its own where there is none.

    A prompt beside the messages comes before any in them, and clients that have it write the rest of their instructions there.
    """
    if request.system:
        return request.edit(system=appended(request.system, note))
    last = last_prompt(request.messages)
    if last is None:
        return request.edit(system=(Text(text=note),))
    message = request.messages[last]
    changed = message.edit(parts=appended(message.parts, note))
    return request.edit(messages=(*request.messages[:last], changed, *request.messages[last + 1 :]))


def last_prompt(messages: tuple[Message, ...]) -> int | None:
    """The last of the system messages at the front: what comes later in a conversation moves its end."""
    found = None
    for place, message in enumerate(messages):
        if message.role not in PROMPTS:
            break
        found = place
    return found


def appended(parts: tuple[Part, ...], note: str) -> tuple[Part, ...]:
    """In the last text, so that it is cached with it; in one of its own after a block that is another with each request, or is no text."""
    last = parts[-1] if parts else None
    if not isinstance(last, Text) or last.text.startswith(VOLATILE):
        return (*parts, Text(text=note))
    return (*parts[:-1], last.edit(text=last.text.rstrip() + GAP + note if last.text.strip() else note))


def without(request: Request, note: str) -> Request:
    """As it was before, but for blanks at the end of the prompt: for who reads what was sent."""
    if request.system and (system := bare(request.system, note)) != request.system:
        return structs.replace(request, system=system)
    messages = [structs.replace(m, parts=bare(m.parts, note)) if m.role in PROMPTS else m for m in request.messages]
    return structs.replace(
        request, messages=tuple([message for message in messages if message.parts or message.role not in PROMPTS])
    )


def bare(parts: tuple[Part, ...], note: str) -> tuple[Part, ...]:
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Text) and part.text.endswith(note):
            text = part.text.removesuffix(note).removesuffix(GAP)
            kept += [structs.replace(part, text=text)] if text else []
        else:
            kept.append(part)
    return tuple(kept)
