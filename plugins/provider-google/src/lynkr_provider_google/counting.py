"""The dialect `gemini.count_tokens`: a request in, `{"totalTokens": n}` out."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE, Envelope, Fields
from lynkr_core.dialects.counting import TokenCount, counted
from lynkr_core.errors import UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response
from lynkr_core.tokens import estimate
from lynkr_provider_google.dialect import Gemini, wire
from lynkr_provider_google.dialect.errors import read_error
from lynkr_provider_google.dialect.options import CONFIG

WHOLE = "generateContentRequest"
"""The key that holds a whole request, where there is more to count than contents."""


class _Count(Struct, rename="camel"):
    total_tokens: int


_count = msgspec.json.Decoder(_Count)


class GeminiCountTokens(TokenCount, Gemini):
    """A count of what a request of Gemini's would take in."""

    name = "gemini.count_tokens"
    operation = "count_tokens"
    routes = ("/v1beta/models/{model}:countTokens", "/v1/models/{model}:countTokens")

    def decode_request(self, envelope: Envelope) -> Request:
        whole = wire.given(envelope.fields.get(WHOLE))
        if whole is None:
            return super().decode_request(envelope)
        inner = structs.replace(envelope, fields=wire.read(wire.objects, whole, WHOLE))
        return structs.replace(super().decode_request(inner), native=Raw(wire.encode(envelope.fields)))

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        """A translated request stands under `generateContentRequest`, where the provider adds the model."""
        if request.dialect == self.name and not request.edited and request.native is not None:
            return dict(wire.objects.decode(request.native))
        bare = structs.replace(request, native=None, edited=True) if request.dialect == self.name else request
        fields = super().encode_request(bare, losses)
        return {WHOLE: {key: value for key, value in fields.items() if key not in (CONFIG, "toolConfig")}}

    def decode_response(self, body: bytes) -> Response:
        try:
            tokens = _count.decode(body).total_tokens
        except UNREADABLE as error:
            if b'"error"' in body:
                raise read_error(None, {}, body) from None
            raise UpstreamError("server", f"the answer is not a count: {error}") from None
        return self.answer(tokens, body)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return self.as_it_came(response) or wire.encode({"totalTokens": counted(response, request)})

    def local(self, request: Request) -> bytes | None:
        return wire.encode({"totalTokens": estimate(request)})


plugin = Plugin(api=1, config=NoConfig, create=GeminiCountTokens)
