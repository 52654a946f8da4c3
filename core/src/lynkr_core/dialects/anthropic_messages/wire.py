"""One event of a stream on the wire."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages import usage as counts
from lynkr_core.dialects.anthropic_messages.blocks import NOTHING

NAME = "anthropic.messages"


class WireDelta(Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: Raw = NOTHING
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Head(Struct):
    id: str = ""
    model: str = ""
    usage: counts.WireUsage | None = None


class WireEvent(Struct):
    type: str = ""
    delta: WireDelta | None = None
    content_block: Raw = NOTHING
    message: Head | None = None
    usage: counts.WireUsage | None = None


class WireBlock(Struct):
    type: str
    id: str = ""
    name: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    input: Raw = NOTHING


class _DeltaType(Struct, frozen=True):
    type: str = ""


class _Typed(Struct):
    type: str = ""
    delta: _DeltaType = _DeltaType()


events = msgspec.json.Decoder(WireEvent)
opened = msgspec.json.Decoder(WireBlock)
_typed = msgspec.json.Decoder(_Typed)
_EVENTS = (
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop", "error",
)  # fmt: skip
_DELTAS = ("text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta")


def type_of(raw: Raw) -> str:
    try:
        return _typed.decode(raw).type
    except UNREADABLE:
        return ""


def is_unknown(data: bytes) -> bool:
    """Whether this is an event or a delta of a type we do not know, which may use our keys for something else."""
    try:
        typed = _typed.decode(data)
    except UNREADABLE:
        return False
    return typed.type not in _EVENTS or (typed.type == "content_block_delta" and typed.delta.type not in _DELTAS)
