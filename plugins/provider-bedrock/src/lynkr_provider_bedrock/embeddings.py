"""`bedrock.embeddings`: the embedding models of Amazon and Cohere, through InvokeModel. Each has a body of its own."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from lynkr_core.dialect import UNREADABLE, Backend, Fields, Headers, StreamDecoder
from lynkr_core.dialects.anthropic_messages.turns import note
from lynkr_core.dialects.failures import excerpt
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Generic, Request, Response, Usage
from lynkr_provider_bedrock.errors import error_answer, inner_error
from lynkr_provider_bedrock.models import maker_of

NAME = "bedrock.embeddings"
PURPOSE = "search_document"
"""Cohere's models want to be told what for; OpenAI's API has no word for it, but callers may say `input_type`."""
CARRIED = frozenset({"input", "dimensions", "encoding_format", "input_type", "truncate", "normalize"})
NULL = Raw(b"null")
Vectors = list[list[float]]
_input = msgspec.json.Decoder(str | list[str])
_encode = msgspec.json.Encoder().encode


class Answer(Struct):
    """Titan's has one vector, Cohere's several, under `float` when types were asked for."""

    embedding: list[float] | None = None
    count: int | None = msgspec.field(default=None, name="inputTextTokenCount")
    embeddings: Any = None


_answer = msgspec.json.Decoder(Answer)


def encode_request(request: Request, losses: list[str]) -> Fields:
    """The texts under `texts`; `suit` gives them their model's form. Raises `InvalidRequest`."""
    try:
        texts = _input.decode(request.extra.get("input", NULL))
    except UNREADABLE:
        raise InvalidRequest(
            "input: expected a text or a list of texts; lists of tokens are not taken here", param="input"
        ) from None
    fields: Fields = {"texts": [texts] if isinstance(texts, str) else texts}
    for key, raw in request.extra.items():
        if key not in CARRIED and key != "user":
            note(losses, f"{key}: Bedrock's embedding models have no place for it")
        elif key in CARRIED - {"input", "encoding_format"} and raw != NULL:
            fields[key] = raw
    if "user" in request.extra:
        note(losses, "user: Bedrock's embedding models have no place for it")
    return fields


def suit(fields: Fields, model: str, losses: list[str]) -> None:
    """Raises `InvalidRequest` for a list of texts where the model takes one."""
    if maker_of(model) == "cohere":
        fields.setdefault("input_type", PURPOSE)
        if "dimensions" in fields:
            fields["output_dimension"] = fields.pop("dimensions")
        unknown = ("normalize",)
    else:
        texts: list[str] = fields.pop("texts")
        if len(texts) != 1:
            raise InvalidRequest(f"input: {model} takes one text in each request, not {len(texts)}", param="input")
        fields["inputText"] = texts[0]
        unknown = ("input_type", "truncate")
    for key in unknown:
        if fields.pop(key, UNSET) is not UNSET:
            note(losses, f"{key}: {model} has no place for it")


class Embeddings(Backend):
    name = NAME
    operation = "embeddings"
    model_key = ""
    id_header = b"x-amzn-requestid"

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        return encode_request(request, losses)

    def decode_response(self, body: bytes) -> Response:
        """One choice with one generic part, whose fragment is OpenAI's list of vectors."""
        try:
            answer = _answer.decode(body)
            vectors = read_vectors(answer)
        except UNREADABLE:
            raise UpstreamError("server", f"the answer has no embeddings: {excerpt(body) or 'it is empty'}") from None
        if vectors is None:
            raise inner_error(body) or UpstreamError("server", "the answer has no embeddings")
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        part = Generic(type="embeddings", native=Raw(_encode(data)))
        return Response(dialect=NAME, id="", model="", choices=(Choice(parts=(part,)),), usage=usage_of(answer), native=Raw(body))

    def decoder(self) -> StreamDecoder:
        raise InvalidRequest("embeddings are not streamed", param="stream")

    def usage(self, body: bytes) -> Usage | None:
        try:
            return usage_of(_answer.decode(body))
        except UNREADABLE:
            return None

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return error_answer(status, headers, body)


def read_vectors(answer: Answer) -> Vectors | None:
    if answer.embedding is not None:
        return [answer.embedding]
    if answer.embeddings is None:
        return None
    found: dict[str, Vectors] | Vectors = msgspec.convert(answer.embeddings, dict[str, Vectors] | Vectors)
    return found.get("float") if isinstance(found, dict) else found


def usage_of(answer: Answer) -> Usage | None:
    """Cohere's answers have no count in their body."""
    return None if answer.count is None else Usage(input_tokens=answer.count)


plugin = Plugin(api=1, config=NoConfig, create=Embeddings)
