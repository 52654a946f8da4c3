"""What is kept of a response: who owns it, the conversation that led to it, and the response as its caller got it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, opens_with
from lynkr_core.errors import InvalidRequest

encode = msgspec.json.Encoder().encode
_NULL = Raw(b"null")
MAX_ID = 200
"""Characters of an id; OpenAI's have about 55."""


class Record(Struct, frozen=True, kw_only=True):
    """`input`: all the items up to the answer. It is None, and `response` is null, where only the owner is kept."""

    owner: str
    input: list[Raw] | None = None
    response: Raw = _NULL

    def items(self) -> list[Raw] | None:
        """The conversation, the answer included."""
        return None if self.input is None else [*self.input, *read_answer(self.response).output]


class Answer(Struct, frozen=True):
    """The keys of a response object that are looked at."""

    id: str = ""
    status: str | None = None
    output: list[Raw] = []


_record = msgspec.json.Decoder(Record)
_answer = msgspec.json.Decoder(Answer)
_items = msgspec.json.Decoder(list[Raw])
_string = msgspec.json.Decoder(str)
_fields = msgspec.json.Decoder(dict[str, Raw])


def read_record(data: bytes) -> Record:
    return _record.decode(data)


def read_answer(body: bytes | Raw) -> Answer:
    """Raises `msgspec.DecodeError` for what is no response object."""
    return _answer.decode(body)


def text_of(fields: Mapping[str, Raw], key: str) -> str | None:
    """A string of the request; None when it is missing or null. Raises `InvalidRequest`."""
    raw = fields.get(key)
    if raw is None or raw == _NULL:
        return None
    try:
        value = _string.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{key}: {error}", param=key) from None
    if not 0 < len(value) <= MAX_ID:
        raise InvalidRequest(f"{key}: expected 1 to {MAX_ID} characters", param=key)
    return value


def is_set(fields: Mapping[str, Raw], key: str) -> bool:
    return fields.get(key, _NULL) != _NULL


def input_items(fields: Mapping[str, Raw]) -> list[Raw]:
    """The input as items: a text is the user's message. Raises `InvalidRequest`."""
    raw = fields.get("input", _NULL)
    if raw == _NULL:
        return []
    try:
        if opens_with(raw, b'"'):
            return [Raw(encode({"type": "message", "role": "user", "content": [{"type": "input_text", "text": raw}]}))]
        return _items.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"input: {error}", param="input") from None


def listed(item: Raw, id: str) -> dict[str, Any]:
    """An input item as the API lists it: every one has a type and an id, and a message's content is a list."""
    try:
        fields: dict[str, Any] = dict(_fields.decode(item))
    except UNREADABLE:
        return {"id": id, "type": "unknown"}
    if not is_set(fields, "type"):
        fields["type"] = "message"
    if not is_set(fields, "id"):
        fields["id"] = id
    content = fields.get("content")
    if content is not None and opens_with(content, b'"'):
        kind = "output_text" if fields.get("role") == Raw(b'"assistant"') else "input_text"
        fields["content"] = [{"type": kind, "text": content}]
    return fields
