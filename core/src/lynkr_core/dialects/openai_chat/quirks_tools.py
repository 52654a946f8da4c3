"""Quirks inside tools: kinds, keys and schema words that a provider does not take."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE, Fields
from lynkr_core.dialects.openai_chat.quirks_messages import concerns, listed, occurring, opened, plain
from lynkr_core.dialects.openai_chat.translate import Translated, note

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Words of a schema below which the keys are names of the author's, not words."""
_PROMPT = "Answer with one JSON object and nothing else. It must match this JSON schema:\n"


class Tools(Struct, frozen=True, kw_only=True):
    """Quirks inside tools. An empty one looks at nothing.

    `kinds`: the types of tools that the provider has, others are left out; empty when it may have any. `drop`: keys of a tool
    or its `function` that it refuses. `schema`: words that it refuses in a schema; of `additionalProperties` only `false`. `signs` is worked
    out from the others: bytes of which at least one is in every tool list that is concerned.
    """

    kinds: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    schema: frozenset[str] = frozenset()
    signs: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        words = [*self.drop, *self.schema, *(("type",) if self.kinds else ())]
        structs.force_setattr(self, "signs", tuple([b'"%b"' % word.encode() for word in words]))

    def apply(self, fields: Fields, losses: list[str]) -> bool:
        """Changes the request's tools in place; see `Quirks.apply`."""
        given: Any = fields.get("tools")
        present = occurring(self.signs, given) if self.signs and given else ()
        before = listed(given) if present else None
        if before is None:
            return False
        kept = [item for item in before if self._has(item, losses)]
        after = [self._tool(item, losses) if concerns(present, item) else item for item in kept]
        if after == before:
            return False
        fields["tools"] = after
        if not after:  # both are refused where there are no tools
            for key in ("tools", "tool_choice", "parallel_tool_calls"):
                fields.pop(key, None)
        return True

    def _has(self, item: Any, losses: list[str]) -> bool:
        tool = opened(item) if self.kinds else None
        kind = "" if tool is None else plain(tool.get("type"))
        if tool is None or not kind or kind in self.kinds:
            return True
        named = (opened(tool.get(kind)) or tool).get("name")
        note(losses, f"tools: {plain(named) or kind} is of kind {kind}, which the provider does not have")
        return False

    def _tool(self, item: Any, losses: list[str]) -> Any:
        tool = opened(item)
        if tool is None:
            return item
        before = dict(tool)
        self._take(tool, losses)
        function = opened(tool.get("function"))
        if function is not None:
            inner = dict(function)
            self._take(function, losses)
            if self.schema and "parameters" in function:
                function["parameters"] = self.stripped(function["parameters"], losses)
            if function != inner:
                tool["function"] = function
        return item if tool == before else tool

    def _take(self, fragment: dict[str, Any], losses: list[str]) -> None:
        for key in self.drop & fragment.keys():
            self._note(key, fragment.pop(key), losses)

    def stripped(self, parameters: Any, losses: list[str]) -> Any:
        """A schema without the refused words; the very same when it has none."""
        text = bytes(parameters if isinstance(parameters, Raw) else _encode(parameters))
        if not any(b'"%b"' % word.encode() in text for word in self.schema):
            return parameters
        try:
            schema = _decode(text)
        except UNREADABLE:
            return parameters
        without = self._strip(schema, losses)
        return parameters if without == schema else without

    def _strip(self, schema: Any, losses: list[str]) -> Any:
        if isinstance(schema, list):
            return [self._strip(item, losses) for item in cast("list[Any]", schema)]
        if not isinstance(schema, dict):
            return schema
        out: dict[str, Any] = {}
        for key, value in cast("dict[str, Any]", schema).items():
            if key in self.schema and (key != "additionalProperties" or value is False):
                self._note(key, value, losses)
            elif key in _NAMED and isinstance(value, dict):
                named = cast("dict[str, Any]", value)
                out[key] = {name: self._strip(inner, losses) for name, inner in named.items()}
            else:
                out[key] = value if key in ("const", "enum", "default", "examples") else self._strip(value, losses)
        return out

    def _note(self, key: str, value: Any, losses: list[str]) -> None:
        if value not in (None, Raw(b"null")):
            note(losses, f"tools.{key}: the provider refuses it")


def in_prompt(fields: Fields, losses: list[str]) -> bool:
    """Writes a wanted schema into the prompt, for a provider that can only be told to answer with JSON. True when there was one."""
    wanted = opened(fields.get("response_format"))
    if wanted is None or plain(wanted.get("type")) != "json_schema":
        return False
    inner = opened(wanted.get("json_schema")) or {}
    schema: Any = inner.get("schema")
    fields["response_format"] = {"type": "json_object"}
    note(losses, "response_format: the provider does not hold the model to a schema, it is told in the prompt")
    messages = listed(fields.get("messages"))
    if messages is not None and schema is not None:
        text = _PROMPT + bytes(schema if isinstance(schema, Raw) else _encode(schema)).decode()
        first = opened(messages[0]) if messages else None
        at = 1 if first is not None and plain(first.get("role")) in ("system", "developer") else 0
        prompt = {"role": "system", "content": text}
        fields["messages"] = shifted(fields["messages"], [*messages[:at], prompt, *messages[at:]], at)
    return True


def shifted(before: Any, after: list[Any], at: int) -> Any:
    """The thinking that a translation remembers moves with its messages."""
    if not isinstance(before, Translated):
        return after
    moved = Translated(after)
    moved.opaque = before.opaque
    moved.thoughts = {index + (index >= at): text for index, text in before.thoughts.items()}
    return moved
