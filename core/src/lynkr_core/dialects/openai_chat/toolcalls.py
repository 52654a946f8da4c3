"""The tool calls of one streamed answer, put one after the other.

Pieces of calls arrive by index and may be mixed. Events may not: one call is open at a time. The open call streams through; pieces of
later ones wait until it is certain that the open one is complete, that is, its arguments are a whole JSON object, or the answer
has ended.
"""

from __future__ import annotations

import msgspec

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_chat.content import json_text
from lynkr_core.dialects.openai_chat.response import new_call_id
from lynkr_core.dialects.openai_chat.wire import Call
from lynkr_core.errors import UpstreamError
from lynkr_core.request import ToolCall

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Pending:
    """A call as far as it is known. `part` is its place among the parts once it has opened."""

    __slots__ = ("arguments", "closed", "custom", "id", "index", "name", "part", "sent", "signature")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.custom = False
        self.signature: str | None = None
        self.arguments: list[str] = []
        self.sent = 0
        self.part = -1
        self.closed = False

    @property
    def complete(self) -> bool:
        """Can no argument follow? Never certain of free text."""
        if self.custom or not self.arguments:
            return False
        try:
            _decode("".join(self.arguments))
        except UNREADABLE:
            return False
        return True

    def add(self, call: Call) -> None:
        """Takes in a piece. Raises `UpstreamError` for arguments of a call that has been closed."""
        called = call.custom or call.function
        text = ""
        if called is not None:
            self.custom = self.custom or call.custom is not None
            self.name = self.name or called.name or ""
            text = called.input or json_text(called.arguments) or ""
        self.id = self.id or call.id or ""
        self.signature = self.signature or call.signature
        if text and self.closed and text.strip():
            raise UpstreamError("server", f"arguments of the tool call {self.name!r} came after its end")
        if text and not self.closed:
            self.arguments.append(text)

    def opening(self) -> ToolCall:
        self.id = self.id or new_call_id()
        kind = "custom" if self.custom else "function"
        return ToolCall(id=self.id, name=self.name, arguments="", kind=kind, signature=self.signature)

    def unsent(self) -> str:
        """Arguments that were not yet given out."""
        new = self.arguments[self.sent :]
        self.sent = len(self.arguments)
        return new[0] if len(new) == 1 else "".join(new)


class ToolCalls:
    """All calls of one choice, in the order in which they appeared."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[Pending] = []

    def add(self, call: Call) -> None:
        self.place(call).add(call)

    def place(self, call: Call) -> Pending:
        """The call that a piece belongs to: by index, but a new id with a name, or a new name, begins another one.

        Ollama and Google's layer send several calls with one index or none.
        """
        known = self.latest(call.index)
        if known is None or begins(call, known):
            known = Pending(len(self.calls) if call.index is None else call.index)
            self.calls.append(known)
        return known

    def latest(self, index: int | None) -> Pending | None:
        """The last call with this index; of all when there is none."""
        for known in reversed(self.calls):
            if index is None or known.index == index:
                return known
        return None

    def waiting(self) -> list[Pending]:
        """The calls that are not closed, the open one first."""
        return [call for call in self.calls if not call.closed]


def begins(call: Call, known: Pending) -> bool:
    """Is this piece the first of another call with the same index?"""
    called = call.custom or call.function
    name = called.name if called else None
    if not name or not known.name:
        return False
    if call.id and known.id:
        return call.id != known.id
    return name != known.name or known.complete
