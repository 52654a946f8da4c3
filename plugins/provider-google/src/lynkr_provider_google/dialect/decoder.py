"""Reads a stream of chunks as events. A stream has no terminator: it is whole when every candidate has its finish reason."""

from __future__ import annotations

from msgspec import structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.fold import deltas, unfold
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.events import Delta, End, Event, Failure, Finish, Logprobs, PartEnd, PartStart, Start, UsageEvent, empty
from lynkr_core.request import Part, Reasoning, Text, ToolCall
from lynkr_core.sse import MAX_EVENT, Reader, ServerSentEvent
from lynkr_provider_google.dialect import usage as counts
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.errors import read_error
from lynkr_provider_google.dialect.logprobs import read_logprobs
from lynkr_provider_google.dialect.parts import Calls, read_part
from lynkr_provider_google.dialect.response import blocked, created, failure, finish_reason, new_id, read_response
from lynkr_provider_google.dialect.wire import Answer, Candidate

_TEXT, _THINKING = Text(text=""), Reasoning()


class ChoiceStream:
    """One candidate. `open` is the type of the part that is open, None for none."""

    __slots__ = ("called", "calls", "finish", "index", "number", "open")

    def __init__(self, number: int, id: str) -> None:
        self.number = number
        self.calls = Calls(f"{id}/{number}", answer=True)
        self.open: type[Part] | None = None
        self.index = -1
        self.called = False
        self.finish: str | None = None

    def add(self, part: Part, events: list[Event]) -> None:
        if isinstance(part, Text):
            if part.text:
                self._write(_TEXT, part.text, events)
        elif isinstance(part, Reasoning):
            self._think(part, events)
        else:
            self.called = self.called or isinstance(part, ToolCall)
            self._whole(part, events)

    def _write(self, opening: Part, text: str, events: list[Event]) -> None:
        """A piece of text; opens a part of its kind when another is open."""
        if self.open is not type(opening):
            self._start(opening, events)
            self.open = type(opening)
        events.append(Delta(self.index, text, "text", self.number))

    def _think(self, part: Reasoning, events: list[Event]) -> None:
        """A signature ends the thinking that it signs; one that came with something else is a part by itself."""
        if part.text:
            self._write(_THINKING, part.text, events)
        secrets = deltas(structs.replace(part, text=""), 0)
        if not secrets:
            return
        if not part.text:
            self._start(_THINKING, events)
            self.open = Reasoning
        events += [structs.replace(secret, index=self.index, choice=self.number) for secret in secrets]
        self.close(events)

    def _whole(self, part: Part, events: list[Event]) -> None:
        """A part that comes all at once."""
        self._start(empty(part), events)
        events += deltas(part, self.index, self.number)
        events.append(PartEnd(self.index, self.number))

    def _start(self, opening: Part, events: list[Event]) -> None:
        self.close(events)
        self.index += 1
        events.append(PartStart(self.index, opening, self.number))

    def close(self, events: list[Event]) -> None:
        if self.open is not None:
            self.open = None
            events.append(PartEnd(self.index, self.number))


class Decoder:
    """See `StreamDecoder`. `Finish` is held back to the end of the body, as more may come after a finish reason."""

    __slots__ = ("_body", "_choices", "_count", "_ended", "_first", "_id", "_plain", "_queries", "_reader", "_started")

    def __init__(self) -> None:
        self._reader = Reader()
        self._choices: dict[int, ChoiceStream] = {}
        self._id = ""
        self._count: wire.Count | None = None
        self._queries = 0
        self._started = self._ended = self._plain = False
        self._first = True
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            if self._first and self._is_plain(data):
                return events
            for event in self._reader.feed(data):
                self._read(event, events)
        except UpstreamError as error:
            self._fail(error, events)
        return events

    def close(self) -> list[Event]:
        events: list[Event] = []
        if self._ended:
            return events
        try:
            if self._plain:
                self._ended = True
                return unfold(read_response(self._body))
            for event in self._reader.close():
                self._read(event, events)
            self._end(events)
        except UpstreamError as error:
            self._ended = False
            self._fail(error, events)
        return events

    def _is_plain(self, data: bytes) -> bool:
        """Errors may come as plain JSON, in a list too, when a stream was asked for."""
        if not self._plain:
            start = data.lstrip()
            if not start:
                return False
            self._plain = start[:1] in b"{["
            self._first = self._plain
        if self._plain:
            self._body += data
            if len(self._body) > MAX_EVENT:
                raise UpstreamError("server", f"the answer is over {MAX_EVENT} bytes and no stream")
        return self._plain

    def _read(self, event: ServerSentEvent, events: list[Event]) -> None:
        if self._ended or not event.data.strip():
            return
        try:
            answer = wire.answers.decode(event.data)
            if wire.given(answer.error) is not None:
                raise read_error(None, {}, event.data)
            self._answer(answer, events)
        except (*UNREADABLE, InvalidRequest) as error:
            raise UpstreamError("server", f"a chunk of the stream is not one of Gemini's: {error}") from None

    def _answer(self, answer: Answer, events: list[Event]) -> None:
        if answer.usage_metadata is not None:
            self._count = answer.usage_metadata
        if not self._started:
            self._start(answer, events)
        for candidate in answer.candidates or ():
            self._queries = max(self._queries, counts.searches(candidate.grounding_metadata))
            self._candidate(candidate, events)
        refusal = None if answer.candidates or self._choices else blocked(answer.prompt_feedback)
        if refusal is not None:
            self._refuse(refusal, events)

    def _start(self, answer: Answer, events: list[Event]) -> None:
        self._started = True
        self._id = answer.response_id or new_id()
        usage = None if self._count is None else counts.read(self._count)
        model = answer.model_version or ""
        events.append(Start(id=self._id, model=model, created=created(answer.create_time), usage=usage))

    def _refuse(self, reason: str, events: list[Event]) -> None:
        """A blocked prompt: an answer that refuses."""
        stream = self._choices[0] = ChoiceStream(0, self._id)
        stream.index, stream.finish = 0, "SAFETY"
        events += [PartStart(0, Text(text="", refusal=True)), Delta(0, reason), PartEnd(0)]

    def _candidate(self, candidate: Candidate, events: list[Event]) -> None:
        number = candidate.index or 0
        stream = self._choices.get(number)
        if stream is None:
            stream = self._choices[number] = ChoiceStream(number, self._id)
        content = candidate.content
        for raw in (content.parts if content else None) or ():
            for part in read_part(raw, "parts", stream.calls):
                stream.add(part, events)
        if candidate.logprobs_result is not wire.NOTHING:
            logprobs = read_logprobs(wire.given(candidate.logprobs_result))
            if logprobs is not None:
                events.append(Logprobs(logprobs, number))
        if candidate.finish_reason:
            stream.finish = candidate.finish_reason
            if len(self._choices) == 1 and finish_reason(stream.finish, False) == "error":
                raise failure(candidate)

    def _end(self, events: list[Event]) -> None:
        """The end of the body. Raises `UpstreamError` when it came before the answer's."""
        choices = self._choices.values()
        if not choices or self._reader.half.strip() or any(choice.finish is None for choice in choices):
            raise UpstreamError("cut", "the stream ended before the answer did")
        for choice in choices:
            choice.close(events)
        events += [Finish(finish_reason(choice.finish, choice.called), None, choice.number) for choice in choices]
        if self._count is not None:
            events.append(UsageEvent(counts.read(self._count, self._queries)))
        events.append(End())
        self._ended = True

    def _fail(self, error: UpstreamError, events: list[Event]) -> None:
        if self._ended:
            return
        if self._started and self._count is not None:
            events.append(UsageEvent(counts.read(self._count, self._queries)))  # what was used so far is used
        events.append(Failure(error))
        self._ended = True
