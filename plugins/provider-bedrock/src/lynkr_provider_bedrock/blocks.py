"""Parts written as Converse's content blocks, in the shapes of botocore 1.44.5's service model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.anthropic_messages.fragments import tool_input
from lynkr_core.dialects.anthropic_messages.names import safe_name
from lynkr_core.dialects.anthropic_messages.turns import NO_RESULT, Turn, note
from lynkr_core.dialects.callids import unpack
from lynkr_core.dialects.openai_chat.content import data_url
from lynkr_core.request import Blob, Part, Reasoning, Text, ToolCall, ToolCallResponse, Uri
from lynkr_provider_bedrock.turns import carried

Wire = dict[str, Any]
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FORMATS: dict[str, dict[str, str]] = {
    "image": {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
    "document": {
        "application/pdf": "pdf", "text/csv": "csv", "application/msword": "doc", _WORD: "docx", "application/vnd.ms-excel": "xls",
        _SHEET: "xlsx", "text/html": "html", "text/plain": "txt", "text/markdown": "md",
    },
    "video": {
        "video/x-matroska": "mkv", "video/quicktime": "mov", "video/mp4": "mp4", "video/webm": "webm", "video/x-flv": "flv",
        "video/mpeg": "mpeg", "video/x-ms-wmv": "wmv", "video/3gpp": "three_gp",
    },
    "audio": {
        "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/aac": "aac",
        "audio/flac": "flac", "audio/ogg": "ogg", "audio/opus": "opus", "audio/mp4": "mp4", "audio/webm": "webm", "audio/pcm": "pcm",
    },
}  # fmt: skip
"""By media type, what Converse calls it."""
SIGNS = {"iVBORw0KGgo": "png", "/9j/": "jpeg", "R0lGOD": "gif", "UklGR": "webp", "JVBERi": "pdf"}
"""How base64 of a format begins, for data whose media type does not tell."""
_foreign_id = re.compile(r"[^a-zA-Z0-9_.:-]")
_foreign_name = re.compile(r"[^a-zA-Z0-9()\[\]-]+")


class _Marker(Struct):
    ttl: str | None = None


_marker = msgspec.json.Decoder(_Marker)


def safe_id(id: str) -> str:
    """The same id gives the same answer, so a call and its result still belong together; another vendor's signature in it is gone."""
    id = unpack(id)[0]
    clean = _foreign_id.sub("_", id)
    if clean == id and 0 < len(id) <= 64:
        return id
    return f"{clean[:55]}_{blake2b(id.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"


def cache_point(cache: Raw | None) -> list[Wire]:
    """The block that stands for a cache marker, if there is one; five minutes are the default."""
    if cache is None:
        return []
    try:
        hour = _marker.decode(cache).ttl == "1h"
    except UNREADABLE:
        hour = False
    return [{"cachePoint": {"type": "default", "ttl": "1h"} if hour else {"type": "default"}}]


class Blocks:
    """Writes the blocks of one request. Documents must have names, and no two the same."""

    def __init__(self, losses: list[str]) -> None:
        self.losses = losses
        self._names: set[str] = set()

    def message(self, turn: Turn) -> Wire:
        return {"role": turn.role, "content": self.content(turn.parts)}

    def content(self, parts: Sequence[Part]) -> list[Wire]:
        """The blocks, each followed by the cache point it asked for."""
        blocks: list[Wire] = []
        for part in parts:
            blocks.append(self.block(part))
            inner = part.content if isinstance(part, ToolCallResponse) else ()
            blocks += cache_point(next((one.cache for one in (part, *inner) if one.cache is not None), None))
        return blocks

    def block(self, part: Part) -> Wire:
        match part:
            case Text():
                return {"text": part.text}
            case Reasoning():
                return {"reasoningContent": thought(part)}
            case ToolCall():
                return {"toolUse": {"toolUseId": safe_id(part.id), "name": safe_name(part.name), "input": tool_input(part)}}
            case ToolCallResponse():
                return {"toolResult": self.result(part)}
            case _:
                return self.media(part)

    def result(self, part: ToolCallResponse) -> Wire:
        """Converse takes no empty result."""
        content = [self.block(inner) for inner in part.content if carried(inner, "user", self.losses)]
        if any("audio" in block for block in content):
            note(self.losses, "audio: Converse has none in tool results")
            content = [block for block in content if "audio" not in block]
        wire: Wire = {"toolUseId": safe_id(part.id), "content": content or [{"text": NO_RESULT}]}
        return wire | {"status": "error"} if part.is_error else wire

    def media(self, part: Part) -> Wire:
        """A picture, document, video or sound; what cannot be carried is named in words."""
        if isinstance(part, Uri) and (inline := data_url(part.uri)) is not None:
            part = Blob(modality=part.modality, mime_type=inline[0], data=inline[1], name=part.name)
        if not isinstance(part, Blob | Uri):
            return {"text": NO_RESULT}
        if isinstance(part, Uri) and not part.uri.startswith("s3://"):
            note(self.losses, f"{part.modality}: Converse fetches nothing by URL, only its address is told")
            return {"text": f"[{part.modality} at {part.uri}]"}
        if part.detail not in (None, "auto"):
            note(self.losses, "image.detail: Converse decides by itself")
        format = format_of(part)
        if format is None:
            note(self.losses, f"{part.modality}: Converse does not take {part.mime_type or 'this format'}")
            return {"text": f"[{part.modality} that cannot be shown here]"}
        source = {"bytes": part.data} if isinstance(part, Blob) else {"s3Location": {"uri": part.uri}}
        wire: Wire = {"format": format, "source": source}
        return {part.modality: wire | {"name": self.name(part.name)} if part.modality == "document" else wire}

    def name(self, told: str | None) -> str:
        """Letters, digits, single spaces, hyphens and brackets; without the extension, which the format tells."""
        stem = (told or "").rpartition(".")[0] or told or ""
        plain = name = _foreign_name.sub(" ", stem).strip()[:180] or "document"
        number = 1
        while name in self._names:
            number += 1
            name = f"{plain} {number}"
        self._names.add(name)
        return name


def format_of(part: Blob | Uri) -> str | None:
    """By media type, then by how the data begins, then by the name's extension."""
    known = FORMATS[part.modality]
    mime = (part.mime_type or "").partition(";")[0].strip().lower()
    if mime in known:
        return known[mime]
    begins = part.data[:16] if isinstance(part, Blob) else ""
    sign = next((format for sign, format in SIGNS.items() if begins.startswith(sign)), None)
    extension = (part.name or getattr(part, "uri", "")).rpartition(".")[2].lower()
    found = sign or {"jpg": "jpeg", "htm": "html", "3gp": "three_gp"}.get(extension, extension)
    return found if found in known.values() else None


def thought(part: Reasoning) -> Wire:
    if part.signature is None:
        return {"redactedContent": part.encrypted}
    return {"reasoningText": {"text": part.text, "signature": part.signature}}
