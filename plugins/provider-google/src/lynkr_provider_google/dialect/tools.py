"""Tools of a request, both ways. One object of `tools` may declare many functions and switch on built-in tools beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from msgspec import Raw

from lynkr_core.dialects import names
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.request import Request, Tool
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.schema import parameters
from lynkr_provider_google.dialect.wire import Wire

DECLARATIONS = "functionDeclarations"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_ODD = re.compile(r"[^A-Za-z0-9_.:-]")
_FREE_TEXT: Wire = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def read_tools(raw: Raw | None) -> tuple[Tool, ...]:
    """A function for each declaration, and one tool for each other key, of that kind. Raises `InvalidRequest`."""
    if wire.given(raw) is None or raw is None:
        return ()
    one = bytes(memoryview(raw)[:1]) == b"{"
    items = [raw] if one else wire.read(wire.lists, raw, "tools")
    return tuple([tool for i, item in enumerate(items) for tool in _read_item(item, f"tools[{i}]")])


def _read_item(item: Raw, path: str) -> list[Tool]:
    tools: list[Tool] = []
    for key, value in wire.objects_of(item, path).items():
        if key == DECLARATIONS and value != wire.NULL:
            found = wire.read(wire.lists, value, f"{path}.{key}")
            tools += [read_declaration(one, f"{path}.{key}[{i}]") for i, one in enumerate(found)]
        elif value != wire.NULL:
            tools.append(Tool(name=key, kind=key, native=Raw(wire.encode({key: value}))))
    return tools


def read_declaration(raw: Raw, path: str) -> Tool:
    found = wire.read(wire.declarations, raw, path)
    schema = wire.given(found.parameters_json_schema) or wire.given(found.snake_schema) or wire.given(found.parameters)
    return Tool(name=found.name, description=found.description, parameters=_json_schema(schema), native=raw)


_UPPER = re.compile(rb'("type"\s*:\s*")(STRING|NUMBER|INTEGER|BOOLEAN|ARRAY|OBJECT|NULL)"')


def _json_schema(schema: Raw | None) -> Raw | None:
    """Gemini writes types in capitals, JSON Schema does not."""
    if schema is None or _UPPER.search(schema) is None:
        return schema
    return Raw(_UPPER.sub(lambda found: found[1] + found[2].lower() + b'"', bytes(schema)))


def write_tools(tools: Sequence[Tool]) -> list[Any]:
    """The `tools` of a request that came in this dialect, or was made in it: as they came, with what was changed replaced."""
    declared = [own_declaration(tool) for tool in tools if tool.kind in ("function", "custom")]
    rest: list[Any] = [tool.native or {tool.kind: {}} for tool in tools if tool.kind not in ("function", "custom")]
    return ([{DECLARATIONS: declared}] if declared else []) + rest


def own_declaration(tool: Tool) -> Any:
    if tool.native is None:
        return declaration(tool)
    if not tool.edited:
        return tool.native
    return splice(tool.native, difference(declaration(read_declaration(tool.native, "tool")), declaration(tool)))


def declaration(tool: Tool) -> Wire:
    """A function newly written; a tool that takes free text becomes a function of one string."""
    described = {"description": tool.description} if tool.description else {}
    schema = {"parameters": _FREE_TEXT} if tool.kind == "custom" else parameters(tool.parameters)
    return {"name": safe_name(tool.name)} | described | schema


def translate_tools(request: Request, losses: list[str]) -> list[Wire]:
    """The functions of another dialect's request."""
    declared: list[Wire] = []
    for tool in request.tools:
        if tool.kind not in ("function", "custom"):
            wire.note(losses, f"tools: {tool.name} is of kind {tool.kind}, which is another vendor's own")
            continue
        if tool.kind == "custom" and tool.native is not None and b'"format"' in bytes(tool.native):
            wire.note(losses, f"tools: the grammar of {tool.name} cannot be carried")
        if tool.strict:
            wire.note(losses, "tools.strict: not asked for, the schema is a hint")
        if safe_name(tool.name) != tool.name:
            wire.note(losses, f"tools: the name {tool.name!r} is sent as {safe_name(tool.name)!r}, the other is not allowed here")
        declared.append(declaration(tool))
    return declared


def safe_name(name: str) -> str:
    """Letters, digits, `_`, `.`, `:` and `-`, at most 64, a letter or `_` first; the same name always gives the same one."""
    if _NAME.fullmatch(name):
        return name
    common = names.safe_name(name)
    if _NAME.fullmatch(common):
        return common  # the stand-in that callers are given their own name back for
    short = blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    clean = _ODD.sub("_", name)
    return f"{clean if clean[:1].isalpha() else '_' + clean}"[:55] + f"_{short}"
