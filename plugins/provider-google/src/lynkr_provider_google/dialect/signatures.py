"""Thought signatures: opaque base64 that Gemini wants back on the very part it came with.

Towards the other APIs a call's signature travels in the call's id (`lynkr_core.dialects.callids`), which every client returns, and
that of any other part as the signature of a reasoning part, under Google's tag. Towards a Gemini caller other vendors' secrets travel as a
signature of ours: 18 zero bytes and what is kept, in base64, because SDKs decode the field. A signature of ours never goes to Google.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.splice import splice
from lynkr_core.request import Reasoning
from lynkr_provider_google.dialect import wire

TAG = "google:"
"""Begins the signature of a reasoning part that came from Gemini."""
SKIP = "skip_thought_signature_validator"
"""Stands for the signature of a call that Gemini did not make itself (Gemini API guide to thought signatures)."""
OWN = "A" * 24
"""How every signature of ours begins: 18 zero bytes in base64."""
_MARK = b'"' + OWN.encode()
_kept = msgspec.json.Decoder(tuple[str | None, str | None, str | None])


def seal(part: Reasoning) -> str | None:
    """The `thoughtSignature` for a Gemini caller; None when there is nothing to keep."""
    if part.signature is not None and part.signature.startswith(TAG):
        return part.signature[len(TAG) :]
    if part.signature is None and part.encrypted is None:
        return None
    kept = wire.encode((part.id, part.encrypted, part.signature))
    return base64.b64encode(bytes(18) + kept).decode()


def unseal(text: str, signature: str | None) -> Reasoning:
    """A reasoning part of this text; a signature of ours gives back what it keeps."""
    if signature is None or not signature.startswith(OWN):
        return Reasoning(text=text, signature=None if not signature else TAG + standard(signature))
    try:
        id, encrypted, kept = _kept.decode(base64.b64decode(standard(signature)).lstrip(b"\0"))
    except (binascii.Error, ValueError, *UNREADABLE):
        return Reasoning(text=text)
    return Reasoning(text=text, id=id, encrypted=encrypted, signature=kept)


def standard(data: str) -> str:
    """Base64 in the standard alphabet and padded: google-genai writes the URL-safe one, which other APIs refuse."""
    if "-" in data or "_" in data:
        data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def strip_own(fields: Fields) -> bool:
    """Takes signatures of ours out of the forwarded `contents`, with the thinking they stand on. Nothing is decoded when there are none."""
    contents = fields.get("contents")
    if not isinstance(contents, Raw) or _MARK not in bytes(contents):
        return False
    turns = wire.lists.decode(contents) if bytes(contents).startswith(b"[") else [contents]
    fields["contents"] = [turn for turn in map(_strip, turns) if turn is not None]
    return True


def _strip(turn: Raw) -> Raw | None:
    """The turn without them; None when nothing is left of it."""
    if _MARK not in bytes(turn):
        return turn
    parts = wire.contents.decode(turn).parts or []
    kept = [part for part in map(_without, parts) if part is not None]
    return splice(turn, {"parts": kept}) if kept else None


def _without(part: Raw) -> Raw | None:
    if _MARK not in bytes(part):
        return part
    piece = wire.pieces.decode(part)
    if not (piece.thought_signature or piece.snake_signature or "").startswith(OWN):
        return part
    if piece.thought or not piece.text:
        return None
    return splice(part, {"thoughtSignature": msgspec.UNSET, "thought_signature": msgspec.UNSET})
