"""Anthropic's Messages API, `POST /v1/messages`, as its SDK 2.11 and Claude Code 2.1 speak it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkr_core.dialect import Dialect, Envelope, Fields, Headers, Refusal, StreamDecoder, StreamEncoder
from lynkr_core.dialects import callids
from lynkr_core.dialects.anthropic_messages.errors import read_error, write_error
from lynkr_core.dialects.anthropic_messages.reader import MessageReader
from lynkr_core.dialects.anthropic_messages.request import SHAPES, peek, read_request, refuse_threads, write_request
from lynkr_core.dialects.anthropic_messages.response import read_response, write_response
from lynkr_core.dialects.anthropic_messages.signatures import strip_own_signatures
from lynkr_core.dialects.anthropic_messages.translate import translate
from lynkr_core.dialects.anthropic_messages.usage import read_body
from lynkr_core.dialects.anthropic_messages.vocabulary import leftovers
from lynkr_core.dialects.anthropic_messages.writer import MessageWriter
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.pairing import check_turns
from lynkr_core.dialects.refusals import refusals
from lynkr_core.dialects.shapes import check_shapes
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_core.sse import event

FAMILY = ("anthropic.messages", "anthropic.count_tokens")
"""Dialects with the same request format."""


class AnthropicMessages(Dialect):
    """The dialect `anthropic.messages`."""

    name = "anthropic.messages"
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    routes = ("/v1/messages",)
    tells_input = True
    media = {"image": (b'"image"',), "document": (b'"document"',)}
    forward = (b"anthropic-version", b"anthropic-beta")
    marks = (b'"message_delta"', b'"message_stop"', b'"error"')
    id_header = b"request-id"

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        if "messages" not in fields:
            return 0
        return 3 if b"anthropic-version" in headers else 2 if "system" in fields else 0

    def peek(self, body: bytes, path: str = "") -> Envelope:
        return peek(body)

    def check(self, envelope: Envelope) -> None:
        check_shapes(envelope.fields, SHAPES)
        refuse_threads(envelope.fields)
        envelope.signed = check_turns(envelope.fields["messages"], envelope.grown)

    def decode_request(self, envelope: Envelope) -> Request:
        return read_request(envelope.fields, self.name, envelope.grown)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return write_response(response, request, response.dialect in FAMILY)

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        return MessageWriter(input_tokens, Calls(request.tools))

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return write_error(error, request_id)

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return event(write_error(error, request_id), b"error")

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return write_request(request) if request.dialect in FAMILY else translate(request, losses)

    def leftovers(self, request: Request) -> Sequence[str]:
        return leftovers(request)

    def decode_response(self, body: bytes) -> Response:
        return read_response(body, self.name)

    def decoder(self) -> StreamDecoder:
        return MessageReader()

    def usage(self, body: bytes) -> Usage | None:
        return read_body(body)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return read_error(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)

    def prepare(self, fields: Fields, envelope: Envelope, metered: bool) -> bool:
        """Usage comes unasked here; only what we signed ourselves, thinking blocks and ids of calls, is taken out."""
        return strip_own_signatures(fields) | (envelope.signed and callids.strip(fields, "messages"))


plugin = Plugin(api=1, config=NoConfig, create=AnthropicMessages)
