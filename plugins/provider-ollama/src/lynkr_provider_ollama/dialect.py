"""`ollama`: the native chat API, `/api/chat`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lynkr_core.dialect import UNREADABLE, Dialect, Envelope, Fields, Headers, Refusal, opens_with, read_fields
from lynkr_core.dialects.openai_chat import read_model
from lynkr_core.dialects.refusals import refusals
from lynkr_core.errors import GatewayError, InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_core.routes import Route
from lynkr_provider_ollama import wire
from lynkr_provider_ollama.options import stream_of
from lynkr_provider_ollama.request import NAME, decode_request, encode_request
from lynkr_provider_ollama.response import decode_response, encode_response, usage_of
from lynkr_provider_ollama.routes import routes
from lynkr_provider_ollama.stream import Decoder, Encoder

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

_ONLY_HERE = frozenset({"options", "keep_alive", "think", "format"})


class Ollama(Dialect):
    """Streams unless told not to. Its usage is in the last line, always."""

    name = NAME
    routes = ("/api/chat",)
    marks = (b'"done":true', b'"done": true', b'"error"')
    content_type = b"application/x-ndjson"
    boundary = b"\n"

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        if not opens_with(fields.get("messages", wire.NULL), b"["):
            raise InvalidRequest("messages: expected a list", param="messages")
        return Envelope(fields=fields, model=read_model(fields), stream=stream_of(fields), max_tokens=read_limit(fields))

    def decode_request(self, envelope: Envelope) -> Request:
        return decode_request(envelope)

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return encode_request(request, losses)

    def decode_response(self, body: bytes) -> Response:
        return decode_response(body)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return encode_response(response)

    def decoder(self) -> Decoder:
        return Decoder()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> Encoder:
        return Encoder(envelope.model)

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return wire.encode({"error": error.message})

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return self.encode_error(error, request_id) + b"\n"

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return wire.failure(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)

    def usage(self, body: bytes) -> Usage | None:
        try:
            return usage_of(wire.lines.decode(body))
        except UNREADABLE:
            return None

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 3 if "messages" in fields and not _ONLY_HERE.isdisjoint(fields) else 0

    def register_routes(self, kernel: Kernel) -> Iterable[Route]:
        return routes(kernel)


def read_limit(fields: Mapping[str, Any]) -> int | None:
    """The most tokens to answer with, as far as it is a number; a mistake is told when the request is read in full."""
    try:
        text = bytes(wire.read_object(fields.get("options", wire.NOTHING), "options").get("num_predict", b""))
    except InvalidRequest:
        return None
    return int(text) if text.isdigit() else None


plugin = Plugin(api=1, config=NoConfig, create=Ollama)
