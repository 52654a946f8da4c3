"""`openai.embeddings`: texts in, vectors out. Nothing is streamed, and only providers of this very API are asked."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from struct import pack
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Envelope, Fields, Headers, StreamDecoder, StreamEncoder
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.failures import read as read_words
from lynkr_core.dialects.openai_chat import read_model
from lynkr_core.dialects.openai_chat.usage import WireUsage, read_usage, usage_of
from lynkr_core.dialects.openai_chat.wire import NOTHING, NULL, given
from lynkr_core.dialects.openai_errors import OpenAIErrors
from lynkr_core.dialects.splice import apply, difference, splice
from lynkr_core.dialects.surrogates import read_fields
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Generic, Request, Response, Usage

NAME = "openai.embeddings"
CARRIED = ("input", "dimensions", "user")
BASE64 = Raw(b'"base64"')


class Answer(Struct):
    """`data` has the vectors, as lists of numbers or as base64."""

    data: Raw = NOTHING
    model: str | None = None
    usage: WireUsage | None = None
    error: Any = None


_answers = msgspec.json.Decoder(Answer)
_items = msgspec.json.Decoder(list[dict[str, Any]])
_objects = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


class OpenAIEmbeddings(OpenAIErrors):
    name = NAME
    operation = "embeddings"
    routes = ("/v1/embeddings",)

    def peek(self, body: bytes, path: str = "") -> Envelope:
        fields = read_fields(body)
        if bytes(memoryview(fields.get("input", NULL))[:1]) not in (b'"', b"["):
            raise InvalidRequest("input: expected a string or a list", param="input")
        return Envelope(fields=fields, model=read_model(fields))

    def decode_request(self, envelope: Envelope) -> Request:
        extra = {key: raw for key, raw in envelope.fields.items() if key != "model"}
        return Request(dialect=self.name, model=envelope.model, extra=extra, native=Raw(_encode(envelope.fields)))

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        if request.dialect != self.name:
            return self.translate(request, losses)
        fields: Fields = {} if request.native is None else dict(_objects.decode(request.native))
        if not request.edited and request.native is not None:
            return fields
        extra = {key: raw for key, raw in fields.items() if key != "model"}
        return apply(fields, {"model": request.model, **difference(extra, dict(request.extra))})

    def translate(self, request: Request, losses: list[str]) -> Fields:
        """A request of another API in the words of this one."""
        return translated(request, losses)

    def decode_response(self, body: bytes) -> Response:
        """One choice with one generic part, whose fragment is the list of vectors."""
        try:
            answer = _answers.decode(body)
        except UNREADABLE:
            raise UpstreamError("server", f"the answer is not a list of embeddings: {excerpt(body) or 'it is empty'}") from None
        if answer.error or given(answer.data) is None:
            if answer.error or read_words(body).message:
                raise upstream_error(None, {}, body)
            raise UpstreamError("server", "the answer has no embeddings")
        choice = Choice(parts=(Generic(type="embeddings", native=answer.data),))
        model = answer.model or ""
        return Response(dialect=NAME, id="", model=model, choices=(choice,), usage=usage_of(answer.usage), native=Raw(body))

    def encode_response(self, response: Response, request: Request) -> bytes:
        if response.dialect == NAME and response.native is not None:
            return bytes(splice(response.native, {"model": response.model}) if response.edited else response.native)
        vectors = [part.native for choice in response.choices for part in choice.parts if part.native is not None]
        if response.dialect != NAME and vectors and request.extra.get("encoding_format") == BASE64:
            vectors[0] = packed(vectors[0])
        usage = response.usage or Usage()
        told = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
        return _encode({"object": "list", "data": vectors[0] if vectors else [], "model": response.model, "usage": told})

    def decoder(self) -> StreamDecoder:
        raise InvalidRequest("embeddings are not streamed", param="stream")

    def encoder(self, request: Request, envelope: Envelope, input_tokens: int) -> StreamEncoder:
        raise InvalidRequest("embeddings are not streamed", param="stream")

    def usage(self, body: bytes) -> Usage | None:
        return read_usage(body)

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        return 1 if "input" in fields and fields.keys() <= {"model", "input", "dimensions", "encoding_format", "user"} else 0


def translated(request: Request, losses: list[str]) -> Fields:
    """A request of another API, which has its texts under `input` too. Raises `InvalidRequest` when it is not for embeddings."""
    if "input" not in request.extra:
        raise InvalidRequest(f"a request in {request.dialect} is none for embeddings")
    losses += [f"{key}: embeddings have no such parameter" for key in request.extra if key not in CARRIED]
    return {"model": request.model, **{key: raw for key, raw in request.extra.items() if key in CARRIED}}


def packed(vectors: Raw) -> Raw:
    """OpenAI's list of vectors with each as base64 of little-endian 32-bit floats, which its clients ask for by default."""
    items = _items.decode(vectors)
    for item in items:
        numbers = item.get("embedding")
        if isinstance(numbers, list):
            item["embedding"] = b64encode(pack(f"<{len(cast('list[float]', numbers))}f", *numbers)).decode()
    return Raw(_encode(items))


plugin = Plugin(api=1, config=NoConfig, create=OpenAIEmbeddings)
