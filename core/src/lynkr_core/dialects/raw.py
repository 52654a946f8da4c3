"""The dialect `raw`: requests that lynkr passes on as they are, to one provider's own API under `/v1/{provider}/…`.

It has no routes and nothing is translated; it says which model a request names, where it can be seen, and tells errors in OpenAI's
envelope, which most clients read.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Backend, Envelope, Fields, Headers, StreamDecoder
from lynkr_core.dialects import openai_errors
from lynkr_core.dialects.classify import classify
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage

_FORM = re.compile(rb'name="?model"?\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{1,200})\r\n')
"""The part `model` of a multipart form, as uploads of audio and images name it."""


class _Named(Struct):
    model: str = ""
    stream: bool = False


_named = msgspec.json.Decoder(_Named)


class RawDialect(Backend):
    """A body of any kind. The internal model of one is empty but for its model."""

    name: ClassVar[str] = "raw"
    operation: ClassVar[str] = "passthrough"

    def peek(self, body: bytes, path: str = "") -> Envelope:
        """Never raises: a body need not be JSON."""
        if body[:1] == b"{":
            try:
                named = _named.decode(body)
                return Envelope(fields={}, model=named.model, stream=named.stream)
            except UNREADABLE:
                return Envelope(fields={}, model="")
        found = _FORM.search(body) if body[:2] == b"--" else None
        return Envelope(fields={}, model=found.group(1).decode("utf-8", "replace") if found else "")

    def decode_request(self, envelope: Envelope) -> Request:
        return Request(dialect=self.name, model=envelope.model, stream=envelope.stream)

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return openai_errors.encode(error)

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        """Nothing can be said in the middle of a body whose form is not known."""
        return b""

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        raise self._untranslated()

    def decode_response(self, body: bytes) -> Response:
        return Response(dialect=self.name, id="", model="", native=Raw(body))

    def decoder(self) -> StreamDecoder:
        raise self._untranslated()

    def usage(self, body: bytes) -> Usage | None:
        return None

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """By its status only. What refuses a key may be about this path, so nothing is said against the key."""
        kind, wait = classify(status, None, None, "", headers)
        kind = "invalid" if kind in ("auth", "quota") else kind
        return UpstreamError(kind, f"status {status}", status=status, retry_after=wait, reported=True)

    def _untranslated(self) -> TypeError:
        return TypeError("raw requests are not translated")


plugin = Plugin(api=1, config=NoConfig, create=RawDialect)
