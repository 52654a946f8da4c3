"""What providers of this API want otherwise than OpenAI, as a table that is applied to a request on its way out.

    QUIRKS = Quirks(
        rename={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
        drop={"logit_bias": "Mistral has no such parameter"},
        values={"tool_choice": {"required": Instead({"tool_choice": "any"})}},
        messages=Messages(thinking=STRIPPED),
    )

    class Mistral(ChatProvider):
        quirks = QUIRKS

Top-level keys are compared by name and not decoded. Messages and tools are decoded only when the bytes that a quirk is about occur in
them, and only those messages and tools are written anew that had to be changed. What is taken out is told in `losses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE, Dialect, Fields
from lynkr_core.dialects.openai_chat.quirks_messages import STRIPPED, Messages, Thinking
from lynkr_core.dialects.openai_chat.quirks_tools import Tools, in_prompt
from lynkr_core.dialects.openai_chat.translate import note
from lynkr_core.exchange import Candidate
from lynkr_core.provider import HTTPProvider

__all__ = [
    "ANY",
    "KEPT",
    "OBJECT",
    "STRIPPED",
    "ChatProvider",
    "Instead",
    "Messages",
    "Quirks",
    "Thinking",
    "Tools",
    "keys",
    "refused",
]

ANY = "*"
"""In `Quirks.values`: every value that is not named."""
OBJECT = "{}"
"""In `Quirks.values`: every object, such as the choice of one tool by its name."""
_NULL = Raw(b"null")
_decode = msgspec.json.Decoder().decode


class Instead(Struct, frozen=True):
    """What goes out instead of one value: other keys with their values. `loss` says what the caller does not get, if anything."""

    fields: Mapping[str, Any] = {}
    loss: str = ""


KEPT = None
"""In `Quirks.values`: this value is sent as it is."""


def keys(words: str) -> frozenset[str]:
    """`keys("model messages")`: a set of keys as one line of text."""
    return frozenset(words.split())


def refused(why: str, *keys: str) -> dict[str, str]:
    """An entry of `Quirks.drop` for each key."""
    return dict.fromkeys(keys, why)


class Quirks(Struct, frozen=True, kw_only=True):
    """The table. Applied in this order; an empty one changes nothing.

    `values`: by key, then by value as it is written in JSON (a string without its quotes), what goes out instead. `most`: numbers that
    may not be larger. `rename`: the provider's name of a key. `drop`: keys it refuses, and why; without a why nothing is lost by it.
    `allow`: the only keys it takes, for providers that refuse all others. `schema_in_prompt`: it takes `json_object` alone, so a
    schema is told to the model in words.
    """

    values: Mapping[str, Mapping[str, Instead | None]] = {}
    most: Mapping[str, float] = {}
    rename: Mapping[str, str] = {}
    drop: Mapping[str, str] = {}
    allow: frozenset[str] = frozenset()
    schema_in_prompt: bool = False
    messages: Messages = Messages()
    tools: Tools = Tools()

    def apply(self, fields: Fields, losses: list[str]) -> bool:
        """Changes the request in place. True when something was changed."""
        changed = self._replace(fields, losses)
        changed |= self._limit(fields, losses)
        changed |= self._rename(fields, losses)
        changed |= self._drop(fields, losses)
        changed |= self.schema_in_prompt and in_prompt(fields, losses)
        changed |= self.tools.apply(fields, losses)
        return self.messages.apply(fields, losses) or changed

    def _replace(self, fields: Fields, losses: list[str]) -> bool:
        changed = False
        for key, known in self.values.items():
            if key not in fields or fields[key] in (None, _NULL):
                continue
            word = written(fields[key])
            instead = known[word] if word in known else known.get(OBJECT if word[:1] == "{" else ANY)
            if instead is not None:
                del fields[key]
                fields.update({name: value for name, value in instead.fields.items() if name == key or name not in fields})
                if instead.loss:
                    note(losses, f"{key}: {instead.loss}")
                changed = True
        return changed

    def _limit(self, fields: Fields, losses: list[str]) -> bool:
        changed = False
        for key, most in self.most.items():
            value = number(fields.get(key))
            if value is not None and value > most:
                fields[key] = most
                note(losses, f"{key}: {value:g} is over the provider's {most:g}, which was sent")
                changed = True
        return changed

    def _rename(self, fields: Fields, losses: list[str]) -> bool:
        changed = False
        for key, name in self.rename.items():
            if key not in fields:
                continue
            value = fields.pop(key)
            changed = True
            if fields.get(name) in (None, _NULL):
                fields[name] = value
            elif value not in (_NULL, fields[name]):
                note(losses, f"{key}: {name} was given too")
        return changed

    def _drop(self, fields: Fields, losses: list[str]) -> bool:
        found = [key for key in self.drop if key in fields]
        if self.allow:
            found += [key for key in fields if key not in self.allow and key not in self.drop]
        for key in found:
            why = self.drop.get(key, "the provider has no such parameter")
            if fields.pop(key) not in (None, _NULL) and why:
                note(losses, f"{key}: {why}")
        return bool(found)


class ChatProvider(HTTPProvider):
    """A provider that speaks chat with quirks, and perhaps other dialects without."""

    quirks: Quirks = Quirks()

    def quirks_of(self, model: str) -> Quirks:
        """The table for one model, where models differ."""
        return self.quirks

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return dialect.name == "openai.chat" and self.quirks_of(candidate.model).apply(fields, losses)


def written(value: Any) -> str:
    """The value as JSON, a string without its quotes."""
    text = bytes(value if isinstance(value, Raw) else msgspec.json.encode(value))
    return text.decode("utf-8", "replace").strip('"')


def number(value: Any) -> float | None:
    """None for what is no number; the provider says itself what is wrong with that."""
    try:
        plain = _decode(value) if isinstance(value, Raw) else value
    except UNREADABLE:
        return None
    return cast("float", plain) if isinstance(plain, int | float) and not isinstance(plain, bool) else None
