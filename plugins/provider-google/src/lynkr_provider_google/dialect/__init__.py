"""The dialect `gemini`: Google's `generateContent` and `streamGenerateContent`, as google-genai 3.4.0 speaks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lynkr_core.dialect import Dialect, Envelope, Fields, Headers, Refusal, StreamDecoder, StreamEncoder
from lynkr_core.dialects.refusals import refusals
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_core.routes import Route
from lynkr_core.sse import event
from lynkr_provider_google import listing
from lynkr_provider_google.dialect.decoder import Decoder
from lynkr_provider_google.dialect.encoder import Encoder
from lynkr_provider_google.dialect.errors import read_error, write_error
from lynkr_provider_google.dialect.request import peek, read_request, write_request
from lynkr_provider_google.dialect.response import NAME, read_response, write_response
from lynkr_provider_google.dialect.signatures import strip_own
from lynkr_provider_google.dialect.translate import translate
from lynkr_provider_google.dialect.usage import read_body

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

FAMILY = ("gemini", "gemini.count_tokens")
"""Dialects with the same request format."""


class Gemini(Dialect):
    """The model and whether to stream stand in the path. Streams are server-sent events; a JSON array (no `alt=sse`) is not served."""

    name = NAME
    tells_input = True
    ping = b"\n\n"  # its SDK takes a comment for an answer
    routes = tuple(
        [f"/{version}/models/{{model}}:{method}" for version in ("v1beta", "v1")
         for method in ("generateContent", "streamGenerateContent")]
    )  # fmt: skip
    marks = (b'"finishReason"', b'"promptFeedback"', b'"error"')
    model_key = ""

    def register_routes(self, kernel: Kernel) -> Iterable[Route]:
        return listing.routes(kernel)

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 3 if "contents" in fields else 0

    def peek(self, body: bytes, path: str = "") -> Envelope:
        return peek(body, path)

    def decode_request(self, envelope: Envelope) -> Request:
        return read_request(envelope, self.name)

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return write_request(request) if request.dialect in FAMILY else translate(request, losses)

    def prepare(self, fields: Fields, envelope: Envelope, metered: bool) -> bool:
        """Usage comes unasked here; only signatures that we made ourselves are taken out."""
        return strip_own(fields)

    def decode_response(self, body: bytes) -> Response:
        return read_response(body)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return write_response(response)

    def decoder(self) -> StreamDecoder:
        return Decoder()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        return Encoder(envelope.model, input_tokens)

    def usage(self, body: bytes) -> Usage | None:
        return read_body(body)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return read_error(status, headers, body)

    def unsupported(self, error: bytes, sent: bytes) -> Sequence[Refusal]:
        return refusals(error, sent)

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return write_error(error)

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return event(write_error(error))


plugin = Plugin(api=1, config=NoConfig, create=Gemini)
