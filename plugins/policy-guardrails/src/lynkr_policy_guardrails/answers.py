"""Answers on their way to the caller: what the rules say of them, then masks back to values. Whole, and as they come in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Literal

from msgspec import structs

from lynkr_core.events import Delta, Event, PartEnd, PartStart
from lynkr_core.request import Choice, Part, Reasoning, Response, Text, ToolCall
from lynkr_policy_guardrails.acting import Action
from lynkr_policy_guardrails.engine import Pattern
from lynkr_policy_guardrails.looking import Look, escaped
from lynkr_policy_guardrails.masking import BEGUN, LONGEST, MASK
from lynkr_policy_guardrails.scanning import Exhausted, Finding, Scanner

BEHIND = 80
"""Bytes already sent that are looked at again, for the words before a value."""
MOST = 16 * 1024
"""Bytes of one part that are held back; then they leave as they are."""
CHUNK = 64 * 1024
"""Bytes that are gathered where rules only warn."""
OVER = 1024
Restore = Callable[[bytes], bytes | None]


class Reader:
    """What is done with the answers of one exchange. `opening`: how the end of a text looks where a value may have begun."""

    def __init__(self, look: Look, scanner: Scanner | None, opening: Pattern | None, earlier: Restore) -> None:
        self.look = look
        self.scanner = scanner
        self.opening = opening
        self.earlier = earlier

    def whole(self, response: Response) -> Response:
        """Raises `GatewayError` for what is not to be said."""
        choices = tuple([self._choice(choice) for choice in response.choices])
        same = all(new is old for new, old in zip(choices, response.choices, strict=True))
        return response if same else response.edit(choices=choices)

    def _choice(self, choice: Choice) -> Choice:
        parts = tuple([self._part(part) for part in choice.parts])
        return choice if all(new is old for new, old in zip(parts, choice.parts, strict=True)) else choice.edit(parts=parts)

    def _part(self, part: Part) -> Part:
        match part:
            case Text(text=text) | Reasoning(text=text):
                after = self.text(text, Flow(self, part))
                return part if after == text else part.edit(text=after)
            case ToolCall(arguments=arguments):
                after = self.text(arguments, Flow(self, part))
                return part if after == arguments else part.edit(arguments=after)
            case _:
                return part

    def text(self, text: str, flow: Flow) -> str:
        return flow.feed(text) + flow.end()

    def stream(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
        """The same events, their texts held back as far as they may have to be changed."""
        return _changed(self, events)


async def _changed(reader: Reader, events: AsyncIterator[Event]) -> AsyncGenerator[Event]:
    open_: dict[int, Flow] = {}
    async for event in events:
        if isinstance(event, Delta):
            flow = open_.get(event.choice)
            if flow is None or event.field != flow.field:
                yield event
            elif said := flow.feed(event.value):
                yield event if said == event.value else structs.replace(event, value=said)
            continue
        if isinstance(event, PartStart) and isinstance(event.part, Text | ToolCall | Reasoning):
            open_[event.choice] = Flow(reader, event.part)
        elif isinstance(event, PartEnd) and (flow := open_.pop(event.choice, None)) is not None and (rest := flow.end()):
            yield Delta(event.index, rest, flow.field, event.choice)
        yield event


class Flow:
    """One part of an answer, as it comes. Of reasoning nothing is changed: its signature would no longer be true."""

    __slots__ = ("_before", "_changes", "_held", "_is_json", "_reader", "_said", "_size", "field")

    def __init__(self, reader: Reader, part: Part) -> None:
        self.field: Literal["text", "arguments"] = "arguments" if isinstance(part, ToolCall) else "text"
        self._reader = reader
        self._changes = not isinstance(part, Reasoning)
        self._is_json = isinstance(part, ToolCall) and part.kind == "function"
        self._before = self._held = b""
        self._said: list[bytes] = []
        self._size = 0

    def feed(self, value: str) -> str:
        """What may leave now. Raises `GatewayError`."""
        return self._pass(value.encode("utf-8", "surrogatepass"), last=False).decode("utf-8", "surrogatepass")

    def end(self) -> str:
        """What was held back."""
        said = self._pass(b"", last=True).decode("utf-8", "surrogatepass")
        self._warn()
        return said

    def _pass(self, data: bytes, last: bool) -> bytes:
        self._note(data)
        if not self._changes and self._reader.opening is None:
            return data
        text = self._before + self._held + data
        begin = len(self._before)
        upto = len(text) if last else max(begin, self._safe(text, begin))
        found: list[Finding] = []
        if self._reader.opening is not None:
            found = self._found(text)
            upto = max(begin, uncut(text, upto, found))
        made = self._made(text, begin, upto, found)
        self._before, self._held = text[max(0, upto - BEHIND) : upto], text[upto:]
        return made

    def _safe(self, text: bytes, begin: int) -> int:
        """How far nothing has begun that may have to be changed when it goes on."""
        if len(text) - begin > MOST:
            return len(text)
        place = len(text)
        if self._reader.opening is not None and (hit := self._reader.opening.search(text)) is not None:
            place = hit.start()
        tail = text[-LONGEST:]
        if self._changes and (hit := BEGUN.search(tail)) is not None:
            place = min(place, len(text) - len(tail) + hit.start())
        while place > begin and place < len(text) and text[place] & 0xC0 == 0x80:
            place -= 1
        return place

    def _found(self, text: bytes) -> list[Finding]:
        scanner, look = self._reader.scanner, self._reader.look
        assert scanner is not None
        try:
            return scanner.find(text, look.answering)
        except Exhausted:
            look.act("too_much", "block", "answers")
            assert look.refusal is not None
            raise look.refusal from None

    def _made(self, text: bytes, begin: int, upto: int, found: list[Finding]) -> bytes:
        pieces: list[bytes] = []
        place = begin
        for one, action in self._acted(found, begin, upto):
            if action == "mask" and self._changes:
                pieces += (
                    self._restored(text[place : max(place, one.start)]),
                    self._reader.look.values.name(one.rule, text[one.start : one.end]),
                )
                place = one.end
        pieces.append(self._restored(text[place:upto]))
        return b"".join(pieces)

    def _acted(self, found: list[Finding], begin: int, upto: int) -> Iterator[tuple[Finding, Action]]:
        look = self._reader.look
        for one in found:
            if begin < one.end <= upto:
                action = look.means.actions["answers"][one.rule]
                if action in ("mask", "block"):
                    look.act(one.rule, action, "answers")
                    yield one, action
                if action == "block":
                    assert look.refusal is not None
                    raise look.refusal

    def _restored(self, text: bytes) -> bytes:
        if not self._changes or len(text) < len("MASKED_"):
            return text
        reader = self._reader
        return reader.look.values.restored(text, escaped if self._is_json else bytes, reader.earlier)

    def _note(self, data: bytes) -> None:
        """Keeps what rules that only warn will look at."""
        if self._reader.look.means.scanners["warned"] is not None:
            self._said.append(data)
            self._size += len(data)
            if self._size > CHUNK:
                self._warn(OVER)

    def _warn(self, kept: int = 0) -> None:
        """Looks at what was gathered; its last bytes, where a value may not have ended, are looked at again."""
        look = self._reader.look
        scanner = look.means.scanners["warned"]
        if scanner is None or not self._size:
            return
        text = b"".join(self._said)
        upto = len(text) - kept
        try:
            for one in scanner.find(text, look.answering):
                if one.end <= upto or not kept:
                    look.act(one.rule, "warn", "answers")
                else:
                    upto = min(upto, one.start)
        except Exhausted:
            look.act("too_much", "warn", "answers")
        self._said, self._size = [text[upto:]], len(text) - upto


def uncut(text: bytes, upto: int, found: list[Finding]) -> int:
    """The last place up to there that is inside neither of a finding nor of a mask, which could not be put back in two pieces."""
    while upto < len(text):
        near = max(0, upto - LONGEST)
        whole = [(near + hit.start(), near + hit.end()) for hit in MASK.finditer(text[near : upto + LONGEST])]
        cut = [start for start, end in [*whole, *[(one.start, one.end) for one in found]] if start < upto < end]
        if not cut:
            break
        upto = min(cut)
    return upto
