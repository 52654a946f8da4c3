"""`cohere`: Cohere's own chat API, version 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lynkr_core.dialect import Dialect, Envelope, Fields, Headers, Refusal, opens_with, read_fields
from lynkr_core.dialects.openai_chat import read_limit, read_model, read_stream
from lynkr_core.dialects.openai_chat.wire import COMMENT, NULL
from lynkr_core.dialects.refusals import refusals
from lynkr_core.errors import GatewayError, InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_provider_cohere import errors
from lynkr_provider_cohere.decoder import Decoder
from lynkr_provider_cohere.encoder import Encoder
from lynkr_provider_cohere.request import decode_request, encode_request
from lynkr_provider_cohere.response import decode_response, encode_response, read_usage
from lynkr_provider_cohere.wire import NAME

_ONLY_HERE = frozenset({"safety_mode", "citation_options", "strict_tools", "documents"})
_SHORT = frozenset({"p", "k"})


class Cohere(Dialect):
    name = NAME
    names_model = False
    ping = COMMENT
    routes = ("/v2/chat",)
    forward = (b"x-client-name",)
    marks = (b"message-end", b"[DONE]")

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        if not opens_with(fields.get("messages", NULL), b"["):
            raise InvalidRequest("messages: expected a list", param="messages")
        return Envelope(fields=fields, model=read_model(fields), stream=read_stream(fields), max_tokens=read_limit(fields))

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
        return Encoder()

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return errors.encode(error, request_id)

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return errors.encode_in_stream(error.message, request_id)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return errors.decode(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)

    def usage(self, body: bytes) -> Usage | None:
        return read_usage(body)

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        if "messages" not in fields:
            return 0
        return 3 if not _ONLY_HERE.isdisjoint(fields) else 2 if not _SHORT.isdisjoint(fields) else 0


plugin = Plugin(api=1, config=NoConfig, create=Cohere)
