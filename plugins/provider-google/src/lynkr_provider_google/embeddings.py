"""The dialect `gemini.embeddings`, spoken to providers only: `batchEmbedContents`, asked on behalf of callers of other APIs."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Backend, Fields, Headers, StreamDecoder
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Generic, Request, Response, Usage
from lynkr_provider_google.dialect import usage as counts
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.errors import read_error
from lynkr_provider_google.dialect.wire import Count, note

REQUESTS = "requests"
_inputs = msgspec.json.Decoder(str | list[str])
_sizes = msgspec.json.Decoder(int)


class _Vector(Struct):
    values: Raw


class _Answer(Struct, rename="camel"):
    embeddings: list[_Vector] | None = None
    embedding: _Vector | None = None
    usage_metadata: Count | None = None


_answers = msgspec.json.Decoder(_Answer)


class GeminiEmbeddings(Backend):
    """One request for each text; the provider adds the model to each."""

    name = "gemini.embeddings"
    operation = "embeddings"
    model_key = ""

    def encode_request(self, request: Request, losses: list[str]) -> Fields:
        texts = read_input(request)
        size = wire.given(request.extra.get("dimensions"))
        more = {} if size is None else {"outputDimensionality": wire.read(_sizes, size, "dimensions")}
        for key in request.extra:
            if key not in ("input", "dimensions", "encoding_format"):
                note(losses, f"{key}: Gemini's embeddings have no place for it")
        if request.extra.get("encoding_format") == Raw(b'"base64"'):
            note(losses, "encoding_format: Gemini gives its vectors as numbers")
        return {REQUESTS: [{"content": {"parts": [{"text": text}]}} | more for text in texts]}

    def decode_response(self, body: bytes) -> Response:
        """One choice with one generic part, whose fragment is the list of vectors in the form that callers know."""
        try:
            answer = _answers.decode(body)
        except UNREADABLE as error:
            raise _no_answer(body, str(error)) from None
        vectors = answer.embeddings if answer.embedding is None else [answer.embedding]
        if vectors is None:
            raise _no_answer(body, "it has no embeddings")
        data = [{"object": "embedding", "index": i, "embedding": vector.values} for i, vector in enumerate(vectors)]
        choice = Choice(parts=(Generic(type="embeddings", native=Raw(wire.encode(data))),))
        return Response(dialect=self.name, id="", model="", choices=(choice,), usage=_usage(answer), native=Raw(body))

    def decoder(self) -> StreamDecoder:
        raise InvalidRequest("embeddings are not streamed", param="stream")

    def usage(self, body: bytes) -> Usage | None:
        try:
            return _usage(_answers.decode(body))
        except UNREADABLE:
            return None

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return read_error(status, headers, body)


def read_input(request: Request) -> list[str]:
    """The texts to embed. Raises `InvalidRequest` for tokens, which mean nothing to another vendor's model."""
    raw: Any = request.extra.get("input", wire.NULL)
    try:
        found = _inputs.decode(raw)
    except UNREADABLE:
        raise InvalidRequest("input: a text or a list of texts is required; tokens of another vendor cannot be embedded here",
                             param="input") from None  # fmt: skip
    return [found] if isinstance(found, str) else found


def _usage(answer: _Answer) -> Usage | None:
    return None if answer.usage_metadata is None else counts.read(answer.usage_metadata)


def _no_answer(body: bytes, cause: str) -> UpstreamError:
    if b'"error"' in body:
        return read_error(None, {}, body)
    return UpstreamError("server", f"the answer is not a list of embeddings: {cause}")


plugin = Plugin(api=1, config=NoConfig, create=GeminiEmbeddings)
