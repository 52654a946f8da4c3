"""Which conversation does a request belong to? By its client's own name for it, else by how it begins.

Which headers and fields clients use for it stands in `sessions.toml`. Whoever keeps something by session keeps it by principal too:
callers choose these names.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from importlib.resources import files
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, opens_with
from lynkr_core.exchange import Exchange, Key

SHARED = ("beginning", "prompt_cache_key")
"""Sources by which several runs may have the same name."""
LONGEST = 200
"""Characters of a name; of a longer one its digest is taken."""
LOOKED_AT = 65_536
"""Bytes of a conversation, and of the prompt before it, by which it is known."""
FIRST = 4_096
"""Bytes that are looked at first, because they are mostly enough."""
KEPT = 2_048
"""Characters of each text that count."""
MOST = 16
"""Items of a conversation that are looked at for the first thing a user says."""


class Session(Struct, frozen=True, gc=False):
    """`id`: the client's name for it, or `begins:` and a digest. `source`: where that was found.

    `thread` tells apart the conversations of one session, as an agent's own and those of its helpers: a digest of how this one begins.
    It changes when the history is cut or summarised, and with it everything that a provider had cached. Empty where the API keeps it.
    """

    id: str
    source: str
    thread: str = ""


class Turn(Struct, gc=False):
    """What counts of a message."""

    role: Any = None
    text: Any = None
    content: Any = None
    parts: Any = None


class Places(Struct, forbid_unknown_fields=True):
    """`sessions.toml`."""

    headers: list[str]
    fields: list[str]
    metadata: list[str]
    users: list[str]
    mark: str
    elsewhere: list[str]
    prompts: list[str]
    volatile: list[str]


PLACES = msgspec.convert(tomllib.loads(files("lynkr_core").joinpath("sessions.toml").read_text()), Places)
HEADERS = tuple([(name.encode(), f"header {name}") for name in PLACES.headers])
# most requests have none of these: that is seen at once for all of them
NAMING = frozenset([*[header for header, _ in HEADERS], *PLACES.fields, *PLACES.elsewhere, "metadata"])
PROMPTS, ELSEWHERE, VOLATILE = frozenset(PLACES.prompts), frozenset(PLACES.elsewhere), tuple(PLACES.volatile)
SESSION: Key[Session | None] = Key("core.session")
MISSING = cast("Session", SESSION)
SETTLED: Key[bool] = Key("core.settled")
"""Set by whoever has chosen by what a conversation has been so far: it knows better than a rule for new ones."""

_gap = re.compile(r"[\s,\[]*")
_turns = msgspec.json.Decoder(list[Turn]).decode
_item = json.JSONDecoder().raw_decode


def session_of(exchange: Exchange) -> Session | None:
    """Found once per exchange, in some 10 µs. None for operations that are no conversation, and where nothing can be read."""
    if exchange.dialect.operation != "chat" or exchange.envelope is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    found = exchange.get(SESSION, MISSING)
    if found is MISSING:
        found = _found(exchange)
        exchange.set(SESSION, found)
    return found


def named(exchange: Exchange) -> Session | None:
    """The session where its client has named one run: by a header for any operation; not by how it begins, nor by a cache's key."""
    for header, source in HEADERS:
        if header in exchange.headers and (value := exchange.header(header).strip()):
            return Session(short(value), source)
    found = session_of(exchange)
    return found if found is not None and found.source not in SHARED else None


def _found(exchange: Exchange) -> Session | None:
    says = not NAMING.isdisjoint(fields := exchange.envelope.fields)
    thread = "" if says and not ELSEWHERE.isdisjoint(fields) else _thread(exchange)
    for header, source in () if NAMING.isdisjoint(exchange.headers) else HEADERS:
        if value := exchange.header(header).strip():
            return Session(short(value), source, thread)
    for name, source in _named(fields) if says else ():
        return Session(short(name), source, thread)
    return Session(f"begins:{thread}", "beginning", thread) if thread else None


def _thread(exchange: Exchange) -> str:
    fields, grown, key = exchange.envelope.fields, exchange.envelope.grown, exchange.dialect.conversation
    if grown is None:
        return beginning(fields, key)[0]
    prompts = [(name, hash(bytes(fields[name]))) for name in PLACES.prompts if name in fields]
    return grown.once("core.thread", prompts, lambda: beginning(fields, key))


def short(name: str) -> str:
    return name if len(name) <= LONGEST else digest(name)


def digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _named(fields: Mapping[str, Raw]) -> Iterator[tuple[str, str]]:
    """What the body's own fields say, with their names."""
    for field in PLACES.fields:
        if name := _name(_value(fields.get(field))):
            yield name, field
    metadata = _value(fields.get("metadata"))
    if isinstance(metadata, dict):
        said = cast("dict[str, Any]", metadata)
        for key in PLACES.metadata:
            if name := _name(said.get(key)):
                yield name, f"metadata.{key}"
        for key in PLACES.users:
            if name := _of_user(said.get(key)):
                yield name, f"metadata.{key}"


def _value(raw: Raw | None) -> Any:
    """A small JSON value; None for anything else."""
    if raw is None or len(raw) > LOOKED_AT:
        return None
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def _name(value: Any) -> str:
    """Of a name, or of an object with an `id`."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("id")
    return value.strip() if isinstance(value, str) else ""


def _of_user(value: Any) -> str:
    """The session inside a user's id, which has one only sometimes."""
    if not isinstance(value, str):
        return ""
    if value.startswith("{"):
        inner = _value(Raw(value.encode("utf-8", "replace")))
        said = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
        return next((name for key in PLACES.metadata if (name := _name(said.get(key)))), "")
    return value.rpartition(PLACES.mark)[2] if PLACES.mark in value else ""


def beginning(fields: Mapping[str, Raw], conversation: str) -> tuple[str, int]:
    """A digest of the prompt before the conversation and of all up to the first thing a user says, and in how many bytes that was found.

    Empty when nobody says anything. Only texts count: clients move cache markers, and write one text as a string today and as a block
    tomorrow.
    """
    raw = fields.get(conversation)
    if not raw:
        return "", 0
    try:
        told, seen = _up_to_user(raw)
        if not PROMPTS.isdisjoint(fields):
            told = [_texts(_value(fields.get(name))) for name in PLACES.prompts if name in fields] + told
    except (ValueError, RecursionError):
        return "", len(raw)
    return digest("\0".join(told)) if any(told) else "", seen


def _up_to_user(raw: Raw) -> tuple[list[str], int]:
    told: list[str] = []
    size = len(raw)
    try:
        turns = _turns(raw) if size <= FIRST else ()  # a short one is read at once, in a twentieth of the time
    except UNREADABLE:
        turns = ()  # of other things than messages
    for turn in turns:
        told.append(_texts(turn.text or turn.content or turn.parts))
        if len(told) > MOST or turn.role == "user":
            return told, size
    if turns:
        return told, size
    if opens_with(raw, b'"'):
        return [_texts(_value(raw))], size
    for item, seen in _items(raw):
        told.append(_texts(item))
        if len(told) > MOST or (item.__class__ is dict and item.get("role") == "user"):
            return told, seen
    return told, size


def _items(raw: Raw) -> Iterator[tuple[Any, int]]:
    """The items of a JSON array from the front, and how many bytes were looked at for it.

    The first that is not whole in what is looked at is given as text, and the last.
    """
    view, place, size = memoryview(raw), 0, FIRST
    text = bytes(view[:size]).decode("utf-8", "ignore")
    while True:
        gap = _gap.match(text, place)
        place = gap.end() if gap else place
        if text[place : place + 1] == "]":
            return
        try:
            item, place = _item(text, place)
        except ValueError:
            if size >= min(len(view), LOOKED_AT):
                yield text[place:], size
                return
            size *= 4
            text = bytes(view[:size]).decode("utf-8", "ignore")
            continue
        yield item, size


def _texts(value: Any) -> str:
    """All texts in a message, a part, or a list of them."""
    if value.__class__ is str:
        return "" if value.startswith(VOLATILE) else value[:KEPT]
    if value.__class__ is list:
        return "".join([_texts(item) for item in value])
    if value.__class__ is dict:
        return _texts(value.get("text") or value.get("content") or value.get("parts"))
    return ""
