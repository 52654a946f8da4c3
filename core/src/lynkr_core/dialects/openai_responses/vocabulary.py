"""What of a Responses request is understood; the rest of it only another upstream of this API can be given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.leftovers import LEAF, Kinds, Leftovers, told
from lynkr_core.request import Request

_FILE: dict[str, Any] = dict.fromkeys(("file_id", "file_data", "file_url", "filename"), LEAF)
_CONTENT = Kinds({
    **dict.fromkeys(("input_text", "output_text", "text"), dict.fromkeys(("text", "annotations", "logprobs"), LEAF)),
    "refusal": {"refusal": LEAF},
    "input_image": dict.fromkeys(("image_url", "detail", "file_id"), LEAF),
    "input_file": _FILE,
})  # fmt: skip
_OF_ITEM = dict.fromkeys(("id", "status"), LEAF)
_CALL = dict.fromkeys(("call_id", "name", "namespace"), LEAF)
_OUTPUT = {**_OF_ITEM, "call_id": LEAF, "name": LEAF, "output": _CONTENT}
_ITEMS = Leftovers("input", Kinds({
    "message": {**_OF_ITEM, "role": LEAF, "content": _CONTENT},
    "function_call": {**_OF_ITEM, **_CALL, "arguments": LEAF},
    "custom_tool_call": {**_OF_ITEM, **_CALL, "input": LEAF},
    "function_call_output": _OUTPUT, "custom_tool_call_output": _OUTPUT,
    "reasoning": {**_OF_ITEM, **dict.fromkeys(("summary", "content", "encrypted_content"), LEAF)},
}, default="message"))  # fmt: skip
_TOOLS = Leftovers("tools", Kinds({
    "function": dict.fromkeys(("name", "description", "parameters", "strict"), LEAF),
    "custom": dict.fromkeys(("name", "description", "format"), LEAF),
}))  # fmt: skip
_FORMAT = Leftovers("text", {
    "verbosity": LEAF, "format": dict.fromkeys(("type", "name", "description", "schema", "strict"), LEAF),
})  # fmt: skip


def leftovers(request: Request) -> list[str]:
    items = [
        message
        for message in request.messages
        if not message.known and message.native is not None and opens_with(message.native, b"{")
    ]
    return told([*_ITEMS.of(items), *_TOOLS.of(request.tools)])


def inside(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Unknown keys of `text.format`, for `Request.extra`; those of `text` and `reasoning` are found beside them."""
    return {path: raw for path, raw in _FORMAT.top(fields).items() if path.startswith("text.format.")}
