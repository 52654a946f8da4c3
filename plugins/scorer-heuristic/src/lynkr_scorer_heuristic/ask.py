"""The last thing a human asked, found from the end of a raw body without decoding the conversation.

Shapes read: `messages` of chat and Anthropic bodies, `input` of Responses bodies, `contents` of Gemini's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from lynkr_scorer_heuristic.backwards import elements
from lynkr_scorer_heuristic.clean import clean

TEXT = ("text", "input_text", "")
QUOTE, BRACKET = b'"['
TOOL_ROLES = ("tool", "function")
MAX_TURNS = 64
"""Turns looked at from the end. Whoever puts more replies after the last ask has left the conversation's shape."""


class Turn(Struct, gc=False):
    """The two or three keys of a message or input item that matter here."""

    role: str = ""
    type: str = ""
    content: Raw = Raw(b"")
    parts: Raw = Raw(b"")


class Piece(Struct, gc=False, rename={"result": "functionResponse"}):
    """A content block. Gemini's have no type."""

    type: str = ""
    text: str | None = None
    result: Raw = Raw(b"")

    @property
    def kind(self) -> str:
        return "tool_result" if self.result else self.type


class Ask(Struct, frozen=True, gc=False):
    """`text` is clean and may be empty. `steps`: so many turns since brought results of tools and nothing a human wrote."""

    text: str
    steps: int = 0


NOTHING = Ask("")
RESULTS = Ask("", 1)

_turn = msgspec.json.Decoder(Turn)
_pieces = msgspec.json.Decoder(list[Piece])
_text = msgspec.json.Decoder(str)


def last_ask(fields: Mapping[str, Raw]) -> Ask:
    """The last human text among a body's top-level keys. Never raises: what cannot be read says nothing."""
    raw = fields.get("messages") or fields.get("input") or fields.get("contents")
    if not raw:
        return NOTHING
    try:
        return _find(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NOTHING


def _find(raw: Raw) -> Ask:
    view = memoryview(raw)
    if view[0] == QUOTE:
        return Ask(clean(_text.decode(raw)))
    if view[0] != BRACKET:
        return NOTHING
    steps = 0
    for count, item in enumerate(elements(view)):
        found = _read(_turn.decode(item))
        if found is RESULTS:
            steps += 1
        elif found is not None:
            return Ask(found.text, steps) if steps else found
        if count >= MAX_TURNS:
            break
    return Ask("", steps) if steps else NOTHING


def _read(turn: Turn) -> Ask | None:
    """None: look at the turn before."""
    if turn.role == "user" or (turn.parts and not turn.role):
        return _read_user(turn.content or turn.parts)
    if turn.role in TOOL_ROLES or turn.type.endswith("_output"):
        return RESULTS
    return None


def _read_user(content: Raw) -> Ask | None:
    view = memoryview(content)
    first = view[0] if view else 0
    if first == QUOTE:
        text = clean(_text.decode(content))
        return Ask(text) if text else None
    if first != BRACKET:
        return None
    pieces = _pieces.decode(content)
    text = clean("\n".join([piece.text for piece in pieces if piece.text and piece.type in TEXT]))
    if text:
        return Ask(text)
    others = {piece.kind for piece in pieces if piece.kind not in TEXT}
    return RESULTS if "tool_result" in others else NOTHING if others else None
