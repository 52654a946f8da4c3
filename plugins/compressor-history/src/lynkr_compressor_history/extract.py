"""A summary without a model: what people said, and a line for each thing that the agent did. The same words for the same turns."""

from __future__ import annotations

from collections.abc import Sequence

from lynkr_core.request import Message, Part, Text, ToolCall, ToolCallResponse
from lynkr_core.tokens import Tokens

HEAD = "[The earlier part of this conversation was left out to save room: {count} messages. What follows is what it came to.]"
TAIL = "[End of the summary. The conversation goes on below, word for word.]"
GAP = "[…]"
SAID, ANSWERED, CALLED, GIVEN = 2_000, 500, 200, 200
"""Characters kept of what a user says, what the model answers, the arguments of a call, and a result."""
USER, REST = 2, 1
"""What is left out last, and first, when there is no room for everything."""


def short(text: str, most: int) -> str:
    """The beginning and the end."""
    text = text.strip()
    if len(text) <= most:
        return text
    last = most // 4
    return f"{text[: most - last]} {GAP} {text[-last:]}"


def one_line(text: str, most: int) -> str:
    return short(" ".join(text[: most * 20].split()), most)


def lines(messages: Sequence[Message]) -> list[tuple[int, str]]:
    """What happened, with what it is worth."""
    found: list[tuple[int, str]] = []
    for message in messages:
        who = {"user": "User", "assistant": "Assistant", "tool": "Tool"}.get(message.role, "Instructions")
        for part in message.parts:
            line = told(who, part)
            if line:
                found.append((USER if who in ("User", "Instructions") and isinstance(part, Text) else REST, line))
    return found


def told(who: str, part: Part) -> str:
    match part:
        case Text(text=text) if text.strip():
            return f"{who}: {short(text, SAID if who != 'Assistant' else ANSWERED)}"
        case ToolCall(name=name, arguments=arguments):
            return f"- called {name} {one_line(arguments, CALLED)}"
        case ToolCallResponse(content=content, is_error=failed):
            said = "\n".join([inner.text for inner in content if isinstance(inner, Text)])
            return f"  {'failed' if failed else 'gave'}: {one_line(said, GIVEN) or '(no text)'}"
        case _:
            return ""


def summary(messages: Sequence[Message], most: int, tokens: Tokens) -> str:
    """At most so many tokens, give or take the last line: the words of people stay longest, and the newest of everything."""
    found = lines(messages)
    kept = set(range(len(found)))
    sizes = [tokens.count(line) + 1 for _, line in found]
    total = sum(sizes)
    for value in (REST, USER):
        for place, (worth, _) in enumerate(found):
            if total <= most:
                break
            if worth == value and (value == REST or place < len(found) - 1):
                kept.discard(place)
                total -= sizes[place]
    return framed(joined([line if place in kept else "" for place, (_, line) in enumerate(found)]), len(messages))


def joined(parts: Sequence[str]) -> str:
    """One mark for each run of lines that were left out."""
    out: list[str] = []
    for part in parts:
        if part or not out or out[-1] != GAP:
            out.append(part or GAP)
    return "\n".join(out)


def framed(text: str, count: int) -> str:
    return f"{HEAD.format(count=count)}\n{text}\n{TAIL}"
