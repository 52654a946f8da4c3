"""`cohere.embeddings`: Cohere's `/v2/embed`, asked for callers of OpenAI's embeddings."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Backend, Fields, Headers, StreamDecoder
from lynkr_core.dialects.failures import excerpt, upstream_error
from lynkr_core.dialects.failures import read as read_words
from lynkr_core.dialects.openai_chat.translate import note
from lynkr_core.dialects.openai_chat.wire import NULL, given, read
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Generic, Request, Response, Usage
from lynkr_provider_cohere import errors
from lynkr_provider_cohere.usage import usage_of
from lynkr_provider_cohere.wire import WireUsage

NAME = "cohere.embeddings"
_PASSED = frozenset({"input_type", "truncate", "images", "inputs", "max_tokens", "priority"})
"""Keys of Cohere's own that a caller may put beside OpenAI's."""
_READ = frozenset({"input", "dimensions", "encoding_format"})
_texts = msgspec.json.Decoder(str | list[str])


class Vectors(Struct):
    float: list[Raw] | None = None
    base64: list[Raw] | None = None


class Answer(Struct):
    id: Any = None
    embeddings: Vectors | None = None
    meta: WireUsage | None = None


_answers = msgspec.json.Decoder(Answer)


class CohereEmbeddings(Backend):
    name = NAME
    operation = "embeddings"

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        """`input_type` is the provider's to fill in where the caller gives none. Raises `InvalidRequest` for token numbers."""
        given_keys = request.extra
        fields: Fields = {"model": request.model, "texts": _list(given_keys.get("input", NULL))}
        asked = given_keys.get("encoding_format", NULL)
        fields["embedding_types"] = ["base64" if asked == Raw(b'"base64"') else "float"]
        if given(given_keys.get("dimensions", NULL)) is not None:
            fields["output_dimension"] = given_keys["dimensions"]
        for key, value in given_keys.items():
            if key in _PASSED:
                fields[key] = value
            elif key not in _READ and value != NULL:
                note(losses, f"{key}: Cohere's embeddings have no such parameter")
        return fields

    def decode_response(self, body: bytes) -> Response:
        """One choice with one generic part, whose fragment is the list of vectors in OpenAI's form."""
        try:
            answer = _answers.decode(body)
        except UNREADABLE:
            raise UpstreamError("server", f"the answer is not a list of embeddings: {excerpt(body) or 'it is empty'}") from None
        vectors = answer.embeddings and (answer.embeddings.base64 or answer.embeddings.float)
        if not vectors:
            if answer.embeddings is None and read_words(body).message:
                raise upstream_error(None, {}, body)
            raise UpstreamError("server", "the answer has no embeddings")
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        choice = Choice(parts=(Generic(type="embeddings", native=Raw(msgspec.json.encode(data))),))
        return Response(dialect=NAME, id=str(answer.id or ""), model="", choices=(choice,), usage=usage_of(answer.meta))

    def usage(self, body: bytes) -> Usage | None:
        try:
            return usage_of(_answers.decode(body).meta)
        except UNREADABLE:
            return None

    def decoder(self) -> StreamDecoder:
        raise InvalidRequest("embeddings are not streamed", param="stream")

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return errors.decode(status, headers, body)


def _list(raw: Raw) -> list[str]:
    try:
        texts = read(_texts, raw, "input")
    except InvalidRequest:
        raise InvalidRequest("input: Cohere takes a text or a list of texts", param="input") from None
    return [texts] if isinstance(texts, str) else texts


plugin = Plugin(api=1, config=NoConfig, create=CohereEmbeddings)
