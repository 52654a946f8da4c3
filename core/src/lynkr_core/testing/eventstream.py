"""Writes AWS event-stream frames, for scripts of providers that stream in them. Apart from whoever reads them."""

from __future__ import annotations

from struct import pack
from typing import Any
from zlib import crc32

from lynkr_core.testing.canned import encoded


def frame(payload: bytes, **headers: str) -> bytes:
    """One frame. An underscore in a header's name stands for a hyphen, and each begins with a colon: `event_type="metadata"`."""
    block = b"".join([_header(f":{name.replace('_', '-')}".encode(), value.encode()) for name, value in headers.items()])
    prelude = pack(">II", 16 + len(block) + len(payload), len(block))
    whole = prelude + pack(">I", crc32(prelude)) + block + payload
    return whole + pack(">I", crc32(whole))


def event(name: str, value: Any) -> bytes:
    """One event with a JSON payload."""
    return frame(encoded(value), event_type=name, content_type="application/json", message_type="event")


def exception(name: str, value: Any) -> bytes:
    """One exception with a JSON payload."""
    return frame(encoded(value), exception_type=name, content_type="application/json", message_type="exception")


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"\x07" + pack(">H", len(value)) + value
