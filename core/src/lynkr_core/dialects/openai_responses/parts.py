"""The part of a streamed answer that is open, and the events that tell of it."""

from __future__ import annotations

from typing import Literal

from lynkr_core.events import Delta, Event, PartEnd, PartStart, empty
from lynkr_core.request import Part, Reasoning, Text, ToolCall

Field = Literal["text", "arguments"]


class Parts:
    """Opens and closes parts, one at a time. `told` counts those of the current item, `sent` the characters of the open one."""

    __slots__ = ("called", "count", "open_part", "out", "sent", "told")

    def __init__(self) -> None:
        self.out: list[Event] = []
        self.open_part: Part | None = None
        self.called = False
        self.count = self.told = self.sent = 0

    def open(self, part: Part) -> None:
        self.close()
        self.called = self.called or isinstance(part, ToolCall)
        self.open_part, self.sent = part, 0
        self.told += 1
        self.out.append(PartStart(self.count, part))

    def close(self) -> None:
        if self.open_part is not None:
            self.open_part = None
            self.out.append(PartEnd(self.count))
            self.count += 1

    def delta(self, text: str, field: Field = "text") -> None:
        self.sent += len(text)
        self.out.append(Delta(self.count, text, field))

    def missing(self, whole: str, field: Field) -> None:
        """What of the whole text was not sent yet."""
        if len(whole) > self.sent:
            self.delta(whole[self.sent :], field)

    def tell(self, part: Part) -> None:
        """A whole part at once."""
        if isinstance(part, (Text, ToolCall, Reasoning)):
            self.open(empty(part))
            self.rest(part)
        else:
            self.open(part)
            self.close()

    def rest(self, part: Part) -> None:
        """What is missing of the open part, then its end."""
        match part:
            case Text():
                self.missing(part.text, "text")
            case ToolCall():
                self.missing(part.arguments, "arguments")
            case Reasoning():
                self._rest_of_reasoning(part)
            case _:
                pass
        self.close()

    def _rest_of_reasoning(self, part: Reasoning) -> None:
        if not self.sent:
            self.missing(part.text, "text")
        if part.encrypted is not None:
            self.out.append(Delta(self.count, part.encrypted, "encrypted"))
        if part.signature is not None:
            self.out.append(Delta(self.count, part.signature, "signature"))
