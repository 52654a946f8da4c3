"""The way back: the results of a request as they were, but for what no terminal shows."""

from __future__ import annotations

from collections.abc import Sequence

from lynkr_compressor_tool_results import folding, gutters
from lynkr_compressor_tool_results.conversation import AGAIN, SAME, SIGN, Conversation, Count
from lynkr_compressor_tool_results.gutters import Head
from lynkr_core.request import Message, Part, Request, Text, ToolCall, ToolCallResponse


def expand(request: Request, count: Count) -> Request:
    """A request whose results were told by a `Conversation` with the same `count`, with their texts in full."""
    expander = Expander(count)
    return request.edit(messages=tuple([expander.message(message) for message in request.messages]))


class Expander:
    """Reads a conversation's calls and results in their order."""

    def __init__(self, count: Count) -> None:
        self.conversation = Conversation(count)

    def message(self, message: Message) -> Message:
        return message.edit(parts=tuple([self._part(part) for part in message.parts]))

    def _part(self, part: Part) -> Part:
        if isinstance(part, ToolCall):
            self.conversation.called(part)
        if not isinstance(part, ToolCallResponse):
            return part
        content = [one.edit(text=self.text(part.id, one.text)) if isinstance(one, Text) else one for one in part.content]
        return part.edit(content=tuple(content))

    def text(self, id: str, told: str) -> str:
        """The next result in full. What has a mark of its own was left alone, so it is what it is."""
        conversation = self.conversation
        full = Reading(conversation).full(told) if SIGN in told else None
        if full is not None:
            before = conversation.state
            if conversation.answered(id, full)[0] == told:
                return full
            conversation.back(before)
        conversation.answered(id, told)
        return told


class Reading:
    """One result on its way back."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.bare: list[str] = []  # its lines so far, without numbers

    def full(self, told: str) -> str | None:
        """None for what was never told so."""
        reminders = list(self.conversation.reminders)
        try:
            text = "\n".join(self._lines(told.split("\n")))
            return AGAIN.sub(lambda match: reminders[int(match[1]) - 1], text)
        except (IndexError, ValueError, TypeError):
            return None

    def _lines(self, told: Sequence[str]) -> list[str]:
        made: list[str] = []
        at = 0
        while at < len(told):
            head = gutters.parse(told[at])
            if head is None:
                end = next((i for i in range(at, len(told)) if gutters.parse(told[i])), len(told))
                made += self._plain(told[at:end])
            else:
                end = self._block(told, at + 1, head, made)
            at = end
        return made

    def _plain(self, told: Sequence[str]) -> list[str]:
        start, literal = len(self.bare), list[str]()
        for line in told:
            if SAME.fullmatch(line) is None:
                literal.append(line)
                continue
            self.bare += folding.unfold(literal)
            self.bare += self._named(line)
            literal = []
        self.bare += folding.unfold(literal)
        return self.bare[start:]

    def _block(self, told: Sequence[str], at: int, head: Head, made: list[str]) -> int:
        """Adds the block's lines; gives the place after them."""
        number, due = head.first, True
        while number <= head.last:
            line = told[at]
            named = SAME.fullmatch(line) is not None
            if not named and (due or number % gutters.STEP == 0):
                line = line[len(f"{number}{head.mark}") :]
            due = named
            for text in self._named(line) if named else [line]:
                self.bare.append(text)
                made.append(f"{number:>{head.width}}{head.mark}{text}")
                number += 1
            at += 1
        return at

    def _named(self, line: str) -> list[str]:
        match = SAME.fullmatch(line)
        assert match is not None
        count, source, start = int(match[1]), int(match[2]), int(match[3])
        lines = self.bare if source == len(self.conversation.sources) else self.conversation.sources[source]
        return [line for line in lines[start : start + count] if line is not None]
