"""Signatures on thinking blocks.

A thinking block must carry a signature, and only its vendor can make one. Reasoning of other vendors goes to the caller with a
signature of ours, `lynkr-` and base64: it holds what that vendor wants back (its item id, encrypted content, or its own signature).
It never goes to a real upstream of this dialect, which would refuse the request.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.splice import splice
from lynkr_core.request import Reasoning

PREFIX = "lynkr-"
_MARK = b'"lynkr-' + b"A" * 24
"""How every signature of ours begins: 18 zero bytes in base64. So long a mark is found four times faster."""
_kept = msgspec.json.Decoder(list[str | None])
_list = msgspec.json.Decoder(list[Raw])


class _Turn(Struct):
    role: str = ""
    content: Raw = Raw(b"")


class _Block(Struct):
    type: str = ""
    signature: Any = None


class _Thinking(Struct):
    type: str = ""


_turn = msgspec.json.Decoder(_Turn)
_block = msgspec.json.Decoder(_Block)
_thinking = msgspec.json.Decoder(_Thinking)


def make(id: str | None, encrypted: str | None, signature: str | None = None) -> str:
    """A signature of ours that keeps these."""
    kept = (id, encrypted) if signature is None else (id, encrypted, signature)
    return PREFIX + base64.b64encode(bytes(18) + msgspec.json.encode(kept)).decode()


def is_foreign(signature: str) -> bool:
    """Whether another vendor made it: its dialect puts a tag and a colon before it, and base64 has no colon."""
    return ":" in signature


def reasoning(text: str, signature: str | None, **part: Any) -> Reasoning:
    """A thinking block as a part; a signature of ours gives back what it keeps and is gone."""
    if signature is None or not signature.startswith(PREFIX):
        return Reasoning(text=text, signature=signature or None, **part)
    try:
        id, encrypted, foreign = (*_kept.decode(base64.b64decode(signature[len(PREFIX) :]).lstrip(b"\0")), None)[:3]
    except (binascii.Error, ValueError, *UNREADABLE):
        id, encrypted, foreign = None, None, None
    return Reasoning(text=text, id=id, encrypted=encrypted, signature=foreign, **part)


def strip_own_signatures(fields: Fields) -> bool:
    """Takes our thinking blocks out of the forwarded `messages`. True when there were any.

    Nothing is decoded when the mark is not there.
    """
    messages = fields.get("messages")
    if not isinstance(messages, Raw) or _MARK not in bytes(messages):
        return False
    turns = _list.decode(messages)
    stripped = [_strip(turn) for turn in turns]
    if stripped == turns:
        return False
    kept = [turn for turn in stripped if turn is not None]
    fields["messages"] = Raw(b"[" + b",".join([bytes(turn) for turn in kept]) + b"]")
    if _thinking_starts_late(kept):
        _switch_off(fields)
    return True


def _strip(turn: Raw) -> Raw | None:
    """The turn without our blocks; None when nothing is left of it."""
    if _MARK not in bytes(turn):
        return turn
    content = _turn.decode(turn).content
    if not bytes(content).startswith(b"["):
        return turn
    blocks = _list.decode(content)
    kept = [block for block in blocks if not is_own(block)]
    if len(kept) == len(blocks):
        return turn
    return splice(turn, {"content": kept}) if kept else None


def is_own(block: Raw) -> bool:
    if _MARK not in bytes(block):
        return False
    found = _block.decode(block)
    return found.type == "thinking" and isinstance(found.signature, str) and found.signature.startswith(PREFIX)


def _thinking_starts_late(turns: list[Raw]) -> bool:
    """Whether an unfinished tool loop begins with something else than thinking, which a fixed thinking budget does not allow."""
    if len(turns) < 2 or b'"tool_result"' not in bytes(turns[-1]):
        return False
    before = _turn.decode(turns[-2])
    if before.role != "assistant" or not bytes(before.content).startswith(b"["):
        return False
    blocks = _list.decode(before.content)
    return bool(blocks) and _block.decode(blocks[0]).type not in ("thinking", "redacted_thinking")


def _switch_off(fields: Fields) -> None:
    thinking = fields.get("thinking")
    if not isinstance(thinking, Raw) or _thinking.decode(thinking).type != "enabled":
        return
    fields["thinking"] = {"type": "disabled"}
    management = fields.get("context_management")
    if isinstance(management, Raw) and b'"clear_thinking' in bytes(management):
        del fields["context_management"]  # clearing thinking is refused when there is none
