"""What servers say, as models read it: their tools with bounds on all that costs, and what a call gave as one text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import mcp_types as types
import msgspec
from msgspec import Raw, Struct

from lynkr_core.request import Tool

LONGEST_NAME = 64
"""Characters of a tool's name that every API takes."""
LONGEST_TEXT = 4_000
"""Characters of a description; what is over is cut."""
LARGEST_SCHEMA = 32_768
"""Bytes of a schema; tools with a larger one are left out."""
_unfit = re.compile(r"[^A-Za-z0-9_-]")
_encode = msgspec.json.Encoder().encode


class Offer(Struct, frozen=True, gc=False):
    """`tool` as models see it, `name` as its server calls it."""

    tool: Tool
    name: str


def offers(server: str, listed: Iterable[types.Tool], patterns: Sequence[str]) -> Iterator[Offer]:
    """Those that fit, by name. Of two with one name neither is taken: nobody can know which is meant."""
    found: dict[str, Offer | None] = {}
    for told in listed:
        if any(fnmatchcase(told.name, pattern) for pattern in patterns) and (offer := offered(server, told)):
            found[offer.tool.name] = None if offer.tool.name in found else offer
    for name in sorted(found):
        if (offer := found[name]) is not None:
            yield offer


def offered(server: str, told: types.Tool) -> Offer | None:
    """None for one that cannot be offered: its name or schema is too long, or its schema is of no object."""
    name = f"mcp__{server}__{_unfit.sub('_', told.name)}"
    if len(name) > LONGEST_NAME or not told.name or told.input_schema.get("type") != "object":
        return None
    try:
        schema = _encode(told.input_schema)
    except (UnicodeEncodeError, RecursionError):
        return None
    if len(schema) > LARGEST_SCHEMA:
        return None
    about = cut(clean(told.description or told.title or told.name))
    return Offer(Tool(name=name, description=about, parameters=Raw(schema)), told.name)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def clean(text: str) -> str:
    """Without halves of characters, which cannot be sent on."""
    return text.encode("utf-8", "replace").decode()


def given(result: types.CallToolResult, most: int) -> str:
    """So many characters at most. Of what is no text only that it was there."""
    said = "\n".join([text for block in result.content if (text := said_in(block))])
    if not said and result.structured_content is not None:
        said = _encode(result.structured_content).decode()
    text = clean(said) or "(The tool gave nothing.)"
    if len(text) > most:
        text = f"{text[:most]}\n(Cut: these are {most} of {len(text)} characters.)"
    return f"The tool reports an error: {text}" if result.is_error else text


def said_in(block: types.ContentBlock) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.ImageContent | types.AudioContent):
        return f"({block.mime_type}, {len(block.data) * 3 // 4} bytes, left out)"
    if isinstance(block, types.ResourceLink):
        return f"{block.title or block.name}: {block.uri}"
    inner = block.resource
    return inner.text if isinstance(inner, types.TextResourceContents) else f"({inner.uri}, {inner.mime_type}, left out)"
