"""The columns of the table: who asks what, and which dialect the provider speaks."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.testing.canned import CANNED, TEXT, Script

ANY = 'use = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["{dialect}"]'
PROVIDERS = {
    "openai.chat": ANY,
    "openai.responses": ANY,
    "openai.embeddings": ANY,
    "anthropic.messages": ANY,
    "anthropic.count_tokens": 'use = "anthropic"\nbase_url = "{url}"',
    "gemini.embeddings": 'use = "google"\nbase_url = "{url}/v1beta"',
    "gemini.count_tokens": 'use = "google"\nbase_url = "{url}/v1beta"',
}
GOOD = {
    **CANNED,
    "gemini.embeddings": Script(body=b'{"embeddings":[{"values":[0.25,-0.5,1.0]}]}'),
    "gemini.count_tokens": Script(body=b'{"totalTokens":12}'),
}
"""The two of Gemini are hand-made from the API reference as google-genai 3.4.0 reads it."""
MARKS = {"embeddings": (b'"embedding":', b"["), "count_tokens": (b'"input_tokens"', b"okens")}
ENDS = {"openai.chat": b"[DONE]", "openai.responses": b"response.completed", "anthropic.messages": b"message_stop"}


class Route(Struct, frozen=True, kw_only=True):
    """`front` is the caller's dialect, `spoken` the provider's. `raw`: passed through to the first provider's own API."""

    path: str
    front: str
    spoken: str
    stream: bool = False
    raw: bool = False

    @property
    def name(self) -> str:
        if self.raw:
            return f"passthrough{' stream' if self.stream else ''}"
        how = "same" if self.front == self.spoken else "translated"
        return f"{self.path.removeprefix('/v1/')}{' stream' if self.stream else ''} {how}"

    @property
    def kind(self) -> str:
        return self.front.rpartition(".")[2]

    @property
    def translated(self) -> bool:
        return self.front != self.spoken

    @property
    def good(self) -> Script:
        """What a sound provider answers."""
        return GOOD[self.spoken]

    @property
    def said(self) -> bytes:
        """What is in every sound answer to the caller."""
        return MARKS[self.kind][0] if self.kind in MARKS else TEXT[:5].encode()

    @property
    def content(self) -> bytes:
        """What the provider has said when it has told something, and not all: of a stream the whole event."""
        if self.stream:
            return self.good.events[self.content_at]
        return MARKS[self.kind][1] if self.kind in MARKS else TEXT[:9].encode()

    @property
    def content_at(self) -> int:
        """The place of a stream's first event with content."""
        return next(place for place, event in enumerate(self.good.events) if TEXT[:9].encode() in event)

    @property
    def end(self) -> bytes:
        """What tells a caller that a stream is complete."""
        return ENDS[self.front]

    def provider(self, name: str, url: str, timeout: float = 60.0) -> str:
        table = PROVIDERS[self.spoken].replace("{url}", url).replace("{dialect}", self.spoken)
        return f'[provider.{name}]\n{table}\ntimeout = {timeout}\napi_key = "sk-test"\n'

    def question(self, model: str, **more: Any) -> bytes:
        asked = (
            {"input": "Hello"}
            if self.kind in ("responses", "embeddings")
            else {"messages": [{"role": "user", "content": "Hello"}]}
        )
        limit = {"max_tokens": 100} if self.kind == "messages" else {}
        stream = {"stream": True} if self.stream else {}
        return msgspec.json.encode({"model": model, **asked, **limit, **stream, **more})


def fronts() -> list[Route]:
    pairs = [
        ("/v1/chat/completions", "openai.chat", "anthropic.messages"),
        ("/v1/responses", "openai.responses", "openai.chat"),
        ("/v1/messages", "anthropic.messages", "openai.chat"),
    ]
    return [
        Route(path=path, front=front, spoken=spoken, stream=stream)
        for path, front, other in pairs
        for spoken in (front, other)
        for stream in (False, True)
    ]


ROUTES = [
    *fronts(),
    Route(path="/v1/embeddings", front="openai.embeddings", spoken="openai.embeddings"),
    Route(path="/v1/embeddings", front="openai.embeddings", spoken="gemini.embeddings"),
    Route(path="/v1/messages/count_tokens", front="anthropic.count_tokens", spoken="anthropic.count_tokens"),
    Route(path="/v1/messages/count_tokens", front="anthropic.count_tokens", spoken="gemini.count_tokens"),
]
RAW = [
    Route(path="/v1/first/chat/completions", front="openai.chat", spoken="openai.chat", stream=stream, raw=True)
    for stream in (False, True)
]
