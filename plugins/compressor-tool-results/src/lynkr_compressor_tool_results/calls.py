"""What a tool was called with: does it show a file as it is, and which of its lines did the agent write itself?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from lynkr_core.request import ToolCall

_READING = re.compile(r"read|view|open|cat|show_file|get_file|scroll|goto|editor|edit|write|create|patch|notebook", re.IGNORECASE)
_DUMPS = r"(?:sudo\s+)?(?:cat|head|tail|sed|nl|less|more|bat|awk|tee|type|Get-Content)\b"
_FIRST, _NEXT, _THEN = (re.compile(before + _DUMPS) for before in ("", r"[;&|(]\s*", r"\bthen\s+"))
_PIPED = re.compile(r"\|\s*(?:head|tail|less|more|tee)\b[^|;&]*")
COMMANDS = ("command", "cmd", "script", "input", "code")
_NAMED = re.compile(f'"(?:{"|".join(COMMANDS)})"')
"""Looked for before reading: arguments may be whole files."""
LEAST = 6
"""Lines of an argument that is worth looking at."""
DEEPEST = 8
_decode = msgspec.json.Decoder().decode


def shows_file(call: ToolCall | None) -> bool:
    """Whether the answer may be a file's own text, which the agent may quote to the letter in an edit. When in doubt it is."""
    if call is None:
        return True
    command = _command(call)
    if command is None:
        return _READING.search(call.name) is not None
    if "|" in command:
        command = _PIPED.sub("", command)
    return any((_FIRST.match(command), _NEXT.search(command), _THEN.search(command)))


def _command(call: ToolCall) -> str | None:
    if call.kind == "custom":
        return call.arguments
    if _NAMED.search(call.arguments) is None and "\\u" not in call.arguments:
        return None
    try:
        arguments: Any = _decode(call.arguments)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    if not isinstance(arguments, dict):
        return None
    given = cast("dict[str, Any]", arguments)
    value = next((given[key] for key in COMMANDS if isinstance(given.get(key), (str, list))), None)
    return " ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else value


def written(call: ToolCall) -> list[str]:
    """The lines of every text of several lines among the arguments, in their order."""
    text = call.arguments
    if call.kind == "custom":
        return text.split("\n") if text.count("\n") >= LEAST else []
    if text.count("\\n") < LEAST:
        return []
    try:
        return [line for value in _texts(_decode(text), 0) for line in value.split("\n")]
    except (msgspec.DecodeError, UnicodeEncodeError):
        return []


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value.count("\n") >= LEAST - 1:
            yield value
    elif depth < DEEPEST and isinstance(value, (list, dict)):
        held = cast("dict[str, Any] | list[Any]", value)
        for inner in held.values() if isinstance(held, dict) else held:
            yield from _texts(inner, depth + 1)
