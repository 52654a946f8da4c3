"""What is measured around the ask, each from 0 to 1: tools and history.

By the rubric neither raises a tier, and the outcomes agree, so none of these has a weight. They are told, because people ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Raw

from lynkr_core.dialect import Envelope
from lynkr_scorer_heuristic.signals import share

ABSENT = dict.fromkeys(("tool_count", "tool_complexity", "tool_chain", "conversation_depth", "prior_tool_use"), 0.0)
"""What is told of them when there is nothing around the ask; as their points it is told always."""
LOOKED_AT = 8_192
"""Bytes looked at: of the tools the first, of a conversation that is new the last."""
SCHEMAS = (b'"parameters"', b'"input_schema"')
ROLE = b'"role"'
"""In each turn."""
_call = re.compile(rb'"tool_(?:use|calls)"|"function_call"')
(UNDERSCORE,) = b"_"
"""In each of these; a byte is looked for in no time."""


def history_of(fields: Mapping[str, Raw]) -> bytes:
    raw = fields.get("messages") or fields.get("input")
    return b"" if not raw else bytes(raw) if len(raw) <= LOOKED_AT else bytes(memoryview(raw)[-LOOKED_AT:])


def tools_of(envelope: Envelope) -> tuple[int, int]:
    """How many tools are described, and in how many bytes. A conversation that goes on has them from before."""
    grown = envelope.grown
    tools = grown.leading("tools") if grown is not None else None
    if grown is None or tools is None:
        return described(envelope.fields.get("tools"))
    return grown.once("tools", None, lambda: (described(tools), 0))


def described(raw: Raw | None) -> tuple[int, int]:
    tools = bytes(memoryview(raw)[:LOOKED_AT]) if raw else b""
    return schemas(tools), len(tools)


def schemas(tools: bytes) -> int:
    """How many tools are described; a list is written in one API's way."""
    return next((count for schema in SCHEMAS if (count := tools.count(schema))), 0)


def tool_count(count: int) -> float:
    """Tools, full at twenty."""
    return share(count, 20)


def tool_complexity(size: int, count: int) -> float:
    """Bytes of a tool's description, full at 2,000."""
    return share(size / count, 2_000) if count else 0.0


def tool_chain(count: float, steps: float) -> float:
    """Several tools where several steps are worded."""
    return count * steps


def conversation_depth(turns: int) -> float:
    """Turns after the first, full at twenty."""
    return share(max(0, turns - 1), 20)


def prior_tool_use(history: bytes) -> float:
    """Whether tools were called of late."""
    return 1.0 if UNDERSCORE in history and _call.search(history) else 0.0


def measured(envelope: Envelope, steps: float) -> dict[str, float]:
    """Those that are not 0; `steps` is the ask's own `multi_step`."""
    found: dict[str, float] = {}
    grown = envelope.grown
    number, size = tools_of(envelope)
    if size:
        count = tool_count(number)
        told = {"tool_count": count, "tool_complexity": tool_complexity(size, number), "tool_chain": tool_chain(count, steps)}
        found = {name: value for name, value in told.items() if value}
    history = history_of(envelope.fields)
    if depth := conversation_depth(history.count(ROLE) if grown is None else grown.counted(ROLE)):
        found["conversation_depth"] = depth
        if used := prior_tool_use(history):
            found["prior_tool_use"] = used
    return found
