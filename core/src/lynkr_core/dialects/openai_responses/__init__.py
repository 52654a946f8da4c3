"""The dialect `openai.responses`: `POST /v1/responses`, which Codex CLI and the newer SDKs speak.

Facts are from the official SDK's types (openai-python 3.52) and from what Codex CLI 0.169 was seen to send. Nothing is kept
between requests: what refers to something kept at a provider (`previous_response_id`, `conversation`, `item_reference`) can only
go to a provider that speaks this dialect itself, which `untranslatable` tells the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lynkr_core.dialect import Envelope, Fields, Headers, StreamDecoder, StreamEncoder
from lynkr_core.dialects import callids
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.openai_chat.wire import COMMENT
from lynkr_core.dialects.openai_errors import OpenAIErrors
from lynkr_core.dialects.openai_responses import errors
from lynkr_core.dialects.openai_responses import request as requests
from lynkr_core.dialects.openai_responses import response as responses
from lynkr_core.dialects.openai_responses import usage as usage_of
from lynkr_core.dialects.openai_responses.decoder import ResponsesDecoder
from lynkr_core.dialects.openai_responses.encoder import ResponsesEncoder
from lynkr_core.dialects.openai_responses.sealing import drop_foreign
from lynkr_core.dialects.openai_responses.vocabulary import leftovers
from lynkr_core.dialects.openai_responses.wire import NAME
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Modality, Request, Response, Usage


class OpenAIResponses(OpenAIErrors):
    """OpenAI's Responses API."""

    name: ClassVar[str] = NAME
    routes: ClassVar[tuple[str, ...]] = ("/v1/responses",)
    conversation: ClassVar[str] = "input"
    tells_input: ClassVar[bool] = True
    ping: ClassVar[bytes] = COMMENT
    media: ClassVar[Mapping[Modality, tuple[bytes, ...]]] = {"image": (b'"input_image"',), "document": (b'"input_file"',)}
    forward: ClassVar[tuple[bytes, ...]] = (b"openai-beta",)
    marks: ClassVar[tuple[bytes, ...]] = (b'"response.completed"', b'"response.incomplete"', b'"response.failed"', b'"error"')

    def peek(self, body: bytes, path: str = "") -> Envelope:
        return requests.peek(body)

    def check(self, envelope: Envelope) -> None:
        requests.check(envelope)

    def untranslatable(self, envelope: Envelope) -> str | None:
        return requests.untranslatable(envelope)

    def decode_request(self, envelope: Envelope) -> Request:
        return requests.decode_request(envelope)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return responses.encode_response(response, request)

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        return ResponsesEncoder(envelope, input_tokens, Calls(request.tools))

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return errors.encode_stream_error(error, 0)

    def encode_cut(self, error: GatewayError, request_id: str, sent: bytes) -> bytes:
        return errors.encode_stream_error(error, errors.next_number(sent))

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return requests.encode_request(request, losses)

    def leftovers(self, request: Request) -> Sequence[str]:
        return leftovers(request)

    def decode_response(self, body: bytes) -> Response:
        return responses.decode_response(body)

    def decoder(self) -> StreamDecoder:
        return ResponsesDecoder()

    def usage(self, body: bytes) -> Usage | None:
        return usage_of.usage(body)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return errors.decode_error(status, headers, body)

    def prepare(self, fields: Fields, envelope: Envelope, metered: bool) -> bool:
        """Usage always comes, so nothing is asked for. What other vendors signed, reasoning and ids of calls, would be refused: it goes."""
        return drop_foreign(fields) | (envelope.signed and callids.strip(fields, "input"))

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 2 if "input" in fields and "messages" not in fields else 0


plugin = Plugin(api=1, config=NoConfig, create=OpenAIResponses)
