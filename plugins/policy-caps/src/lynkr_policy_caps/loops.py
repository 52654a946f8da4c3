"""Signs of an agent that goes round in circles, in the conversation that it sends."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from lynkr_core.request import Message, Request, Text, ToolCall


class Turns(NamedTuple):
    """Since the last text of a user: rounds of tool calls, and how often the most repeated call was made, which one."""

    rounds: int
    repeats: int
    call: str


def turns(request: Request) -> Turns:
    """Calls that were made at once are one round."""
    rounds, calling = 0, False
    calls: Counter[tuple[str, str]] = Counter()
    for message in reversed(request.messages):
        if message.role == "user" and asks(message):
            break
        made = [part for part in message.parts if isinstance(part, ToolCall)]
        rounds += bool(made) and not calling
        calling = bool(made)
        calls.update([(call.name, call.arguments) for call in made])
    (name, _), repeats = calls.most_common(1)[0] if calls else (("", ""), 0)
    return Turns(rounds, repeats, name)


def asks(message: Message) -> bool:
    """Tool results also come as users' messages."""
    return any(isinstance(part, Text) for part in message.parts)
