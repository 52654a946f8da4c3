"""The shapes of Chat Completions on the wire, and how they are read.

Structs name what lynkr understands; whatever else an object has stays in its native fragment. Types are as loose as what providers
and clients really send: everything may be missing or null.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import UNREADABLE
from lynkr_core.errors import InvalidRequest

T = TypeVar("T")
NOTHING = Raw()
"""What a key that is missing has; always this very object, so `is` tells, which is cheap."""
COMMENT = b": keep-alive\n\n"
"""Of a stream of events: it says nothing, and whoever reads them as the standard has it passes it over."""
NULL = Raw(b"null")
encode = msgspec.json.Encoder().encode


Content = str | list[Raw] | None
"""A string, a list of pieces, or nothing."""


class Pointer(Struct):
    """`{"url"}` of an image or video."""

    url: str
    detail: str | None = None


class Audio(Struct):
    data: str
    format: str = "wav"


class FileData(Struct):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class Piece(Struct):
    """One item of a content list. `thinking` is Mistral's, `summary` what Databricks has in an item of type `reasoning`."""

    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    image_url: str | Pointer | None = None
    video_url: str | Pointer | None = None
    input_audio: Audio | None = None
    file: FileData | None = None
    thinking: str | list[Piece] | None = None
    summary: str | list[Piece] | None = None
    cache_control: Raw = NOTHING


class Called(Struct):
    """The inside of a tool call. Ollama and some others give `arguments` as an object."""

    name: str | None = None
    arguments: Raw = NOTHING
    input: str | None = None


class Google(Struct):
    thought_signature: str | None = None


class Extra(Struct):
    google: Google | None = None


class Call(Struct):
    """A tool call, whole or a piece of one in a stream. `extra_content` has Google's thought signature, on its own layer of this API."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Called | None = None
    custom: Called | None = None
    extra_content: Extra | None = None

    @property
    def signature(self) -> str | None:
        google = self.extra_content.google if self.extra_content else None
        return google.thought_signature if google else None


class WireMessage(Struct):
    """A message of a request or a response."""

    role: str = "assistant"
    content: Content = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[Raw] | None = None
    function_call: Called | None = None
    tool_call_id: str | None = None
    annotations: Raw = NOTHING
    audio: Raw = NOTHING


class ToolBody(Struct):
    """The inside of a tool."""

    name: str
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None


class WireTool(Struct):
    type: str = "function"
    function: ToolBody | None = None
    custom: ToolBody | None = None
    name: str | None = None
    cache_control: Raw = NOTHING


class Named(Struct):
    name: str


class Choosing(Struct):
    """`tool_choice` as an object."""

    type: str
    function: Named | None = None
    custom: Named | None = None


class Schema(Struct):
    name: str | None = None
    description: str | None = None
    schema: Raw = NOTHING
    strict: bool | None = None


class Format(Struct):
    type: str
    json_schema: Schema | None = None


pieces = msgspec.json.Decoder(Piece)
calls = msgspec.json.Decoder(Call)
messages = msgspec.json.Decoder(WireMessage)
tools = msgspec.json.Decoder(WireTool)
texts = msgspec.json.Decoder(str)
limits = msgspec.json.Decoder(int | None)
lists = msgspec.json.Decoder(list[Raw])
objects = msgspec.json.Decoder(dict[str, Raw])
values = msgspec.json.Decoder(Any)


def read(decoder: msgspec.json.Decoder[T], raw: Raw | str, path: str) -> T:
    """The value at `path` of the request. Raises `InvalidRequest` that names the exact place."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        place = path + inner.rstrip("`")
        raise InvalidRequest(f"{place}: {text}", param=place) from None
    except UNREADABLE as error:
        raise InvalidRequest(f"{path}: {error}", param=path) from None


def given(raw: Raw | None) -> Raw | None:
    """None for what is missing or null."""
    return raw if raw and raw != NULL else None
