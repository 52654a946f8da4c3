"""One message: read into the model, and written in this dialect's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, structs

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.openai_chat import message as chat
from lynkr_core.dialects.openai_chat.content import Fragment, item_of, kept, write_content
from lynkr_core.dialects.openai_chat.message import write_call
from lynkr_core.dialects.openai_chat.wire import lists, objects, read
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.request import Generic, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse
from lynkr_provider_cohere import wire
from lynkr_provider_cohere.wire import PLAN


def read_message(raw: Raw, path: str) -> Message:
    """As chat's, with what Cohere has beside it. Raises `InvalidRequest` that names the place under `path`."""
    message = chat.read_message(raw, path)
    if message.role == "assistant":
        return structs.replace(message, parts=with_beside(message.parts, raw, path))
    return structs.replace(message, parts=tuple([documented(part) for part in message.parts]))


def with_beside(parts: Sequence[Part], raw: Raw, path: str) -> tuple[Part, ...]:
    """The parts with citations on their texts, and the plan before the calls."""
    found = read(wire.beside, raw, path)
    out = cited(list(parts), found.citations or [], path)
    if found.tool_plan:
        first_call = next((place for place, part in enumerate(out) if isinstance(part, ToolCall)), len(out))
        out.insert(first_call, Reasoning(text=found.tool_plan, id=PLAN))
    return tuple(out)


def cited(parts: list[Part], citations: Sequence[Raw], path: str) -> list[Part]:
    """Citations of a text on the text; those of thinking and plans have no place in the model."""
    by_place: dict[int, list[Raw]] = {}
    for index, raw in enumerate(citations):
        placed = read(wire.places, raw, f"{path}.citations[{index}]")
        if placed.type in (None, "TEXT_CONTENT"):
            by_place.setdefault(placed.content_index or 0, []).append(raw)
    for place, listed in by_place.items():
        part = parts[place] if 0 <= place < len(parts) else None
        target = place if isinstance(part, Text) else next((n for n, p in enumerate(parts) if isinstance(p, Text)), None)
        if target is not None:
            parts[target] = structs.replace(parts[target], annotations=Raw(msgspec.json.encode(listed)))
    return parts


def documented(part: Part) -> Part:
    """Documents as the text that other models can read."""
    if isinstance(part, ToolCallResponse):
        return structs.replace(part, content=tuple([documented(inner) for inner in part.content]))
    if isinstance(part, Generic) and part.type == "document" and part.native is not None:
        inner = objects.decode(part.native).get("document", part.native)
        return Text(text=bytes(inner).decode(), native=part.native)
    return part


def write_own(message: Message) -> list[Any]:
    """A message of this dialect's own request: as it came, with the changed keys replaced, or new."""
    if message.native is None:
        return list(fragments(message))
    if not message.edited:
        return [message.native]
    after = fragments(message)
    if len(after) != 1:
        return list(after)
    return [splice(message.native, difference(fragments(read_message(message.native, ""))[0], after[0]))]


def fragments(message: Message) -> list[Fragment]:
    """Written with the fragments of its untouched parts. Tool results become messages of their own, before the rest."""
    results = [part for part in message.parts if isinstance(part, ToolCallResponse)]
    rest = [part for part in message.parts if not isinstance(part, ToolCallResponse)]
    out: list[Fragment] = [
        {"role": "tool", "tool_call_id": result.id, "content": own_content(result.content)} for result in results
    ]
    if rest or not out:
        role = "user" if message.role == "tool" else message.role
        out.append({"role": role, **(answer_keys(rest) if role == "assistant" else {"content": own_content(rest)})})
    return out


def own_content(parts: Sequence[Part]) -> Any:
    """As chat's; a document that was changed is a plain text."""
    return write_content([plain_if_changed(part) for part in parts], True)


def plain_if_changed(part: Part) -> Part:
    changed = isinstance(part, Text) and part.edited and part.native is not None and b'"document"' in bytes(part.native)
    return structs.replace(part, native=None) if changed else part


def answer_keys(parts: Sequence[Part]) -> Fragment:
    """The keys of an assistant message, role aside."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    items = content_items(parts)
    keys: Fragment = {}
    if items or not calls:
        keys["content"] = items[0]["text"] if len(items) == 1 and is_plain(parts) else items
    plan = "".join([part.text for part in parts if isinstance(part, Reasoning) and is_plan(part)])
    if plan:
        keys["tool_plan"] = plan
    if calls:
        keys["tool_calls"] = [own_call(call) for call in calls]
    listed = citations(parts)
    if listed:
        keys["citations"] = listed
    return keys


def is_plan(part: Part) -> bool:
    return isinstance(part, Reasoning) and part.id == PLAN


def is_plain(parts: Sequence[Part]) -> bool:
    """Did the content come as a bare string, or is it made here of one text?"""
    texts = [part for part in parts if isinstance(part, Text)]
    return len(texts) == 1 and not (texts[0].native is not None and bytes(texts[0].native).startswith(b"{"))


def content_items(parts: Sequence[Part]) -> list[Any]:
    items: list[Any] = []
    for part in parts:
        if isinstance(part, ToolCall) or is_plan(part):
            continue
        native = kept(part)
        if native is not None and bytes(native).startswith(b"{"):
            items.append(native)
        elif isinstance(part, Reasoning):
            items.append({"type": "thinking", "thinking": part.text})
        elif (item := item_of(part)) is not None:
            items.append(item if item["type"] != "refusal" else {"type": "text", "text": item["refusal"]})
    return items


def own_call(call: ToolCall) -> Any:
    return write_call(structs.replace(call, signature=None), native=True)


def citations(parts: Sequence[Part]) -> list[Raw]:
    """Cohere's own citations of all texts."""
    listed: list[Raw] = []
    for part in parts:
        if isinstance(part, Text) and part.annotations is not None and opens_with(part.annotations, b"["):
            listed += [raw for raw in lists.decode(part.annotations) if b'"sources"' in bytes(raw)]
    return listed
