"""What is kept of an answer: the final message in its dialect, whoever streamed it how, and enough to find and forget it by."""

from __future__ import annotations

import zlib

import msgspec
from msgspec import Struct

from lynkr_core.dialect import UNREADABLE

VERSION = 1
ZIPPED = 2048
"""Bytes from which on a body is compressed where it is stored."""
HIGHEST = 64 * 1024 * 1024
OVERHEAD = 600
"""Bytes that an entry costs in memory beside its body."""


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """`body`: the whole answer in `dialect`. `created` and `until` in seconds since 1970; `cost` in USD.

    `principal`, `key`: whose request it was. `asked`: the name; `served`: the candidate. `vector`, `text`: for caches that compare.
    """

    dialect: str
    body: bytes
    created: float
    until: float
    principal: str
    key: str | None
    asked: str
    served: str
    tags: tuple[str, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    text: str = ""
    vector: bytes = b""

    @property
    def size(self) -> int:
        return len(self.body) + len(self.text) + len(self.vector) + OVERHEAD


class Stored(Struct, frozen=True, array_like=True):
    version: int
    zipped: bool
    entry: Entry


_decoder = msgspec.msgpack.Decoder(Stored)
_encode = msgspec.msgpack.Encoder().encode


def pack(entry: Entry) -> bytes:
    zipped = len(entry.body) > ZIPPED
    body = zlib.compress(entry.body, 1) if zipped else entry.body
    return _encode(Stored(VERSION, zipped, msgspec.structs.replace(entry, body=body)))


def unpack(value: bytes) -> Entry | None:
    """None for what this version cannot read: it counts as not there."""
    found = describe(value)
    if found is None or not found.zipped:
        return found.entry if found else None
    unzip = zlib.decompressobj()
    try:
        body = unzip.decompress(found.entry.body, HIGHEST)
    except zlib.error:
        return None
    return msgspec.structs.replace(found.entry, body=body) if unzip.eof else None


def describe(value: bytes) -> Stored | None:
    """All but the body, which may be compressed."""
    try:
        found = _decoder.decode(value)
    except UNREADABLE:
        return None
    return found if found.version == VERSION else None
