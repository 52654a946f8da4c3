"""Anthropic's token count, `POST /v1/messages/count_tokens`: a Messages request in, `{"input_tokens": n}` out.

A provider that counts is asked; where none does, or it cannot answer, `lynkr_core.tokens` estimates: system, tools, messages, and a
constant for each image or document. Against an exact o200k count (toktok-rs 0.3) of 36 Claude Code requests with 24 tools, 27,000
tokens in the median, it was off by 1.3 % in the median and 5.3 % at the 95th percentile, in 0.2 ms instead of 1.7.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE, Envelope, Fields
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.anthropic_messages.errors import read_inner_error
from lynkr_core.dialects.anthropic_messages.request import SHAPES
from lynkr_core.dialects.counting import TokenCount, counted
from lynkr_core.dialects.shapes import check_shapes
from lynkr_core.errors import UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response
from lynkr_core.tokens import estimate

_NOT_COUNTED = (
    "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier", "container",
)  # fmt: skip
"""Keys of a Messages request that the count does not take (SDK 2.11, `message_count_tokens_params`)."""


class _Count(Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_Count)


class AnthropicCountTokens(TokenCount, AnthropicMessages):
    """The dialect `anthropic.count_tokens`."""

    name = "anthropic.count_tokens"
    operation = "count_tokens"
    routes = ("/v1/messages/count_tokens",)

    def check(self, envelope: Envelope) -> None:
        """A part of a conversation may be counted, results without their calls too."""
        check_shapes(envelope.fields, SHAPES)

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        fields = super().encode_request(request, losses)
        return {key: value for key, value in fields.items() if key not in _NOT_COUNTED}

    def decode_response(self, body: bytes) -> Response:
        try:
            tokens = _count.decode(body).input_tokens
        except UNREADABLE as error:
            raise read_inner_error(body) or UpstreamError("server", f"the answer is not a count: {error}") from None
        return self.answer(tokens, body)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return self.as_it_came(response) or msgspec.json.encode({"input_tokens": counted(response, request)})

    def local(self, request: Request) -> bytes | None:
        return msgspec.json.encode(_Count(estimate(request)))


plugin = Plugin(api=1, config=NoConfig, create=AnthropicCountTokens)
