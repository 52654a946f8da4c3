"""What Databricks wants of messages beyond OpenAI's rules (LiteLLM 1.109: its Databricks transformation)."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from lynkr_core.dialect import Fields
from lynkr_core.dialects.openai_chat.quirks_messages import listed, opened, plain
from lynkr_core.dialects.openai_chat.translate import note

Message = dict[str, Any]
EMPTY = (None, "", Raw(b"null"), Raw(b'""'))
SERIAL = "messages: Databricks takes no parallel tool results, so each call stands before its own"


def suited(fields: Fields, losses: list[str]) -> bool:
    """Without empty texts, and each tool result directly after its call. True when something was changed."""
    before = listed(fields.get("messages"))
    if before is None:
        return False
    after = serial([without_empty(item) for item in before], losses)
    if after == before:
        return False
    fields["messages"] = after
    return True


def without_empty(item: Any) -> Any:
    """The message without empty text blocks; a call or a result that says nothing has no content at all."""
    if isinstance(item, Raw) and b'""' not in bytes(item) and b"null" not in bytes(item):
        return item
    message = opened(item)
    if message is None or "content" not in message:
        return item
    content: Any = message["content"]
    if content in EMPTY:
        if plain(message.get("role")) not in ("assistant", "tool"):
            return item
        del message["content"]
        return message
    blocks = None if isinstance(content, str) else listed(content)
    full = [block for block in blocks or () if not is_empty(block)]
    if blocks is None or len(full) == len(blocks) or not full:
        return item
    return {**message, "content": full}


def is_empty(block: Any) -> bool:
    fields = opened(block) or {}
    return plain(fields.get("type")) == "text" and not plain(fields.get("text")).strip()


def serial(messages: list[Any], losses: list[str]) -> list[Any]:
    """`[calls a and b, result a, result b]` as `[call a, result a, call b, result b]`, where calls and results match."""
    out: list[Any] = []
    at = 0
    while at < len(messages):
        turn = calls_of(messages[at])
        results = results_after(messages, at) if len(turn) > 1 else {}
        if not results or results.keys() != turn.keys():
            out.append(messages[at])
            at += 1
            continue
        note(losses, SERIAL)
        first = opened(messages[at]) or {}
        for id, result in results.items():
            out += [{**first, "tool_calls": [turn[id]]}, result]
            first = {"role": "assistant"}
        at += 1 + len(results)
    return out


def calls_of(item: Any) -> dict[str, Any]:
    """The calls of an assistant message by id; none where two have the same."""
    message = opened(item) if not isinstance(item, Raw) or b'"tool_calls"' in bytes(item) else None
    calls = listed((message or {}).get("tool_calls")) or []
    found = {plain((opened(call) or {}).get("id")): call for call in calls}
    return found if len(found) == len(calls) else {}


def results_after(messages: list[Any], at: int) -> dict[str, Any]:
    """The tool messages that follow, by their call's id; none where two have the same."""
    found: dict[str, Any] = {}
    for item in messages[at + 1 :]:
        message: Message = opened(item) or {}
        if plain(message.get("role")) != "tool":
            break
        id = plain(message.get("tool_call_id"))
        if id in found:
            return {}
        found[id] = item
    return found
