"""The parts of a message's content, and of a tool's output, both ways."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.openai_responses.wire import NOTHING, Wire, changes, is_object, lose, read, some
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, File, Generic, Part, Text, Uri


class _Content(Struct):
    """The keys of every known type."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    annotations: Raw = NOTHING


Content = str | list[Raw] | None
"""A string, an array of parts, or nothing."""


class Typed(Struct):
    type: str | None = None


_content = msgspec.json.Decoder(_Content)
_typed = msgspec.json.Decoder(Typed)
_note = msgspec.json.Decoder(Wire)
_notes = msgspec.json.Decoder(list[Wire])
_CITATIONS = ("url_citation", "file_citation", "container_file_citation", "file_path")


def read_content(content: Content, path: str) -> tuple[Part, ...]:
    """A string, an array of parts, or nothing. Raises `InvalidRequest`."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple([read_part(part, f"{path}[{i}]") for i, part in enumerate(content)])


def read_part(raw: Raw, path: str = "content") -> Part:
    """One part; a type we do not know becomes a `Generic`. Raises `InvalidRequest`."""
    try:
        content = _content.decode(raw)
    except UNREADABLE as error:
        type_ = read(_typed, raw, path).type  # an unknown type may use our keys for something else
        if type_ is None or type_ in _READERS:
            raise InvalidRequest(f"{path}: {error}", param=path) from None
        return Generic(type=type_, native=raw)
    reader = _READERS.get(content.type)
    return reader(content, raw, path) if reader else Generic(type=content.type, native=raw)


def _need(value: str | None, path: str, key: str) -> str:
    if value is None:
        raise InvalidRequest(f"{path}.{key}: required", param=f"{path}.{key}")
    return value


def _read_text(content: _Content, raw: Raw, path: str) -> Part:
    annotations = some(content.annotations)
    return Text(text=_need(content.text, path, "text"), annotations=annotations, native=raw)


def _read_refusal(content: _Content, raw: Raw, path: str) -> Part:
    return Text(text=_need(content.refusal, path, "refusal"), refusal=True, native=raw)


def _read_image(content: _Content, raw: Raw, path: str) -> Part:
    if content.file_id is not None:
        return File(file_id=content.file_id, modality="image", native=raw)
    return image(_need(content.image_url, path, "image_url"), content.detail, raw)


def image(url: str, detail: str | None, native: Raw) -> Part:
    inline = _data_url(url)
    if inline is None:
        return Uri(modality="image", uri=url, detail=detail, native=native)
    return Blob(modality="image", mime_type=inline[0], data=inline[1], detail=detail, native=native)


def _read_file(content: _Content, raw: Raw, path: str) -> Part:
    if content.file_id is not None:
        return File(file_id=content.file_id, native=raw)
    if content.file_url is not None:
        return Uri(modality="document", uri=content.file_url, name=content.filename, native=raw)
    data = _need(content.file_data, path, "file_data")
    guess = mimetypes.guess_type(content.filename or "")[0] or "application/pdf"
    mime, data = _data_url(data) or (guess, data)
    return Blob(modality="document", mime_type=mime, data=data, name=content.filename, native=raw)


def _data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 text of a `data:` URL."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url[5:].partition(",")
    return (head.split(";")[0], data) if comma and head.endswith(";base64") else None


_READERS: dict[str, Callable[[_Content, Raw, str], Part]] = {
    "input_text": _read_text,
    "output_text": _read_text,
    "text": _read_text,
    "summary_text": _read_text,
    "reasoning_text": _read_text,
    "refusal": _read_refusal,
    "input_image": _read_image,
    "input_file": _read_file,
}


def write_content(parts: Sequence[Part], assistant: bool, own: bool, losses: list[str]) -> Any:
    """A string for one plain text, else an array. `own`: the fragments are of this dialect."""
    if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].refusal and not (own and parts[0].native):
        return parts[0].text
    written = [write_part(part, assistant, own, losses) for part in parts]
    return [part for part in written if part is not None]


def write_part(part: Part, assistant: bool, own: bool, losses: list[str]) -> Raw | Wire | None:
    """As it came when nothing changed, with the changed keys replaced when some did, else made from the model."""
    native = part.native if own else None
    if native is not None and not part.edited:
        return native
    wire = _wire(part, assistant, own, losses)
    if native is None or wire is None:
        return wire
    return splice(native, changes(wire, _wire(read_part(native), assistant, own, losses) or {}))


def _wire(part: Part, assistant: bool, own: bool, losses: list[str]) -> Wire | None:
    match part:
        case Text(refusal=True):
            return {"type": "refusal", "refusal": part.text}
        case Text() if assistant:
            return {"type": "output_text", "text": part.text, "annotations": (part.annotations if own else None) or []}
        case Text():
            return {"type": "input_text", "text": part.text}
        case Blob() | Uri() | File():
            return _wire_media(part, assistant, own, losses)
        case _:
            kind = part.type if isinstance(part, Generic) else type(part).__name__
            lose(losses, f"content.{kind}: the Responses API has no such part")
            return None


def _wire_media(part: Blob | Uri | File, assistant: bool, own: bool, losses: list[str]) -> Wire | None:
    if assistant or part.modality not in ("image", "document"):
        where = "an assistant's message" if assistant else "the Responses API"
        lose(losses, f"content.{part.modality}: not possible in {where}")
        return None
    image = part.modality == "image"
    match part:
        case File():
            if not own:
                lose(losses, "content.file_id: the file is stored at another provider")
                return None
            return {"type": "input_image" if image else "input_file", "file_id": part.file_id}
        case Uri():
            return _wire_image(part.uri, part.detail) if image else {"type": "input_file", "file_url": part.uri}
        case _:
            url = f"data:{part.mime_type};base64,{part.data}"
            return (
                _wire_image(url, part.detail) if image else {"type": "input_file", "filename": _filename(part), "file_data": url}
            )


def _wire_image(url: str, detail: str | None) -> Wire:
    return {"type": "input_image", "image_url": url, "detail": detail or "auto"}


def _filename(part: Blob) -> str:
    return part.name or "document" + (mimetypes.guess_extension(part.mime_type) or "")


def citations(raw: Raw | None) -> list[Any]:
    """Citations as this API writes them; those of other vendors have no place here."""
    if raw is None:
        return []
    try:
        notes = _notes.decode(raw) if not is_object(raw) else [_note.decode(raw)]
    except UNREADABLE:
        return []
    return [citation for note in notes if (citation := _citation(note))]


def _citation(note: Wire) -> Wire | None:
    """One citation; the chat API's nests its keys under the type's name."""
    nested = note.get("url_citation")
    if isinstance(nested, dict):
        return {"type": "url_citation", **nested}
    return note if note.get("type") in _CITATIONS else None
