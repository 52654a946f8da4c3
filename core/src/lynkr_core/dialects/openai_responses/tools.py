"""Tools and the choice among them, both ways.

A `namespace` groups functions. Each becomes a tool of its own, named `<namespace>__<function>`, for providers that know no
namespaces; a call of it goes back to the caller with its namespace. Written in this dialect the groups stay as they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialects.names import safe_name
from lynkr_core.dialects.openai_responses.wire import NOTHING, Wire, changes, fragments, is_string, lose, read, some, string
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Tool, ToolChoice

MAX_NAME = 64
_MODES = {"auto": ToolChoice("auto"), "none": ToolChoice("none"), "required": ToolChoice("required")}
_EMPTY = Raw(b'{"type":"object","properties":{}}')


class _Tool(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None
    tools: Raw = NOTHING


class _Choice(Struct):
    type: str
    name: str | None = None
    mode: str | None = None


_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(_Choice)


def qualified(namespace: str | None, name: str) -> str:
    """The name that a namespaced function has outside of its namespace, at most 64 characters."""
    if not namespace:
        return name
    full = f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"
    return full if len(full) <= MAX_NAME else f"{full[: MAX_NAME - 9]}_{sha256(full.encode()).hexdigest()[:8]}"


def read_tools(raw: Raw | None) -> tuple[Tool, ...]:
    """Raises `InvalidRequest`."""
    if some(raw) is None:
        return ()
    assert raw is not None
    return tuple([tool for i, one in enumerate(read(fragments, raw, "tools")) for tool in _read(one, f"tools[{i}]")])


def _read(raw: Raw, path: str, namespace: str | None = None) -> list[Tool]:
    tool = read(_tool, raw, path)
    if tool.type == "namespace":
        nested = read(fragments, tool.tools, f"{path}.tools") if tool.tools else []
        return [found for i, one in enumerate(nested) for found in _read(one, f"{path}.tools[{i}]", tool.name)]
    if tool.type not in ("function", "custom"):
        return [Tool(name=tool.name or tool.type, kind=tool.type, native=raw)]
    if not tool.name:
        raise InvalidRequest(f"{path}.name: required", param=f"{path}.name")
    return [
        Tool(
            name=qualified(namespace, tool.name), kind=tool.type, description=tool.description,
            parameters=some(tool.parameters), strict=tool.strict, native=raw,
        )
    ]  # fmt: skip


class Namespace(Struct):
    """A group of tools: its fragment, the fragments of its members, and their names outside and inside."""

    name: str
    native: Raw
    members: list[Raw]
    names: dict[str, str]


def namespaces(raw: Raw | None) -> list[Namespace]:
    """The groups among the tools. Nothing is decoded when there are none."""
    if some(raw) is None or b'"namespace"' not in bytes(raw or b""):
        return []
    found: list[Namespace] = []
    for one in fragments.decode(raw or b"[]"):
        tool = _tool.decode(one)
        if tool.type == "namespace" and tool.name:
            members = fragments.decode(tool.tools) if tool.tools else []
            inside = [_tool.decode(member).name or "" for member in members]
            found.append(Namespace(tool.name, one, members, {qualified(tool.name, name): name for name in inside}))
    return found


def write_tools(tools: Sequence[Tool], native: Raw | None, losses: list[str]) -> list[Any]:
    """The tools of a request that came in this dialect, with changes; a group that lost all of its members is gone."""
    groups = {name: group for group in namespaces(native) for name in group.names}
    written: list[Any] = []
    done: list[Namespace] = []
    for tool in tools:
        group = groups.get(tool.name)
        if group is None:
            written.append(write_tool(tool, True, losses))
        elif not any(group is other for other in done):
            done.append(group)
            kept = [write_tool(one, True, losses, group.name) for one in tools if groups.get(one.name) is group]
            written.append(group.native if kept == group.members else splice(group.native, {"tools": kept}))
    return [tool for tool in written if tool is not None]


def write_tool(tool: Tool, own: bool, losses: list[str], namespace: str | None = None) -> Raw | Wire | None:
    """As it came when nothing changed; None when only another dialect has it."""
    native = tool.native if own else None
    if native is not None and not tool.edited:
        return native
    wire = _wire(tool, own, losses)
    if native is None or wire is None:
        return wire
    before = _read(native, "tools", namespace)[0]
    return splice(native, changes(wire, _wire(before, own, losses) or {}))


def _wire(tool: Tool, own: bool, losses: list[str]) -> Wire | None:
    wire: Wire = {"type": tool.kind, "name": tool.name if own else safe_name(tool.name)}
    if tool.description is not None:
        wire["description"] = tool.description
    if tool.kind == "function":
        # this API is strict when nothing is said, the others are not
        return wire | {"parameters": tool.parameters or _EMPTY, "strict": bool(tool.strict)}
    if tool.kind == "custom":
        if not own and tool.native is not None and b'"format"' in bytes(tool.native):
            lose(losses, f"tools.{tool.name}.format: the tool's grammar is not carried over")
        return wire
    lose(losses, f"tools.{tool.name}: {tool.kind} is another API's own tool")
    return None


def read_choice(raw: Raw | None) -> ToolChoice | None:
    """What the model has of it; a choice among several tools, or of a built-in one, is only its mode. Raises `InvalidRequest`."""
    raw = some(raw)
    if raw is None:
        return None
    if is_string(raw):
        return _mode(read(string, raw, "tool_choice"))
    choice = read(_choice, raw, "tool_choice")
    if choice.type in ("function", "custom") and choice.name:
        return ToolChoice("tool", choice.name)
    return _mode(choice.mode or "auto")


def _mode(mode: str) -> ToolChoice:
    if mode not in _MODES:
        raise InvalidRequest(f"tool_choice: expected auto, none, required or an object, got {mode!r}", param="tool_choice")
    return _MODES[mode]


def is_partial(raw: Raw | None) -> bool:
    """Whether `read_choice` understood less than was said."""
    raw = some(raw)
    return raw is not None and not is_string(raw) and read(_choice, raw, "tool_choice").type not in ("function", "custom")


def write_choice(choice: ToolChoice | None, tools: Sequence[Tool], own: bool) -> Any:
    if choice is None or choice.mode != "tool":
        return choice and choice.mode
    custom = any(tool.kind == "custom" and tool.name == choice.name for tool in tools)
    return {"type": "custom" if custom else "function", "name": choice.name if own else safe_name(choice.name or "")}
