"""What of a Messages request is understood; the rest of it only another upstream of this API can be given."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.leftovers import LEAF, Kinds, Leftovers, told
from lynkr_core.request import Request

_CACHED = {"cache_control": LEAF}
_SOURCE = {"type": LEAF, "media_type": LEAF, "data": LEAF, "url": LEAF, "file_id": LEAF, "content": LEAF}
_PLAIN = {
    "text": {"text": LEAF, "citations": LEAF, **_CACHED},
    "image": {"source": _SOURCE, **_CACHED},
    "document": {"source": _SOURCE, "title": LEAF, **_CACHED},
}
_CONTENT = Kinds({
    **_PLAIN,
    "thinking": {"thinking": LEAF, "signature": LEAF},
    "redacted_thinking": {"data": LEAF},
    "tool_use": {"id": LEAF, "name": LEAF, "input": LEAF, **_CACHED},
    "tool_result": {"tool_use_id": LEAF, "content": Kinds(_PLAIN), "is_error": LEAF, **_CACHED},
})  # fmt: skip
_MESSAGES = Leftovers("messages", {"role": LEAF, "content": _CONTENT})
_SYSTEM = Leftovers("system", Kinds(_PLAIN))
_TOOLS = Leftovers(
    "tools",
    dict.fromkeys(("name", "type", "description", "input_schema", "strict", "cache_control"), LEAF),
)  # fmt: skip
_TOP = (
    Leftovers("thinking", dict.fromkeys(("type", "budget_tokens", "display"), LEAF)),
    Leftovers("tool_choice", dict.fromkeys(("type", "name", "disable_parallel_tool_use"), LEAF)),
    Leftovers("metadata", {"user_id": LEAF}),
)


def leftovers(request: Request) -> list[str]:
    functions = [tool for tool in request.tools if tool.kind == "function"]
    blocks = [part for part in request.system if not part.known and part.native is not None and opens_with(part.native, b"{")]
    return told([*_SYSTEM.of(blocks), *_MESSAGES.of(request.messages), *_TOOLS.of(functions)])


def inside(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Unknown keys of the objects at the top level, for `Request.extra`."""
    found: dict[str, Raw] = {}
    for one in _TOP:
        found |= one.top(fields)
    return found
