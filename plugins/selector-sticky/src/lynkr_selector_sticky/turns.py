"""What the last messages of a conversation say: is a tool being used, and does it keep failing?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lynkr_core.request import Message, Text, ToolCall, ToolCallResponse

LOOKED_AT = 80
"""Messages looked at from the end."""
BEGINNING = 300
"""Characters of a result in which an error is looked for, where the API has no mark for it."""

_failed = re.compile(
    r"\A\W*(?:error|errno|exception|traceback|fatal|failed|failure|command failed|tool_use_error|permission denied|no such file)\b"
    r"|\bexit(?:ed with)?(?: code|_code|status)?\W{0,3}[1-9]\d*\b",
    re.IGNORECASE,
)


def is_mid_tools(messages: Sequence[Message]) -> bool:
    """Whether the last message brings the result of a tool, and nothing that a human says."""
    if not messages:
        return False
    last = messages[-1]
    if last.role == "assistant":
        return any(isinstance(part, ToolCall) for part in last.parts)
    return any(isinstance(part, ToolCallResponse) for part in last.parts) and not said(last)


def said(message: Message) -> bool:
    """Whether there are words beside the results. What stands in one element is a tool's reminder."""
    texts = [part.text.strip() for part in message.parts if isinstance(part, Text)]
    return any(text and not (text.startswith("<") and text.endswith(">")) for text in texts)


def is_failure(result: ToolCallResponse) -> bool:
    if result.is_error:
        return True
    text = next((part.text for part in result.content if isinstance(part, Text) and part.text.strip()), "")
    return bool(_failed.search(text[:BEGINNING]))


def worst_failures(messages: Sequence[Message]) -> tuple[int, str]:
    """How often the same call, arguments and all, has failed without ever having succeeded since; and the tool's name."""
    calls: dict[str, tuple[str, str]] = {}
    failures: dict[tuple[str, str], int] = {}
    for message in messages[-LOOKED_AT:]:
        for part in message.parts:
            if isinstance(part, ToolCall):
                calls[part.id] = (part.name, part.arguments)
            elif isinstance(part, ToolCallResponse) and part.id in calls:
                call = calls[part.id]
                failures[call] = failures.get(call, 0) + 1 if is_failure(part) else 0
    worst = max(failures, key=lambda call: failures[call], default=None)
    return (failures[worst], worst[0]) if worst else (0, "")
