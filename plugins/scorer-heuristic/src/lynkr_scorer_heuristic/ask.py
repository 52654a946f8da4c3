"""The last thing a human asked, found from the end of a raw body without decoding the conversation.

Shapes read: `messages` of chat and Anthropic bodies, `input` of Responses bodies, `contents` of Gemini's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialects.growth import EMPTY, Growth
from lynkr_core.exchange import Exchange
from lynkr_scorer_heuristic.backwards import elements
from lynkr_scorer_heuristic.clean import clean

TEXT = ("text", "input_text", "")
QUOTE, BRACKET = b'"['
TOOL_ROLES = ("tool", "function")
MAX_TURNS = 64
"""Turns looked at from the end. Whoever puts more replies after the last ask has left the conversation's shape."""
FOUND = "scorer-heuristic.ask"
"""The fact where the last ask of a conversation's beginning is, for asks of up to `SHORT` characters."""
SHORT = 4_000


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


class Look(Struct, frozen=True, gc=False):
    """From the end over `passed` turns, `steps` of which brought results of tools, to an ask; `text` is None where there was none."""

    text: str | None
    steps: int
    passed: int


NOTHING = Ask("")
RESULTS = Ask("", 1)

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_turn = msgspec.json.Decoder(Turn)
_pieces = msgspec.json.Decoder(list[Piece])
_text = msgspec.json.Decoder(str)


def ask_of(exchange: Exchange) -> Ask:
    """As `last_ask`; where a conversation has gone on, its beginning is not looked through again."""
    fields, grown = exchange.envelope.fields, exchange.envelope.grown
    raw = _conversation(fields)
    if grown is None or raw is None or raw is not fields.get(exchange.dialect.conversation):
        return last_ask(fields)
    try:
        found = _further(grown) or _anew(raw, grown)
    except UNREADABLE:
        return NOTHING
    return Ask(found.text or "", found.steps)


def last_ask(fields: Mapping[str, Raw]) -> Ask:
    """The last human text among a body's top-level keys. Never raises: what cannot be read says nothing."""
    raw = _conversation(fields)
    try:
        return _find(raw) if raw else NOTHING
    except UNREADABLE:
        return NOTHING


def _conversation(fields: Mapping[str, Raw]) -> Raw | None:
    return fields.get("messages") or fields.get("input") or fields.get("contents")


def _find(raw: Raw) -> Ask:
    view = memoryview(raw)
    if view[0] == QUOTE:
        return Ask(clean(_text.decode(raw)))
    if view[0] != BRACKET:
        return NOTHING
    found = _look(view)
    return Ask(found.text or "", found.steps)


def _look(items: bytes | memoryview) -> Look:
    steps = passed = 0
    for item in elements(items):
        found = _read(_turn.decode(item))
        if found is RESULTS:
            steps += 1
        elif found is not None:
            return Look(found.text, steps, passed)
        passed += 1
        if passed > MAX_TURNS:
            break
    return Look(None, steps, passed)


def _further(grown: Growth) -> Look | None:
    """None where nothing is known of the beginning, or its ask is too far away now."""
    known = grown.before.facts.get(FOUND) if grown.before else None
    now = _beyond(_look(grown.added), known) if known else None
    if now is None:
        return None
    _keep(grown, now)
    return now if grown.left == EMPTY else _beyond(_look(grown.left), now)


def _beyond(later: Look, earlier: Look) -> Look | None:
    """What is found when the later turns are passed, then the earlier ones."""
    passed = later.passed + earlier.passed
    if later.text is not None:
        return later
    return Look(earlier.text, later.steps + earlier.steps, passed) if passed <= MAX_TURNS else None


def _anew(raw: Raw, grown: Growth) -> Look:
    found = _look(memoryview(raw))
    left = _look(grown.left)
    if left.text is None and found.text is not None:
        _keep(grown, Look(found.text, found.steps - left.steps, found.passed - left.passed))
    return found


def _keep(grown: Growth, found: Look) -> None:
    if found.text is not None and len(found.text) <= SHORT:
        grown.now.facts[FOUND] = found


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
