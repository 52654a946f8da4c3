"""The last thing a human asked, as selectors read it."""

from __future__ import annotations

import re

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import Exchange, Key
from lynkr_core.request import Text

CLIPPED = 500
"""Scorers tell so many characters of the text they scored; a text of that length may be the beginning of a longer one."""
KEPT = 16_000
"""Characters read at the beginning, and at the end."""
MAX_ELEMENTS = 500
ASK: Key[str] = Key("selector-tasks.ask")
WORDS_OF_THE_USER = frozenset({"user_query", "user_message", "command-args"})

_element = re.compile(r"<([a-z]+(?:[-_][a-z]+)+)(?:\s[^<>]{0,200})?>")


def ask_of(exchange: Exchange) -> str:
    """What a scorer has found, else the newest user message that has words, without what tools put around them; may be empty."""
    for score in exchange.scores:
        if score.ask and len(score.ask) < CLIPPED:
            return score.ask
    found = exchange.get(ASK)
    if found is None:
        found = newest(exchange) if exchange.operation == "chat" else ""
        exchange.set(ASK, found)
    return found


def newest(exchange: Exchange) -> str:
    try:
        messages = exchange.request.messages
    except InvalidRequest:
        return ""  # whoever has to read it will say what is wrong
    for message in reversed(messages):
        if message.role == "user":
            text = clean("\n".join([part.text for part in message.parts if isinstance(part, Text)]))
            if text:
                return shortened(text)
    return ""


def shortened(text: str) -> str:
    return text if len(text) <= 2 * KEPT else f"{text[:KEPT]}\n{text[-KEPT:]}"


def clean(text: str) -> str:
    """Without elements whose names have a hyphen or an underscore: coding tools put reminders and state into such. Linear in the text."""
    kept: list[str] = []
    unclosed: set[str] = set()
    start = position = 0
    for _ in range(MAX_ELEMENTS if "<" in text else 0):
        found = _element.search(text, position)
        if found is None:
            break
        name, position = found[1], found.end()
        end = -1 if name in unclosed or name in WORDS_OF_THE_USER else text.find(f"</{name}>", position)
        if end < 0:
            unclosed.add(name)
            continue
        kept.append(text[start : found.start()])
        start = position = end + len(name) + 3
    return "".join((*kept, text[start:])).strip()
