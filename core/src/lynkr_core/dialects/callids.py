"""Signatures of tool calls inside the calls' ids.

Some vendors sign a call and refuse the conversation when the signature does not come back. Most clients keep nothing of a call that they
do not know; all of them return its id. So the id carries it: `id__lynkr-b-…` holds base64, in the alphabet that ids may have, and
`id__lynkr-t-…` any other text as base64 of it. Other vendors get the id alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from msgspec import Raw

from lynkr_core.dialect import Fields

SEAM = "__lynkr-"
_MARK = SEAM.encode()
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_ID = re.compile(rb'("(?:id|call_id|tool_call_id|tool_use_id)"\s*:\s*"[^"\\]*?)__lynkr-[bt]-[A-Za-z0-9_-]*')


def pack(id: str, signature: str | None) -> str:
    """The id with the signature in it."""
    if not signature:
        return id
    if _BASE64.fullmatch(signature):
        return f"{id}{SEAM}b-{signature.replace('+', '-').replace('/', '_').rstrip('=')}"
    return f"{id}{SEAM}t-{base64.urlsafe_b64encode(signature.encode()).decode().rstrip('=')}"


def unpack(id: str) -> tuple[str, str | None]:
    """The id alone, and the signature that it carried; an id that was damaged on its way carries none."""
    bare, seam, packed = id.partition(SEAM)
    if not seam:
        return id, None
    padded = packed[2:] + "=" * (-len(packed[2:]) % 4)
    if packed.startswith("b-"):
        return bare, padded.replace("-", "+").replace("_", "/") or None
    try:
        return bare, base64.urlsafe_b64decode(padded).decode() or None
    except (binascii.Error, ValueError):
        return bare, None


def bare(id: str) -> str:
    """The id alone."""
    return id.partition(SEAM)[0] if SEAM in id else id


def signed(ids: Iterable[str | None]) -> bool:
    """Whether any of them carries a signature."""
    return SEAM in "\n".join(filter(None, ids))


def strip(fields: Fields, key: str) -> bool:
    """Takes signatures out of the ids in a forwarded conversation, `fields[key]`. True when there were any."""
    raw = fields.get(key)
    if not isinstance(raw, Raw) or _MARK not in bytes(raw):
        return False
    fields[key] = Raw(_ID.sub(rb"\1", bytes(raw)))
    return True
