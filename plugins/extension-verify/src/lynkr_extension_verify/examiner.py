"""Reads one attempt's answer as it comes, and refuses it when it is no good."""

from __future__ import annotations

import time
from collections.abc import Callable

from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Event, Finish, PartStart, Start, UsageEvent
from lynkr_core.request import FinishReason, Response, Text, ToolCall, Usage
from lynkr_extension_verify.checks import Answer

Judge = Callable[[Answer], UpstreamError | None]
"""Why an answer is refused."""


class Examiner:
    """For one attempt. A stream is held, and judged, until its end, or until it has `most` characters or is `seconds` old."""

    def __init__(self, judge: Judge, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.holding = most > 0
        self._judge = judge
        self._most = most
        self._clock = clock
        self._until = clock() + seconds
        self._begin()

    def _begin(self) -> None:
        self._texts: list[str] = []
        self._calls: list[tuple[ToolCall, list[str]]] = []
        self._said = 0
        self._refused = self._in_text = self._in_call = False
        self._finish: FinishReason | None = None
        self._usage: Usage | None = None

    def __call__(self, said: Event | Response) -> None:
        """Raises `UpstreamError` for an answer that is no good."""
        if isinstance(said, Response):
            self._refuse(whole(said))
        elif self.holding:
            self._take(said)
            if isinstance(said, End):
                self.holding = False
                self._refuse(self._answer(True))
            elif self._said > self._most or self._clock() > self._until:
                self.holding = False
                self._refuse(self._answer(False))

    def _refuse(self, answer: Answer) -> None:
        error = self._judge(answer)
        if error is not None:
            raise error

    def _take(self, event: Event) -> None:
        match event:
            case Start():
                self._begin()
            case PartStart(part=part, choice=0):
                self._in_text, self._in_call = isinstance(part, Text), isinstance(part, ToolCall)
                if isinstance(part, ToolCall):
                    self._calls.append((part, []))
                if isinstance(part, Text):
                    self._refused |= part.refusal
            case Delta(value=value, field=field, choice=0):
                self._said += len(value)
                if self._in_text and field == "text":
                    self._texts.append(value)
                elif self._in_call and field == "arguments":
                    self._calls[-1][1].append(value)
            case Finish(reason=reason, choice=0):
                self._finish = reason
            case UsageEvent(usage=usage):
                self._usage = usage
            case _:
                pass

    def _answer(self, ended: bool) -> Answer:
        """Of a stream that goes on, the last call may not be complete."""
        made = self._calls if ended or not self._in_call else self._calls[:-1]
        calls = tuple([call.edit(arguments="".join(pieces) or call.arguments) for call, pieces in made])
        output = self._usage.output_tokens if self._usage else None
        return Answer(
            text="".join(self._texts), calls=calls, refused=self._refused, finish=self._finish, whole=ended, output_tokens=output
        )


def whole(response: Response) -> Answer:
    """Of the first choice: nobody asks for several of a router."""
    choice = response.choices[0] if response.choices else None
    parts = choice.parts if choice else ()
    texts = [part for part in parts if isinstance(part, Text)]
    return Answer(
        text="\n".join([part.text for part in texts]),
        calls=tuple([part for part in parts if isinstance(part, ToolCall)]),
        refused=any(part.refusal for part in texts),
        finish=choice.finish_reason if choice else None,
        whole=True,
        output_tokens=response.usage.output_tokens if response.usage else None,
    )
