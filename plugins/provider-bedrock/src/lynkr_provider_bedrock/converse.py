"""`bedrock.converse`: the one API of all of Bedrock's chat models. The model is in the path, and the answer does not name it."""

from __future__ import annotations

from collections.abc import Sequence

from lynkr_core.dialect import Backend, Fields, Headers, Refusal
from lynkr_core.dialects.refusals import refusals
from lynkr_core.errors import UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_provider_bedrock.errors import error_answer
from lynkr_provider_bedrock.request import encode_request
from lynkr_provider_bedrock.response import NAME, decode_response
from lynkr_provider_bedrock.stream import Decoder
from lynkr_provider_bedrock.usage import read_usage


class Converse(Backend):
    name = NAME
    names_model = False
    model_key = ""
    id_header = b"x-amzn-requestid"
    content_type = b"application/vnd.amazon.eventstream"

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return encode_request(request, losses)

    def decode_response(self, body: bytes) -> Response:
        return decode_response(body)

    def decoder(self) -> Decoder:
        return Decoder()

    def usage(self, body: bytes) -> Usage | None:
        return read_usage(body)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return error_answer(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)


plugin = Plugin(api=1, config=NoConfig, create=Converse)
