"""Parts and contents as they are read: of requests and of answers."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct, structs

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.callids import pack
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import (
    Blob,
    Generic,
    Message,
    Modality,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolCallResponse,
    Uri,
)  # fmt: skip
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.signatures import standard, unseal
from lynkr_provider_google.dialect.wire import Call, Data, FileRef, Piece, Result

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "user", "system": "system"}
_MODALITIES: dict[str, Modality] = {"image": "image", "audio": "audio", "video": "video"}
_NO_KIND = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"})
"""Keys of a part that say more of it, not what it is."""


class Calls:
    """The calls of one conversation or answer. Those without an id get one, by `seed` and their number.

    Results find their call by id, or by name and order.
    """

    __slots__ = ("_count", "_seed", "_waiting", "answer")

    def __init__(self, seed: str = "", answer: bool = False) -> None:
        self.answer = answer
        self._seed = blake2b(seed.encode("utf-8", "replace"), digest_size=8).hexdigest() if seed else ""
        self._count = 0
        self._waiting: list[tuple[str, str]] = []

    def id(self, call: Call) -> str:
        id = call.id or f"call_{self._seed}{self._count:x}"
        self._count += 1
        self._waiting.append((id, call.name))
        return id

    def of(self, result: Result) -> str:
        """The id of the call that this is the result of."""
        for place, (id, name) in enumerate(self._waiting):
            if id == result.id or (not result.id and name == result.name):
                del self._waiting[place]
                return id
        return result.id or f"call_{result.name}"


class _Said(Struct):
    """The usual ways to tell a function's result as one value (Gemini API reference, `FunctionResponse.response`)."""

    output: str | None = None
    result: str | None = None
    error: str | None = None


_said = msgspec.json.Decoder(_Said)


def read_contents(raw: Raw, path: str) -> tuple[Message, ...]:
    """A list of contents; one alone, or a text, stands for a list of one. Raises `InvalidRequest`."""
    first = bytes(memoryview(raw)[:1])
    calls = Calls()
    if first == b"{":
        return (read_content(raw, path, calls),)
    if first == b'"':
        return (Message(role="user", parts=(Text(text=wire.read(wire.texts, raw, path)),), native=raw),)
    return tuple([read_content(one, f"{path}[{i}]", calls) for i, one in enumerate(wire.read(wire.lists, raw, path))])


def read_content(raw: Raw, path: str, calls: Calls) -> Message:
    content = wire.read(wire.contents, raw, path)
    role = _ROLES.get(content.role or "user")
    if role is None:
        place = f"{path}.role"
        raise InvalidRequest(f"{place}: expected user or model, got {content.role!r}", param=place)
    return Message(role=role, parts=read_parts(content.parts or (), f"{path}.parts", calls), native=raw)


def read_system(raw: Raw | None, path: str = "systemInstruction") -> tuple[Part, ...]:
    """A content, a list of parts, or a text."""
    if wire.given(raw) is None or raw is None:
        return ()
    first = bytes(memoryview(raw)[:1])
    if first == b'"':
        return (Text(text=wire.read(wire.texts, raw, path)),)
    parts = wire.read(wire.lists, raw, path) if first == b"[" else wire.read(wire.contents, raw, path).parts or []
    return read_parts(parts, f"{path}.parts", Calls())


def read_parts(raws: Sequence[Raw], path: str, calls: Calls) -> tuple[Part, ...]:
    return tuple([part for i, raw in enumerate(raws) for part in read_part(raw, f"{path}[{i}]", calls)])


def read_part(raw: Raw, path: str, calls: Calls) -> tuple[Part, ...]:
    """One part; a signature on anything but a call or thinking is a reasoning part of its own, after it. Raises `InvalidRequest`."""
    try:
        piece = wire.pieces.decode(raw)
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None
    signature = piece.thought_signature or piece.snake_signature
    if piece.thought and piece.text is not None:
        return (structs.replace(unseal(piece.text, signature), native=raw),)
    part = _part_of(piece, raw, path, calls, signature)
    if part is None:
        return (unseal("", signature),) if signature else ()
    if not signature or isinstance(part, ToolCall):
        return (part,)
    secret = unseal("", signature)
    if isinstance(part, Text) and not part.text:
        return (structs.replace(secret, native=raw),)
    return (part, secret)


def _part_of(piece: Piece, raw: Raw, path: str, calls: Calls, signature: str | None) -> Part | None:
    call = piece.function_call or piece.snake_call
    if call is not None:
        return _call(call, raw, path, calls, standard(signature) if signature else None)
    result = piece.function_response or piece.snake_result
    if result is not None:
        return _result(result, raw, path, calls)
    data, file = piece.inline_data or piece.snake_data, piece.file_data or piece.snake_file
    if data is not None:
        return _blob(data, raw)
    if file is not None:
        return _uri(file, raw, path)
    if piece.text is not None:
        return Text(text=piece.text, native=raw)
    kind = next((wire.camel(key) for key in wire.objects.decode(raw) if wire.camel(key) not in _NO_KIND), None)
    return None if kind is None else Generic(type=kind, native=raw)


def _call(call: Call, raw: Raw, path: str, calls: Calls, signature: str | None) -> ToolCall:
    if not call.name:
        raise InvalidRequest(f"{path}.functionCall.name: required", param=f"{path}.functionCall.name")
    args = wire.given(call.args)
    arguments = "{}" if args is None else bytes(args).decode()
    id = calls.id(call)
    id = pack(id, signature) if calls.answer else id
    return ToolCall(id=id, name=call.name, arguments=arguments, signature=signature, native=raw)


def _result(result: Result, raw: Raw, path: str, calls: Calls) -> ToolCallResponse:
    if not result.name and not result.id:
        place = f"{path}.functionResponse.name"
        raise InvalidRequest(f"{place}: required", param=place)
    said, is_error = _told(wire.given(result.response))
    inner = read_parts(result.parts or (), f"{path}.functionResponse.parts", calls)
    content = (Text(text=said), *inner) if said or not inner else inner
    return ToolCallResponse(
        id=calls.of(result), name=result.name or None, content=content, is_error=is_error, native=raw
    )  # fmt: skip


def _told(response: Raw | None) -> tuple[str, bool]:
    """The text of a result, and whether it tells of an error: the only value where that is a text, else the JSON."""
    if response is None:
        return "", False
    try:
        found = _said.decode(response)
    except UNREADABLE:
        return bytes(response).decode(), False
    if b"," not in bytes(response) or len(wire.objects.decode(response)) == 1:
        for text, is_error in ((found.output, False), (found.result, False), (found.error, True)):
            if text is not None:
                return text, is_error
    return bytes(response).decode(), False


def modality(mime: str) -> Modality:
    return _MODALITIES.get(mime.partition("/")[0], "document")


def _blob(data: Data, raw: Raw) -> Blob:
    mime = data.mime_type or data.mime
    return Blob(modality=modality(mime), mime_type=mime, data=standard(data.data), name=data.display_name, native=raw)


def _uri(file: FileRef, raw: Raw, path: str) -> Uri:
    uri, mime = file.file_uri or file.uri, file.mime_type or file.mime
    if not uri:
        raise InvalidRequest(f"{path}.fileData.fileUri: required", param=f"{path}.fileData.fileUri")
    return Uri(modality=modality(mime or ""), uri=uri, mime_type=mime, name=file.display_name, native=raw)


def is_secret(part: Part) -> bool:
    """Whether this is only a signature, which belongs to the part beside it."""
    return isinstance(part, Reasoning) and not part.text
