"""What of a Chat Completions request is understood; the rest of it only another upstream of this API can be given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from lynkr_core.dialects.leftovers import LEAF, Kinds, Leftovers, told
from lynkr_core.request import Request

_CACHED = {"cache_control": LEAF}
_POINTER: dict[str, Any] = {"url": LEAF, "detail": LEAF}
_CONTENT = Kinds({
    **{key: {"text": LEAF, **_CACHED} for key in ("text", "input_text", "output_text")},
    "refusal": {"refusal": LEAF},
    "thinking": {"thinking": LEAF},
    "image_url": {"image_url": _POINTER, **_CACHED},
    "video_url": {"video_url": _POINTER, **_CACHED},
    "input_audio": {"input_audio": {"data": LEAF, "format": LEAF}, **_CACHED},
    "file": {"file": dict.fromkeys(("file_id", "file_data", "filename"), LEAF), **_CACHED},
}, default="text")  # fmt: skip
_FUNCTION: dict[str, Any] = {"name": LEAF, "arguments": LEAF}
_CALL: dict[str, Any] = {
    "index": LEAF, "id": LEAF, "type": LEAF, "function": _FUNCTION, "custom": {"name": LEAF, "input": LEAF}, "extra_content": LEAF,
}  # fmt: skip
_MESSAGES = Leftovers("messages", {
    **dict.fromkeys(("role", "name", "refusal", "reasoning_content", "reasoning", "tool_call_id", "annotations", "audio"), LEAF),
    "content": _CONTENT, "tool_calls": _CALL, "function_call": _FUNCTION,
})  # fmt: skip
_TOOLS = Leftovers("tools", {
    "type": LEAF, "function": dict.fromkeys(("name", "description", "parameters", "strict"), LEAF),
    "custom": dict.fromkeys(("name", "description", "format"), LEAF), **_CACHED,
})  # fmt: skip
_FORMAT = Leftovers("response_format", {
    "type": LEAF, "json_schema": dict.fromkeys(("name", "description", "schema", "strict"), LEAF),
})  # fmt: skip


def leftovers(request: Request) -> list[str]:
    tools = [tool for tool in request.tools if tool.kind in ("function", "custom")]
    return told([*_MESSAGES.of(request.messages), *_TOOLS.of(tools)])


def inside(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Unknown keys of the objects at the top level, for `Request.extra`."""
    return _FORMAT.top(fields)
