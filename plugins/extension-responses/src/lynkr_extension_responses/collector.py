"""Finds the finished response in what the caller is sent, so that it is kept under the very id that the caller knows."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import LynkrError
from lynkr_core.sse import Reader

log = logging.getLogger("lynkr.extension.responses")
TERMINAL = ("response.completed", "response.incomplete")
_MARKS = tuple([f'"{name}"'.encode() for name in TERMINAL])


class _Event(Struct):
    type: str = ""
    response: Raw = Raw(b"")


_event = msgspec.json.Decoder(_Event)


class Collector:
    """To be given to `Exchange.tap`. `keep` is called once with the response object, and never when the answer is cut or fails."""

    __slots__ = ("_done", "_keep", "_reader")

    def __init__(self, stream: bool, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._reader = Reader() if stream else None
        self._done = False

    def __call__(self, data: bytes) -> None:
        if self._done:
            return
        if self._reader is None:
            self._finish(data)
            return
        try:
            for event in self._reader.feed(data):
                if any(mark in event.data for mark in _MARKS):
                    self._look(event.data)
        except (*UNREADABLE, LynkrError) as error:
            self._done = True
            log.warning("a streamed response cannot be kept: %s", error)

    def _look(self, data: bytes) -> None:
        """Text may have the mark in it, so the event's own type decides."""
        event = _event.decode(data)
        if event.type in TERMINAL and event.response:
            self._finish(bytes(event.response))

    def _finish(self, response: bytes) -> None:
        self._done = True
        self._keep(response)
