"""`ollama.embeddings`: texts in, vectors out, `/api/embed`.

Between dialects vectors travel as they do for `openai.embeddings`: one generic part, whose fragment is that API's `data`.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Fields, Headers
from lynkr_core.dialects.failures import excerpt
from lynkr_core.dialects.openai_chat.translate import note
from lynkr_core.dialects.openai_embeddings import OpenAIEmbeddings
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import GatewayError, UpstreamError
from lynkr_core.plugins import NoConfig, Plugin
from lynkr_core.request import Choice, Generic, Request, Response, Usage
from lynkr_provider_ollama.wire import NOTHING, NULL, encode, failure, given, read

NAME = "ollama.embeddings"
CARRIED = ("input", "dimensions")
"""Keys that mean the same in OpenAI's embeddings."""


class Answer(Struct):
    model: str | None = None
    embeddings: list[Raw] | None = None
    prompt_eval_count: int | None = None
    error: Raw = NOTHING


_answers = msgspec.json.Decoder(Answer)
_vectors = msgspec.json.Decoder(list[dict[str, Raw]])
_inputs = msgspec.json.Decoder(str | list[str])
_texts = msgspec.json.Decoder(str)


class OllamaEmbeddings(OpenAIEmbeddings):
    """Its requests are built as OpenAI's are; answers and errors are its own."""

    name = NAME
    operation = "embeddings"
    routes = ("/api/embed",)

    def translate(self, request: Request, losses: list[str]) -> Fields:
        return translated(request, losses)

    def decode_response(self, body: bytes) -> Response:
        try:
            answer = _answers.decode(body)
        except UNREADABLE:
            raise UpstreamError("server", f"the answer is not a list of embeddings: {excerpt(body) or 'it is empty'}") from None
        if given(answer.error) is not None:
            raise failure(None, {}, body)
        if answer.embeddings is None:
            raise UpstreamError("server", "the answer has no embeddings")
        rows = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(answer.embeddings)]
        choice = Choice(parts=(Generic(type="embeddings", native=Raw(encode(rows))),))
        return Response(
            dialect=NAME, id="", model=answer.model or "", choices=(choice,), usage=usage_of(answer), native=Raw(body)
        )

    def encode_response(self, response: Response, request: Request) -> bytes:
        if response.dialect == NAME and response.native is not None:
            return bytes(splice(response.native, {"model": response.model}) if response.edited else response.native)
        found = [part.native for choice in response.choices for part in choice.parts if part.native is not None]
        fields: dict[str, Any] = {"model": response.model, "embeddings": numbers(found[0]) if found else []}
        if response.usage is not None:
            fields["prompt_eval_count"] = response.usage.input_tokens
        return encode(fields)

    def encode_error(self, error: GatewayError, request_id: str) -> bytes:
        return encode({"error": error.message})

    def encode_stream_error(self, error: GatewayError, request_id: str) -> bytes:
        return self.encode_error(error, request_id) + b"\n"

    def decode_error(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return failure(status, headers, body)

    def usage(self, body: bytes) -> Usage | None:
        try:
            return usage_of(_answers.decode(body))
        except UNREADABLE:
            return None

    def claims(self, fields: Mapping[str, Any], headers: Headers) -> int:
        """The same keys may be OpenAI's, and that is likelier."""
        return 0


def translated(request: Request, losses: list[str]) -> Fields:
    """OpenAI's request. Its answer's form, `encoding_format`, is the caller's business. Raises `InvalidRequest` for what is no text."""
    fields: Fields = {"model": request.model}
    for key, raw in request.extra.items():
        if key in CARRIED:
            fields[key] = raw
        elif key != "encoding_format":
            note(losses, f"{key}: Ollama has no such parameter")
    read(_inputs, request.extra.get("input", NULL), "input")
    return fields


def usage_of(answer: Answer) -> Usage | None:
    return None if answer.prompt_eval_count is None else Usage(input_tokens=answer.prompt_eval_count)


def numbers(data: Raw) -> list[Any]:
    """The vectors of OpenAI's `data`, as numbers."""
    rows = [row["embedding"] for row in _vectors.decode(data)]
    return [unpacked(_texts.decode(row)) if bytes(memoryview(row)[:1]) == b'"' else row for row in rows]


def unpacked(packed: str) -> list[float]:
    data = b64decode(packed)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


plugin = Plugin(api=1, config=NoConfig, create=OllamaEmbeddings)
