"""How the caller calls its tools: what a translated request had to rename or wrap is put back into the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.names import safe_name
from lynkr_core.request import Part, Tool, ToolCall

_object = msgspec.json.Decoder(dict[str, Any])


class Calls:
    """Of one request. `names`: the caller's name by the one that was sent; `custom`: tools that take free text."""

    __slots__ = ("custom", "names")

    def __init__(self, tools: Iterable[Tool]) -> None:
        self.names = {sent: tool.name for tool in tools if (sent := safe_name(tool.name)) != tool.name}
        self.custom = frozenset([tool.name for tool in tools if tool.kind == "custom"])

    def opened(self, call: ToolCall) -> ToolCall:
        """By the caller's name, and as the kind of tool that it has. The arguments stay as they are."""
        name = self.names.get(call.name, call.name)
        kind = "custom" if name in self.custom else call.kind
        if name == call.name and kind == call.kind:
            return call
        return msgspec.structs.replace(call, name=name, kind=kind)

    def whole(self, call: ToolCall) -> ToolCall:
        """The same of a call that is complete: free text is taken out of the object around it."""
        opened = self.opened(call)
        if opened.kind == call.kind:
            return opened
        return msgspec.structs.replace(opened, arguments=free_text(call.arguments))

    def answer(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """The parts of a whole answer."""
        return tuple([self.whole(part) if isinstance(part, ToolCall) else part for part in parts])


def free_text(arguments: str) -> str:
    """What a provider without free-text tools put into an object with the one key `input`."""
    try:
        text = _object.decode(arguments).get("input")
    except UNREADABLE:
        return arguments
    return text if isinstance(text, str) else arguments
