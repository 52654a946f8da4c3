"""Writes events as a stream of chunks for a caller."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from lynkr_core.dialects.fold import filled
from lynkr_core.errors import AllFailed
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Part, Reasoning, Text, Usage
from lynkr_core.sse import event as sse
from lynkr_core.tokens import CHARACTERS_PER_TOKEN
from lynkr_provider_google.dialect import usage as counts
from lynkr_provider_google.dialect.errors import write_error
from lynkr_provider_google.dialect.logprobs import write_logprobs
from lynkr_provider_google.dialect.parts import is_secret
from lynkr_provider_google.dialect.render import fragment, signed
from lynkr_provider_google.dialect.response import finish_word
from lynkr_provider_google.dialect.signatures import seal
from lynkr_provider_google.dialect.wire import Wire, encode


class ChoiceWriter:
    """One candidate. Text is written as it comes; a call, whose arguments only make sense whole, when it ends."""

    __slots__ = ("finish", "number", "part", "pieces", "thinks")

    def __init__(self, number: int) -> None:
        self.number = number
        self.part: Part | None = None
        self.pieces: dict[str, list[str]] = {}
        self.thinks = False
        self.finish: Finish | None = None

    def open(self, part: Part) -> None:
        self.part, self.pieces = part, {}
        self.thinks = isinstance(part, Reasoning)

    def end(self) -> Wire | None:
        """The part that is still to be written, if there is one."""
        part, self.part = self.part, None
        if part is None:
            return None
        if not isinstance(part, Text | Reasoning):
            return fragment(filled(part, self.pieces))
        secrets = {name: values for name, values in self.pieces.items() if name in ("signature", "encrypted")}
        whole = filled(part, secrets)
        signature = seal(whole) if isinstance(whole, Reasoning) else None
        if not signature:
            return None
        came_alone = is_secret(whole) and "text" not in self.pieces
        return {"text": ""} | ({} if came_alone else {"thought": True}) | signed(signature)


class Encoder:
    """See `StreamEncoder`. Finish reasons and usage stand together in the last chunk."""

    __slots__ = ("_characters", "_choices", "_done", "_head", "_tail", "_usage")

    def __init__(self, model: str, input_tokens: int) -> None:
        self._choices: dict[int, ChoiceWriter] = {}
        self._usage = Usage(input_tokens=input_tokens, estimated=True)
        self._characters = 0
        self._done = False
        self._head = b'data: {"candidates":[{"content":{"parts":['
        self._tail = b',"modelVersion":%b}\n\n' % encode(model)

    def encode(self, event: Event) -> bytes:
        """The bytes of this event. After a failure or the end there are none."""
        if self._done:
            return b""
        match event:
            case Delta():
                return self._delta(event)
            case PartStart():
                self._of(event.choice).open(event.part)
                return b""
            case PartEnd():
                return self._part_end(event)
            case Logprobs():
                return self._candidate(write_logprobs(event.value) | {"index": event.choice})
            case _:
                return self._frame(event)

    def _frame(self, event: Event) -> bytes:
        match event:
            case Start():
                self._start(event)
            case UsageEvent():
                self._usage = event.usage
            case Finish():
                self._of(event.choice).finish = event
            case End():
                return self._end()
            case Failure():
                self._done = True
                return sse(write_error(AllFailed(event.error, ())))
            case _:
                pass
        return b""

    def _of(self, number: int) -> ChoiceWriter:
        if number not in self._choices:
            self._choices[number] = ChoiceWriter(number)
        return self._choices[number]

    def _start(self, event: Start) -> None:
        if event.usage is not None:
            self._usage = event.usage
        self._tail = b',"modelVersion":%b,"responseId":%b}\n\n' % (encode(event.model), encode(event.id))

    def _delta(self, event: Delta) -> bytes:
        choice = self._of(event.choice)
        self._characters += len(event.value)
        if event.field != "text" or not isinstance(choice.part, Text | Reasoning):
            choice.pieces.setdefault(event.field, []).append(event.value)
            return b""
        if not event.value:
            return b""
        if choice.thinks:
            choice.pieces["text"] = []
        thought = b',"thought":true' if choice.thinks else b""
        return self._piece(b'{"text":%b%b}' % (encode(event.value), thought), event.choice)

    def _piece(self, part: bytes, number: int) -> bytes:
        return b'%b%b],"role":"model"},"index":%d}]%b' % (self._head, part, number, self._tail)

    def _part_end(self, event: PartEnd) -> bytes:
        part = self._of(event.choice).end()
        if part is None:
            return b""
        return self._piece(encode(part).replace(b"\r", b" ").replace(b"\n", b" "), event.choice)  # arguments may have line ends

    def _candidate(self, candidate: Wire) -> bytes:
        return b'data: {"candidates":[%b]%b' % (encode(candidate), self._tail)

    def _end(self) -> bytes:
        self._done = True
        usage = self._usage
        if usage.estimated and not usage.output_tokens:
            usage = structs.replace(usage, output_tokens=max(round(self._characters / CHARACTERS_PER_TOKEN), 1))
        last: list[Any] = [
            {
                "content": {"parts": [{"text": ""}], "role": "model"},
                "finishReason": finish_word(choice.finish.reason),
                "index": number,
            }
            for number, choice in sorted(self._choices.items())
            if choice.finish is not None
        ]
        counted = encode(counts.write(usage))
        return b'data: {"candidates":%b,"usageMetadata":%b%b' % (encode(last), counted, self._tail)
