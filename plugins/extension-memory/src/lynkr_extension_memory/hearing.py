"""Hears an answer, so far as it is short enough to be looked at."""

from __future__ import annotations

from lynkr_core.events import Delta, Event, PartStart, Start
from lynkr_core.request import Response, Text

MOST = 16_000
"""Characters of an answer that are kept for a moment."""


class Heard:
    """To be given to `exchange.observe`."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._said = 0
        self._in_text = False

    def __call__(self, said: Event | Response) -> None:
        if isinstance(said, Delta):
            if self._in_text and said.choice == 0 and said.field == "text" and self._said < MOST:
                self._pieces.append(said.value)
                self._said += len(said.value)
        elif isinstance(said, PartStart):
            self._in_text = isinstance(said.part, Text)
        elif isinstance(said, Response):
            self._pieces = [part.text for choice in said.choices[:1] for part in choice.parts if isinstance(part, Text)]
        elif isinstance(said, Start):
            self._pieces, self._said = [], 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)[:MOST]
