"""Tools of a request, both ways."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, structs

from lynkr_core.dialects.losses import note
from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.content import Fragment
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Request, Tool


def read_tool(raw: Raw, path: str) -> Tool:
    """A function, a free-text tool, or one of the provider's own. Raises `InvalidRequest`."""
    tool = wire.read(wire.tools, raw, path)
    body = tool.custom if tool.type == "custom" else tool.function
    if body is None:
        if tool.type in ("function", "custom"):
            raise InvalidRequest(f"{path}.{tool.type}: missing", param=f"{path}.{tool.type}")
        return Tool(name=tool.name or tool.type, kind=tool.type, native=raw)
    return tool_of(tool.type, body, tool.cache_control, raw)


def tool_of(kind: str, body: wire.ToolBody, cache: Raw, native: Raw) -> Tool:
    """A function or a free-text tool."""
    return Tool(
        name=body.name, kind=kind, description=body.description, parameters=wire.given(body.parameters), strict=body.strict,
        cache=wire.given(cache), native=native,
    )  # fmt: skip


def own_tool(tool: Tool) -> Any:
    """A tool of this dialect's own request: as it came, with what was changed replaced, or new."""
    if tool.native is None:
        return write_tool(tool)
    if not tool.edited:
        return tool.native
    before, after = write_tool(read_tool(tool.native, "")), write_tool(tool)
    if before.get("type") != after.get("type"):
        return after
    inner = wire.objects.decode(tool.native).get(tool.kind)
    changes = difference(before, after)
    if tool.kind in changes and inner is not None:
        changes[tool.kind] = splice(inner, difference(before[tool.kind], after[tool.kind]))
    return splice(tool.native, changes)


def write_tool(tool: Tool) -> Fragment:
    """A tool written anew."""
    if tool.kind not in ("function", "custom"):
        return {"type": tool.kind}
    body: Fragment = {"name": tool.name}
    if tool.description is not None:
        body["description"] = tool.description
    if tool.parameters is not None and tool.kind == "function":
        body["parameters"] = tool.parameters
    if tool.strict is not None and tool.kind == "function":
        body["strict"] = tool.strict
    fragment: Fragment = {"type": tool.kind, tool.kind: body}
    if tool.cache is not None:
        fragment["cache_control"] = tool.cache
    return fragment


def translate_tools(request: Request, losses: list[str]) -> list[Tool]:
    """The tools that chat has a form for, without another dialect's cache markers and under names that it takes."""
    tools: list[Tool] = []
    for tool in request.tools:
        if tool.kind not in ("function", "custom"):
            note(losses, f"tools: {tool.name} is of kind {tool.kind}, which chat does not have")
            continue
        if tool.kind == "custom" and tool.native is not None and "format" in wire.objects.decode(tool.native):
            note(losses, f"tools: the grammar of {tool.name} cannot be carried")
        name = safe_name(tool.name)
        changed = tool.cache is not None or name != tool.name
        tools.append(structs.replace(tool, name=name, cache=None, native=None) if changed else tool)
    return tools
