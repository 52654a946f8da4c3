"""The last thing a human asked, found from the end of a raw body without decoding the conversation.

Shapes read: `messages` of chat and Anthropic bodies, `input` of Responses bodies (`clients.md` §3 tells who sends what).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from lynkr_scorer_heuristic.backwards import elements
from lynkr_scorer_heuristic.clean import clean

TEXT = ("text", "input_text")
TOOL_ROLES = ("tool", "function")
MAX_TURNS = 64
"""Turns looked at from the end. Whoever puts more replies after the last ask has left the conversation's shape."""


class Turn(Struct, gc=False):
    """The two or three keys of a message or input item that matter here."""

    role: str = ""
    type: str = ""
    content: Raw = Raw(b"")


class Piece(Struct, gc=False):
    """A content block."""

    type: str = ""
    text: str | None = None


class Ask(NamedTuple):
    """`text` is clean and may be empty. `tool_results`: the last turn brings results of tools and nothing a human wrote."""

    text: str
    tool_results: bool = False


NOTHING = Ask("")
RESULTS = Ask("", tool_results=True)

_turn = msgspec.json.Decoder(Turn)
_pieces = msgspec.json.Decoder(list[Piece])
_text = msgspec.json.Decoder(str)


def last_ask(fields: Mapping[str, Raw]) -> Ask:
    """The last human text among a body's top-level keys. Never raises: what cannot be read says nothing."""
    raw = fields.get("messages") or fields.get("input")
    if raw is None:
        return NOTHING
    try:
        return _find(bytes(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOTHING


def _find(data: bytes) -> Ask:
    if data[:1] == b'"':
        return Ask(clean(_text.decode(data)))
    if data[:1] != b"[":
        return NOTHING
    for count, item in enumerate(elements(data)):
        found = _read(_turn.decode(item))
        if found is not None or count >= MAX_TURNS:
            return found or NOTHING
    return NOTHING


def _read(turn: Turn) -> Ask | None:
    """None: look at the turn before."""
    if turn.role == "user":
        return _read_user(bytes(turn.content))
    if turn.role in TOOL_ROLES or turn.type.endswith("_output"):
        return RESULTS
    return None


def _read_user(content: bytes) -> Ask | None:
    if content[:1] == b'"':
        text = clean(_text.decode(content))
        return Ask(text) if text else None
    if content[:1] != b"[":
        return None
    pieces = _pieces.decode(content)
    text = clean("\n".join([piece.text for piece in pieces if piece.text and piece.type in TEXT]))
    if text:
        return Ask(text)
    others = {piece.type for piece in pieces if piece.type not in TEXT}
    return RESULTS if "tool_result" in others else NOTHING if others else None
