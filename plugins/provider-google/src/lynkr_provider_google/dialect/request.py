"""A request of this dialect: read into the model, and written back with only the changed fragments replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Raw

from lynkr_core.dialect import Envelope, Fields, opens_with, read_fields
from lynkr_core.dialects.splice import apply, difference, splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Request
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.options import CONFIG, allows_several, read_options, write_choice, write_config
from lynkr_provider_google.dialect.parts import read_contents, read_system
from lynkr_provider_google.dialect.render import fragments, render_content
from lynkr_provider_google.dialect.signatures import strip_own
from lynkr_provider_google.dialect.tools import read_tools, write_tools
from lynkr_provider_google.dialect.wire import spelt

STREAM = "streamGenerateContent"
_STRUCTURE = frozenset({"model", "stream", "contents", "systemInstruction", "tools", "toolConfig", CONFIG})


def addressed(path: str, fields: Mapping[str, Raw]) -> tuple[str, bool]:
    """Model, and whether a stream is wanted. A body without a path, as in a dry run, may say both itself, as `model` and `stream`."""
    path, _, query = path.partition("?")
    name, _, method = path.rpartition("/models/")[2].rpartition(":")
    if method == STREAM and query and "alt=sse" not in query.split("&"):
        raise InvalidRequest("only server-sent events are streamed here: ask for them with ?alt=sse", param="alt")
    if name:
        return name.removeprefix("models/"), method == STREAM
    model = wire.given(fields.get("model"))
    found = wire.read(wire.texts, model, "model") if model is not None else ""
    return found.removeprefix("models/"), fields.get("stream") == Raw(b"true")


def peek(body: bytes, path: str) -> Envelope:
    """Raises `InvalidRequest`."""
    fields = read_fields(body)
    model, stream = addressed(path, fields)
    return Envelope(fields=fields, model=model, stream=stream, max_tokens=_limit(fields))


def _limit(fields: Mapping[str, Raw]) -> int | None:
    """The most tokens to answer with, as far as it is a number; a mistake is told when the request is read in full."""
    config = fields.get(CONFIG) or fields.get("generation_config")
    if config is None or (CONFIG in fields and "generation_config" in fields) or not opens_with(config, b"{"):
        return None
    text = bytes(wire.objects_of(config, CONFIG).get("maxOutputTokens", wire.NULL))
    return int(text) if text.isdigit() else None


def camel_fields(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    return {wire.camel(key): value for key, value in fields.items()}


def read_request(envelope: Envelope, dialect: str) -> Request:
    """Raises `InvalidRequest` with the path of the mistake."""
    fields = camel_fields(envelope.fields)
    options, extra = read_options(fields)
    more = {key: raw for key, raw in fields.items() if key not in _STRUCTURE}
    if allows_several(fields):
        more["toolConfig.functionCallingConfig.allowedFunctionNames"] = fields["toolConfig"]
    contents = wire.given(fields.get("contents"))
    return Request(
        dialect=dialect, model=envelope.model, stream=envelope.stream,
        messages=() if contents is None else read_contents(contents, "contents"),
        system=read_system(fields.get("systemInstruction")), tools=read_tools(fields.get("tools")),
        extra=more | extra, native=Raw(wire.encode(envelope.fields)), **options,
    )  # fmt: skip


def write_request(request: Request) -> Fields:
    """A request that came in this dialect, for an upstream of this dialect."""
    fields: Fields = {} if request.native is None else dict(read_fields(bytes(request.native)))
    if request.edited or request.native is None:
        _write_prompt(request, fields)
        _write_options(request, fields)
        _write_extra(request, fields)
    strip_own(fields)
    return fields


def _write_prompt(request: Request, fields: Fields) -> None:
    old = camel_fields(fields)
    contents = old.get("contents")
    if contents is None or read_contents(contents, "contents") != request.messages:
        fields["contents"] = [render_content(message) for message in request.messages]
    if read_system(old.get("systemInstruction")) != request.system:
        written = {"systemInstruction": {"parts": fragments(request.system, own=True)} if request.system else UNSET}
        apply(fields, {spelt(fields, key): value for key, value in written.items()})
    if read_tools(old.get("tools")) != request.tools:
        apply(fields, {"tools": write_tools(request.tools) or UNSET})


def _write_options(request: Request, fields: Fields) -> None:
    """Only what differs from what the fragment says, so that unknown keys beside it and the spelling of numbers stay."""
    options, _ = read_options(camel_fields(fields))
    before = Request(dialect=request.dialect, model=request.model, **options)
    changes = difference(write_config(before), write_config(request))
    if changes:
        key = spelt(fields, CONFIG)
        fields[key] = _spliced(fields.get(key), changes)
    if before.tool_choice != request.tool_choice:
        key = spelt(fields, "toolConfig")
        fields[key] = _spliced(fields.get(key), {"functionCallingConfig": write_choice(request.tool_choice) or UNSET})


def _spliced(raw: Any, changes: Mapping[str, Any]) -> Raw:
    """The object with these keys changed, under the names that it uses. A new schema takes the place of an old one."""
    native = wire.given(raw)
    present = {} if native is None else wire.objects.decode(native)
    named = {spelt(present, key): value for key, value in changes.items()}
    if "responseJsonSchema" in changes and "responseSchema" in {wire.camel(key) for key in present}:
        named[spelt(present, "responseSchema")] = UNSET
    return splice(native, named)


def _write_extra(request: Request, fields: Fields) -> None:
    for key in [key for key in fields if wire.camel(key) not in _STRUCTURE and wire.camel(key) not in request.extra]:
        del fields[key]
    fields.update({spelt(fields, key): value for key, value in request.extra.items() if "." not in key})
