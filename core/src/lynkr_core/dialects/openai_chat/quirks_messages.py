"""Quirks inside messages: keys, thinking, content and order that a provider wants otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, cast

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.openai_chat.translate import LOST_THINKING, Translated, note

Fragment = dict[str, Any]
_NULL = Raw(b"null")
_EMPTY: tuple[Any, ...] = (None, "", [], _NULL, Raw(b'""'), Raw(b"[]"))
ROLE = b'"role"'
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")
_MORE_SYSTEM = "messages: the provider has one system prompt, a later one went into a user message"
_decode = msgspec.json.Decoder().decode
_list = msgspec.json.Decoder(list[Raw]).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


class Thinking(Struct, frozen=True):
    """What becomes of earlier thinking in assistant messages.

    `key`: the key under which the provider takes it; None when it takes none. `missing`: which assistant messages get a space where
    they bring none, because the provider refuses them without: those with tool calls, or all.
    """

    key: str | None = "reasoning_content"
    missing: Literal["none", "calls", "all"] = "none"


STRIPPED = Thinking(key=None)


class Messages(Struct, frozen=True, kw_only=True):
    """Quirks inside messages. An empty one looks at nothing.

    `roles`: the provider's word for a role it does not know. `parts_drop`: keys of content parts that it refuses. `thinking`: see
    `Thinking`; None leaves it as it came. `drop`: keys that are refused, and why; without a why nothing is lost. `allow`: by role the
    only keys that are taken. `no_nulls`: keys without a value are left out. `text_only`: content lists become strings, what is no text
    is left out. `prefill`: the key, set to true, by which a last assistant message is continued. `alternate`: messages of one role
    that follow each other are joined, and a system prompt is only the first one. `no_empty_answers`: assistant messages that say and
    call nothing are left out. `id_length`: tool-call ids are letters and digits, exactly so many. `signs` is worked out from the
    others: bytes of which at least one is in every message list that is concerned.
    """

    roles: Mapping[str, str] = {}
    parts_drop: frozenset[str] = frozenset()
    thinking: Thinking | None = None
    drop: Mapping[str, str] = {}
    allow: Mapping[str, frozenset[str]] = {}
    no_nulls: bool = False
    text_only: bool = False
    prefill: str = ""
    alternate: bool = False
    no_empty_answers: bool = False
    id_length: int = 0
    signs: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        signs = [b'"%b"' % key.encode() for key in (*self.drop, *self.roles, *self.parts_drop)]
        filled = self.thinking is not None and self.thinking.missing != "none"
        for wanted, sign in (
            (self.thinking, b'"reasoning'), (self.allow or self.alternate, ROLE), (self.no_nulls, b"null"),
            (filled or self.prefill or self.no_empty_answers, b'"assistant"'), (self.text_only, b'"type"'), (self.id_length, b'"tool_call'),
        ):  # fmt: skip
            signs += [sign] if wanted else []
        structs.force_setattr(self, "signs", tuple(signs))

    def apply(self, fields: Fields, losses: list[str]) -> bool:
        """Changes the request's messages in place; see `Quirks.apply`. What is no list of objects is the provider's to refuse."""
        messages: Any = fields.get("messages")
        present = occurring(self.signs, messages) if self.signs and messages else ()
        before = listed(messages) if present else None
        if before is None:
            return False
        thoughts = self._thoughts(messages, losses)
        after = [
            self._message(item, thoughts.get(index), losses) if index in thoughts or concerns(present, item) else item
            for index, item in enumerate(before)
        ]
        after = self._ordered(after, losses)
        if after == before:
            return False
        fields["messages"] = after
        return True

    def _thoughts(self, messages: Any, losses: list[str]) -> Mapping[int, str]:
        """The thinking that another dialect's conversation had, by place, when the provider takes it: then it is not lost."""
        if not isinstance(messages, Translated) or self.thinking is None or self.thinking.key is None:
            return {}
        if messages.thoughts and not messages.opaque and LOST_THINKING in losses:
            losses.remove(LOST_THINKING)
        return messages.thoughts

    def _message(self, item: Any, thought: str | None, losses: list[str]) -> Any:
        """The message as the provider wants it; the very same when there is nothing to change."""
        message = opened(item)
        if message is None:
            return item
        before = dict(message)
        role = plain(message.get("role"))
        if role in self.roles:
            role = message["role"] = self.roles[role]
        if self.thinking is not None and role == "assistant":
            self._think(message, self.thinking, thought, losses)
        self._keys(message, role, losses)
        if self.parts_drop and "content" in message:
            message["content"] = without(self.parts_drop, message["content"], losses)
        if self.text_only and "content" in message:
            message["content"] = text_of(message.get("content"), losses)
        if self.id_length:
            self._ids(message)
        return item if message == before else message

    def _think(self, message: Fragment, wanted: Thinking, thought: str | None, losses: list[str]) -> None:
        if wanted.key is None:
            taken = [message.pop(key) for key in _THOUGHTS if key in message]
            if any(value not in _EMPTY for value in taken):
                note(losses, "messages: earlier reasoning is refused by the provider")
            return
        given = [(key, message[key]) for key in _THOUGHTS[:2] if is_text(message.get(key))]
        value = given[0][1] if given else thought
        called = message.get("tool_calls") not in _EMPTY
        if value is None and (wanted.missing == "all" or (called and wanted.missing == "calls")):
            value = " "
        if value is not None:
            for key, _ in given:
                del message[key]
            message[wanted.key] = value

    def _keys(self, message: Fragment, role: str, losses: list[str]) -> None:
        allowed = self.allow.get(role)
        for key in list(message):
            value = message[key]
            if key in self.drop or (allowed is not None and key not in allowed):
                why = self.drop.get(key, f"the provider has no such key in {role} messages")
                del message[key]
                if value not in _EMPTY and why:
                    note(losses, f"messages.{key}: {why}")
            elif self.no_nulls and value in (None, _NULL):
                del message[key]

    def _ids(self, message: Fragment) -> None:
        self._id(message, "tool_call_id")
        before = listed(message.get("tool_calls")) or []
        after = [opened(call) or {} for call in before]
        replaced = [self._id(call, "id") for call in after]
        if any(replaced):
            message["tool_calls"] = after

    def _id(self, fragment: Fragment, key: str) -> bool:
        """The id as it is, or the same stand-in for it in the call and its result. True when it was replaced."""
        id = plain(fragment.get(key))
        if not id or (len(id) == self.id_length and id.isalnum() and id.isascii()):
            return False
        fragment[key] = blake2b(id.encode("utf-8", "replace"), digest_size=32).hexdigest()[: self.id_length]
        return True

    def _ordered(self, messages: list[Any], losses: list[str]) -> list[Any]:
        """What concerns the list as a whole."""
        if self.no_empty_answers:
            messages = [item for item in messages if not is_empty_answer(item)]
        if self.alternate:
            messages = alternating(messages, losses)
        last = opened(messages[-1]) if self.prefill and messages else None
        if last is not None and plain(last.get("role")) == "assistant" and last.get("tool_calls") in _EMPTY:
            messages = [*messages[:-1], {**last, self.prefill: True}]
        return messages


def occurring(signs: Sequence[bytes], value: Any) -> Sequence[bytes]:
    """Those of the signs that occur in a value of the wire; all for one that was made here."""
    if not isinstance(value, Raw):
        return signs
    text = bytes(value)
    return [sign for sign in signs if sign in text]


def concerns(signs: Sequence[bytes], value: Any) -> bool:
    """Does one of the signs occur? Every message has a role."""
    if ROLE in signs or not isinstance(value, Raw):
        return True
    text = bytes(value)
    return any(sign in text for sign in signs)


def listed(value: Any) -> list[Any] | None:
    """A list, whether it came from the wire or was made here."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    try:
        return cast("list[Any]", _list(value)) if isinstance(value, Raw) else None
    except UNREADABLE:
        return None


def opened(value: Any) -> Fragment | None:
    """An object by key, values of the wire untouched."""
    if isinstance(value, dict):
        return cast("Fragment", value).copy()
    try:
        return cast("Fragment", _object(value)) if isinstance(value, Raw) else None
    except UNREADABLE:
        return None


def plain(value: Any) -> str:
    """A string, whether it came from the wire or was made here; empty for anything else."""
    try:
        decoded = _decode(value) if isinstance(value, Raw) else value
    except UNREADABLE:
        return ""
    return decoded if isinstance(decoded, str) else ""


def is_text(value: Any) -> bool:
    """Is this a string with something in it?"""
    if isinstance(value, Raw):
        return bytes(memoryview(value)[:1]) == b'"' and value != Raw(b'""')
    return isinstance(value, str) and value != ""


def without(keys: frozenset[str], content: Any, losses: list[str]) -> Any:
    """A content list whose parts do not have these keys; the very same when none has."""
    before = None if is_text(content) else listed(content)
    parts = [opened(part) for part in before or ()]
    if before is None or not any(part is not None and keys & part.keys() for part in parts):
        return content
    for key in sorted(keys):
        if any(part is not None and part.get(key) not in (*_EMPTY, _NULL) for part in parts):
            note(losses, f"messages.content.{key}: the provider refuses it")
    return [
        item if part is None else {key: value for key, value in part.items() if key not in keys}
        for item, part in zip(before, parts, strict=True)
    ]


def text_of(content: Any, losses: list[str]) -> Any:
    """A content list as a string."""
    items = None if is_text(content) else listed(content)
    if items is None:
        return content
    texts: list[str] = []
    for item in items:
        part = opened(item) or {}
        if plain(part.get("type")) == "text" or isinstance(item, str):
            texts.append(plain(part.get("text", item)))
        else:
            note(losses, f"messages.content: a part of type {plain(part.get('type')) or 'unknown'}, the provider reads text only")
    return "\n\n".join(texts)


def is_empty_answer(item: Any) -> bool:
    message = opened(item)
    if message is None or plain(message.get("role")) != "assistant":
        return False
    return message.get("content") in _EMPTY and message.get("tool_calls") in _EMPTY


def alternating(messages: list[Any], losses: list[str]) -> list[Any]:
    """The same with the texts of one role that follow each other joined."""
    out: list[Any] = []
    roles: list[str] = []
    for item in messages:
        message = opened(item)
        role = plain(message.get("role")) if message is not None else ""
        if message is not None and role in ("system", "developer") and {"user", "assistant"} & set(roles):
            role, item = "user", {**message, "role": "user"}
            note(losses, _MORE_SYSTEM)
        joined = join(out[-1], item) if roles and role == roles[-1] != "" else None
        if joined is None:
            out.append(item)
            roles.append(role)
        else:
            out[-1] = joined
    return out


def join(first: Any, second: Any) -> Fragment | None:
    """Two messages as one; None when they hold more than content."""
    one, two = opened(first), opened(second)
    if one is None or two is None or not one.keys() | two.keys() <= {"role", "content"}:
        return None
    before, after = one.get("content"), two.get("content")
    if is_text(before) and is_text(after):
        return {**one, "content": f"{plain(before)}\n\n{plain(after)}"}
    return {**one, "content": [*pieces(before), *pieces(after)]}


def pieces(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if is_text(content) else listed(content) or []
