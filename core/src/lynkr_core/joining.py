"""One stream for the caller, made of those of several rounds; see `inner.py`. What lynkr answers itself is not shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Raw, structs

from lynkr_core.dialect import StreamDecoder, StreamEncoder
from lynkr_core.events import Delta, End, Event, Finish, PartEnd, PartStart, Start, UsageEvent, empty
from lynkr_core.exchange import Candidate
from lynkr_core.inner import Inner, Said
from lynkr_core.relay import Observer, Translated
from lynkr_core.request import Part, Request, ToolCall
from lynkr_core.upstream import UpstreamResponse


class Joined(Translated):
    """One round's stream. Its parts go on counting where those of the round `before` stopped; only the last round has an end."""

    __slots__ = ("_before", "_finish", "_inner", "_open", "_places", "_seen", "index", "said")

    def __init__(
        self, response: UpstreamResponse, decoder: StreamDecoder, encoder: StreamEncoder, observer: Observer | None, inner: Inner,
        before: Joined | None = None,
    ) -> None:  # fmt: skip
        super().__init__(response, decoder, encoder, None)
        self._seen = observer
        self._inner = inner
        self._before = before is not None
        self._finish: Finish | None = None
        self._places: dict[int, int] = {}
        self._open: dict[int, tuple[Part, dict[str, list[str]]]] = {}
        self.index = before.index if before else 0
        self.said = Said(inner)

    def rest(self, request: Request, candidate: Candidate) -> Request | None:
        """What the next round begins from: the caller's own request."""
        return None

    def after(self, response: UpstreamResponse, decoder: StreamDecoder, observer: Observer | None) -> Joined:
        """The stream of the next round."""
        return Joined(response, decoder, self._encoder, observer, self._inner, self)

    def _encode(self, events: Iterable[Event]) -> bytes:
        if self.failure is not None and not self.committed:
            return b""
        out: list[bytes] = []
        for event in events:
            for shown in self._shown(event):
                if self._seen is not None:
                    self._seen(shown)
                out.append(self._encoder.encode(shown))
        return b"".join(out)

    def _shown(self, event: Event) -> Iterator[Event]:
        match event:
            case Start():
                yield from () if self._before else (event,)
            case PartStart(index=index, part=part):
                self._open[index] = part, {}
                if not (isinstance(part, ToolCall) and part.name in self._inner.tools):
                    yield self._opened(index, part)
            case Delta(index=index):
                self._open[index][1].setdefault(event.field, []).append(event.value)
                if index in self._places:
                    yield structs.replace(event, index=self._places[index])
            case PartEnd(index=index):
                yield from self._closed(index)
            case Finish():
                self.said.finish = event.reason
                self._finish = event
            case UsageEvent():
                pass  # told at the end, for all rounds
            case End():
                yield from self._ended()
            case _:
                yield event

    def _opened(self, index: int, part: Part) -> PartStart:
        self._places[index] = self.index
        self.index += 1
        return PartStart(self._places[index], part)

    def _closed(self, index: int) -> Iterator[Event]:
        part = filled(*self._open.pop(index))
        shown = self.said.add(part)
        if index not in self._places and isinstance(shown, ToolCall):
            yield self._opened(index, empty(shown))
            yield Delta(self._places[index], shown.arguments, "arguments")
        if index in self._places:
            yield PartEnd(self._places[index])

    def _ended(self) -> Iterator[Event]:
        if self.said.goes_on:
            return
        finish = Finish(self.said.finish) if self._finish is None else self._finish
        yield structs.replace(finish, reason=self.said.reason)
        usage = self._inner.usage(self.usage)
        if usage is not None:
            yield UsageEvent(usage)
        yield End()


def filled(part: Part, pieces: dict[str, list[str]]) -> Part:
    """An opened part with its deltas in it."""
    changes: dict[str, Any] = {}
    for name, values in pieces.items():
        text = (getattr(part, name, None) or "") + "".join(values) if name != "annotations" else ""
        changes[name] = text if name != "annotations" else Raw(values[-1].encode())
    if isinstance(part, ToolCall) and part.kind == "function":
        changes["arguments"] = changes.get("arguments") or part.arguments or "{}"
    return structs.replace(part, **changes) if changes else part
