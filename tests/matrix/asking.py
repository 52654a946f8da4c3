"""Asking through the gateway, for the tests of the checklist."""

from __future__ import annotations

from typing import Any

import msgspec

from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Answer, Client
from lynkr_core.testing.scripted import ScriptedProvider

from .cells import COLUMNS, FRONTS
from .front import Heard

Gateways = dict[str, tuple[ScriptedProvider, Client]]
CHAT, MESSAGES, RESPONSES = DIALECTS = ("openai.chat", "anthropic.messages", "openai.responses")
FRONT = {front.name: front for front in FRONTS}
COLUMN = {column.name: column for column in COLUMNS}
CROSSED = [(front, back) for front in DIALECTS for back in DIALECTS if front != back]
"""Every front before a provider of another API."""


class Asked:
    """What the provider got and what the caller got."""

    def __init__(self, front: str, stream: bool, sent: Any, answer: Answer) -> None:
        self.front = FRONT[front]
        self.stream = stream
        self.sent = sent
        self.answer = answer

    @property
    def told(self) -> str:
        return self.answer.headers.get("x-lynkr-losses", "")

    def heard(self) -> Heard:
        assert self.answer.status == 200, self.answer.text
        return self.front.hear(self.answer.body, self.stream)

    def events(self) -> list[Any]:
        """The JSON of a stream's events."""
        return [msgspec.json.decode(event.data) for event in self.answer.events() if event.data != b"[DONE]"]


class Asking:
    """`ask(front, back, script, stream, **body)`; the body is the front's own."""

    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways

    async def __call__(self, front: str, back: str, script: Script | None = None, stream: bool = False, **body: Any) -> Asked:
        upstream, client = self.gateways[back]
        upstream.reset().always(script or COLUMN[back].answers["text"])
        whole = {"model": "up/m", **FRONT[front].base, **body, "stream": stream}
        if stream and front == CHAT:
            whole.setdefault("stream_options", {"include_usage": True})
        answer = await client.post(FRONT[front].path, json=whole)
        sent = upstream.last.json() if upstream.requests else None
        return Asked(front, stream, sent, answer)
