"""Replacing some keys of a JSON object and leaving every other byte as it came."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def splice(native: Raw | None, changes: dict[str, Any]) -> Raw:
    """`native` with these keys replaced, or added at its end. None stands for an empty object."""
    fields: dict[str, Any] = {} if native is None else _decode(native)
    return Raw(_encode(fields | changes))
