"""Message content: a string, or a list of text, images, audio and files; both ways."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.openai_chat import wire
from lynkr_core.dialects.openai_chat.wire import Content, FileData, Piece, Pointer
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.request import Blob, File, Generic, Part, Reasoning, Text, Uri

Fragment = dict[str, Any]
_SOUND = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


def read_content(content: Content, path: str) -> tuple[Part, ...]:
    """The parts; none for null. Raises `InvalidRequest`."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple([read_part(item, f"{path}[{index}]") for index, item in enumerate(content)])


def read_part(raw: Raw, path: str) -> Part:
    """One item of a content list."""
    if opens_with(raw, b'"'):
        return Text(text=wire.read(wire.texts, raw, path), native=raw)
    piece = wire.read(wire.pieces, raw, path)
    return part_of(piece, raw) or Generic(type=piece.type, native=raw, cache=wire.given(piece.cache_control))


def part_of(piece: Piece, raw: Raw | None) -> Part | None:
    """None for a type that is not known here."""
    cache = wire.given(piece.cache_control)
    match piece:
        case Piece(type="text" | "input_text" | "output_text", text=str(text)):
            return Text(text=text, native=raw, cache=cache)
        case Piece(refusal=str(refusal)):
            return Text(text=refusal, refusal=True, native=raw)
        case Piece(thinking=thinking) if thinking is not None:
            return Reasoning(text=thought(thinking), native=raw)
        case Piece(type="reasoning", summary=summary) if summary is not None:
            return Reasoning(text=thought(summary), native=raw)
        case Piece(image_url=pointer) if pointer is not None:
            return pointed("image", pointer, raw, cache)
        case Piece(video_url=pointer) if pointer is not None:
            return pointed("video", pointer, raw, cache)
        case Piece(input_audio=audio) if audio is not None:
            return Blob(modality="audio", mime_type=f"audio/{audio.format}", data=audio.data, native=raw, cache=cache)
        case Piece(file=file) if file is not None:
            return _file(file, raw, cache)
        case _:
            return None


def thought(thinking: str | list[Piece]) -> str:
    return thinking if isinstance(thinking, str) else "".join([piece.text or "" for piece in thinking])


def pointed(modality: Any, pointer: str | Pointer, raw: Raw | None, cache: Raw | None) -> Part:
    url, detail = (pointer, None) if isinstance(pointer, str) else (pointer.url, pointer.detail)
    inline = data_url(url)
    if inline is None:
        return Uri(modality=modality, uri=url, detail=detail, native=raw, cache=cache)
    return Blob(modality=modality, mime_type=inline[0] or f"{modality}/*", data=inline[1], detail=detail, native=raw, cache=cache)


def _file(file: FileData, raw: Raw | None, cache: Raw | None) -> Part | None:
    if file.file_id:
        return File(file_id=file.file_id, native=raw, cache=cache)
    if file.file_data is None:
        return None
    mime, data = data_url(file.file_data) or ("application/pdf", file.file_data)
    return Blob(modality="document", mime_type=mime, data=data, name=file.filename, native=raw, cache=cache)


def data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a `data:` URL."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        return None
    mime, _, encoding = head.partition(";")
    if not encoding.lower().endswith("base64"):
        return None
    return mime, data


def write_content(parts: Sequence[Part], native: bool) -> Any:
    """A string for a single text, a list otherwise, `""` for nothing. `native`: the parts' own fragments may be used."""
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text) and plain(parts[0], native):
        return kept(parts[0]) if native and kept(parts[0]) is not None else parts[0].text
    return [item for part in parts if (item := write_item(part, native)) is not None]


def plain(text: Text, native: bool) -> bool:
    """May this stand as a bare string? Not when it was an object before, which may have more keys."""
    if not native:
        return True
    return text.cache is None and not (text.native is not None and opens_with(text.native, b"{"))


def kept(part: Part) -> Raw | None:
    """The fragment that still stands for the part."""
    return None if part.edited else part.native


def write_item(part: Part, native: bool) -> Any:
    """One item of a content list; None for what cannot be written."""
    fragment = part.native if native else None
    if fragment is None:
        return item_of(part, native)
    if not opens_with(fragment, b"{"):
        text = fragment if not part.edited else (part.text if isinstance(part, Text) else "")
        return {"type": "text", "text": text}
    if not part.edited:
        return fragment
    after = item_of(part, native)
    return None if after is None else splice(fragment, difference(item_of(read_part(fragment, ""), native) or {}, after))


def item_of(part: Part, native: bool = False) -> Fragment | None:
    """A part written anew; cache markers only where they were this dialect's own."""
    item = _item(part)
    if item is not None and native and part.cache is not None:
        item["cache_control"] = part.cache
    return item


def _item(part: Part) -> Fragment | None:
    match part:
        case Text(refusal=True):
            return {"type": "refusal", "refusal": part.text}
        case Text():
            return {"type": "text", "text": part.text}
        case Blob():
            return _blob(part)
        case Uri(modality="image" | "video"):
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": f"{part.modality}_url", f"{part.modality}_url": {"url": part.uri, **detail}}
        case File():
            return {"type": "file", "file": {"file_id": part.file_id}}
        case _:
            return None


def _blob(blob: Blob) -> Fragment | None:
    if blob.modality == "audio":
        sound = _SOUND.get(blob.mime_type) or blob.mime_type.rpartition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": blob.data, "format": sound}}
    url = f"data:{blob.mime_type};base64,{blob.data}"
    if blob.modality in ("image", "video"):
        detail = {"detail": blob.detail} if blob.detail else {}
        return {"type": f"{blob.modality}_url", f"{blob.modality}_url": {"url": url, **detail}}
    text = _written(blob)
    if text is not None:
        return {"type": "text", "text": text}
    return {"type": "file", "file": {"filename": blob.name or "document.pdf", "file_data": url}}


def _written(blob: Blob) -> str | None:
    """A document of plain text as that text, which every model can read."""
    if not blob.mime_type.startswith("text/"):
        return None
    try:
        return base64.b64decode(blob.data, validate=True).decode("utf-8")
    except ValueError:  # no base64, or no UTF-8 in it
        return None


def json_text(raw: Raw) -> str | None:
    """The JSON string `raw` decoded, any other value as its own text; None for what is missing or null."""
    if wire.given(raw) is None:
        return None
    text = bytes(raw)
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else text.decode()
