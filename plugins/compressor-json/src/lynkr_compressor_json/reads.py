"""Does a call show a file as it is, which the agent may quote to the letter in an edit?"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from lynkr_core.request import ToolCall

_READING = re.compile(r"read|view|open_file|cat\b|show_file|file_content|get_file|scroll|editor|notebook", re.IGNORECASE)
_DUMPING = re.compile(r"(?:^|[;&|(]\s*|\bthen\s+)(?:sudo\s+)?(?:cat|head|tail|sed|nl|less|more|bat|awk|tee|type|Get-Content)\b")
_PIPED = re.compile(r"\|\s*(?:head|tail|less|more|tee)\b[^|;&]*")
_COMMANDS = ("command", "cmd", "script", "input", "code")
_decode = msgspec.json.Decoder().decode


def shows_file(call: ToolCall | None) -> bool:
    """When nobody knows the call it does not: an API's answer is far likelier."""
    if call is None:
        return False
    command = _command(call)
    if command is None:
        return _READING.search(call.name) is not None
    return _DUMPING.search(_PIPED.sub("", command)) is not None


def _command(call: ToolCall) -> str | None:
    if call.kind == "custom":
        return call.arguments
    try:
        arguments: Any = _decode(call.arguments)
    except (msgspec.DecodeError, UnicodeError):
        return None
    if not isinstance(arguments, dict):
        return None
    given = cast("dict[str, Any]", arguments)
    value = next((given[key] for key in _COMMANDS if isinstance(given.get(key), (str, list))), None)
    return " ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else value
