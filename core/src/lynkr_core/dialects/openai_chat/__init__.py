"""`openai.chat`: Chat Completions, the API that most providers and clients speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import Raw, ValidationError

from lynkr_core.dialect import UNREADABLE, Envelope, Fields, Headers, opens_with
from lynkr_core.dialects import callids
from lynkr_core.dialects.calls import Calls
from lynkr_core.dialects.growth import read_grown
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.decoder import Decoder, is_usage_only
from lynkr_core.dialects.openai_chat.encoder import Encoder
from lynkr_core.dialects.openai_chat.request import decode_request, encode_request
from lynkr_core.dialects.openai_chat.response import decode_response, encode_response
from lynkr_core.dialects.openai_chat.usage import read_usage
from lynkr_core.dialects.openai_chat.vocabulary import leftovers
from lynkr_core.dialects.openai_errors import OpenAIErrors
from lynkr_core.dialects.pairing import check_chat
from lynkr_core.dialects.shapes import LIST, NUMBER, OBJECT, TEXT_OR_LIST, TEXT_OR_OBJECT, check_shapes
from lynkr_core.errors import InvalidRequest
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Request, Response, Usage
from lynkr_core.sse import parse

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_ONLY_HERE = frozenset(
    {"stream_options", "max_completion_tokens", "reasoning_effort", "response_format", "logit_bias", "n", "seed"}
)
_ONLY_ELSEWHERE = frozenset({"system", "stop_sequences", "thinking", "anthropic_version", "input", "contents"})

_SHAPES = {
    "tools": LIST, "tool_choice": TEXT_OR_OBJECT, "response_format": OBJECT, "stream_options": OBJECT, "stop": TEXT_OR_LIST,
    "metadata": OBJECT, "logit_bias": OBJECT, "temperature": NUMBER, "top_p": NUMBER, "n": NUMBER, "seed": NUMBER,
    "presence_penalty": NUMBER, "frequency_penalty": NUMBER, "max_tokens": NUMBER, "max_completion_tokens": NUMBER,
}  # fmt: skip


class OpenAIChat(OpenAIErrors):
    name = "openai.chat"
    routes = ("/v1/chat/completions",)
    media = {"image": (b'"image_url"',), "audio": (b'"input_audio"',), "video": (b'"video_url"',), "document": (b'"file"',)}
    ping = wire.COMMENT
    marks = (b'"usage":{', b'"usage": {', b'"finish_reason":"', b'"finish_reason": "', b"[DONE]", b'"error"')

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields, grown = read_grown(body, "messages", self.name)
        conversation = fields.get("messages", wire.NULL)
        if not opens_with(conversation, b"["):
            raise InvalidRequest("messages: expected a list", param="messages")
        stream = read_stream(fields)
        return Envelope(
            fields=fields,
            model=read_model(fields),
            stream=stream,
            usage_asked=not stream or usage_asked(fields.get("stream_options")),
            max_tokens=read_limit(fields),
            grown=grown,
        )

    def check(self, envelope: Envelope) -> None:
        check_shapes(envelope.fields, _SHAPES)
        envelope.signed = check_chat(envelope.fields["messages"], envelope.grown)

    def decode_request(self, envelope: Envelope) -> Request:
        return decode_request(envelope)

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return encode_request(request, losses)

    def decode_response(self, body: bytes) -> Response:
        return decode_response(body)

    def encode_response(self, response: Response, request: Request) -> bytes:
        return encode_response(response, Calls(request.tools))

    def decoder(self) -> Decoder:
        return Decoder()

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> Encoder:
        return Encoder(envelope, Calls(request.tools))

    def leftovers(self, request: Request) -> Sequence[str]:
        return leftovers(request)

    def usage(self, body: bytes) -> Usage | None:
        return read_usage(body)

    def prepare(self, fields: Fields, envelope: Envelope, metered: bool) -> bool:
        """Asks for usage in a stream; the caller's other stream options stay. Other vendors' signatures go from the ids of calls."""
        stripped = envelope.signed and callids.strip(fields, "messages")
        if not (metered and envelope.stream):
            return stripped
        options = stream_options(fields.get("stream_options"))
        if options.get("include_usage") in (True, _TRUE):
            return stripped
        fields["stream_options"] = {**options, "include_usage": True}
        return True

    def strip_usage(self, piece: bytes) -> bytes:
        """Leaves out the chunk with usage and no choices. Every other byte stays."""
        boundary = b"\r\n\r\n" if b"\r\n\r\n" in piece else b"\n\n"
        blocks = piece.split(boundary)
        return boundary.join([block for block in blocks if not (b'"usage"' in block and _only_usage(block))])

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        if "messages" not in fields or not _ONLY_ELSEWHERE.isdisjoint(fields) or b"anthropic-version" in headers:
            return 0
        return 2 if _ONLY_HERE.isdisjoint(fields) else 3


def _only_usage(block: bytes) -> bool:
    found = parse(block.replace(b"\r\n", b"\n").strip(b"\n"))
    return found is not None and is_usage_only(found.data)


def read_model(fields: Mapping[str, Raw]) -> str:
    """Raises `InvalidRequest` when the model is no name."""
    raw = fields.get("model", wire.NULL)
    try:
        name = wire.texts.decode(raw)
    except ValidationError:
        name = ""
    except UNREADABLE:
        return wire.read(wire.texts, raw, "model")
    if not name:
        raise InvalidRequest("model: expected the name of a model", param="model")
    return name


def read_stream(fields: Mapping[str, Raw]) -> bool:
    raw = fields.get("stream")
    if raw is None:
        return False
    if raw not in (_TRUE, _FALSE, wire.NULL):
        raise InvalidRequest("stream: expected true or false", param="stream")
    return raw == _TRUE


def read_limit(fields: Mapping[str, Raw]) -> int | None:
    """The most tokens to answer with; None too where one of its keys is no such number, whose mistake is told when all is read.

    Of two the higher one: some providers know only one of the keys, and may be sent either.
    """
    highest = None
    for raw in (fields.get("max_completion_tokens"), fields.get("max_tokens")):
        if raw is not None:
            try:
                limit = wire.limits.decode(raw)
            except UNREADABLE:
                return None
            if limit is not None and limit < 0:
                return None
            if limit is not None and (highest is None or limit > highest):
                highest = limit
    return highest


def usage_asked(options: Raw | None) -> bool:
    return stream_options(options).get("include_usage") == _TRUE


def stream_options(options: Any) -> dict[str, Any]:
    """The options as a dict, whether they came from the wire or were made here."""
    if isinstance(options, dict):
        return cast("dict[str, Any]", options)
    if options is None or not bytes(options).startswith(b"{"):
        return {}
    try:
        return dict(wire.objects.decode(options))
    except UNREADABLE:
        return {}


plugin = Plugin(api=1, config=NoConfig, create=OpenAIChat)
