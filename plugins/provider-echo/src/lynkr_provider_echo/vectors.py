"""Embeddings that mean nothing and are always the same."""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from hashlib import shake_256
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.errors import InvalidRequest

DIMENSIONS = 8
MOST = 4096


class Asked(Struct):
    """OpenAI's embeddings request: one text, several, or the same as token numbers."""

    model: str
    input: str | list[str | int | list[int]]
    dimensions: int = DIMENSIONS
    encoding_format: str = "float"


_asked = msgspec.json.Decoder(Asked)
_encoder = msgspec.json.Encoder()


def vector(text: bytes, dimensions: int) -> bytes:
    """A unit vector as little-endian 32-bit floats."""
    raw = struct.unpack(f"<{dimensions}H", shake_256(text).digest(2 * dimensions))
    centred = [value - 32767.5 for value in raw]
    length = math.sqrt(sum([value * value for value in centred]))
    return struct.pack(f"<{dimensions}f", *[value / length for value in centred])


def embed(body: bytes) -> bytes:
    """The answer to an embeddings request. Raises `InvalidRequest`."""
    try:
        asked = _asked.decode(body)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"the embeddings request cannot be read: {error}") from None
    if not 1 <= asked.dimensions <= MOST:
        raise InvalidRequest(f"dimensions must be between 1 and {MOST}", param="dimensions")
    inputs = texts(asked.input)
    rows = [row(index, vector(text, asked.dimensions), asked) for index, text in enumerate(inputs)]
    tokens = sum([len(text.split()) for text in inputs])
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encoder.encode({"object": "list", "data": rows, "model": asked.model, "usage": usage})


def texts(given: str | list[str | int | list[int]]) -> list[bytes]:
    """One text for each vector; token numbers stand for the words they would be."""
    if isinstance(given, str):
        return [given.encode()]
    if given and isinstance(given[0], int):
        return [spelled(given)]
    return [item.encode() if isinstance(item, str) else spelled(item if isinstance(item, list) else [item]) for item in given]


def spelled(tokens: list[Any]) -> bytes:
    return " ".join([str(token) for token in tokens]).encode()


def row(index: int, packed: bytes, asked: Asked) -> dict[str, Any]:
    if asked.encoding_format == "base64":
        return {"object": "embedding", "index": index, "embedding": b64encode(packed).decode()}
    return {"object": "embedding", "index": index, "embedding": struct.unpack(f"<{len(packed) // 4}f", packed)}
