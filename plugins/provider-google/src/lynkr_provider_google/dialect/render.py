"""Parts and contents as they are written: as they came where nothing changed, else made from the model."""

from __future__ import annotations

from collections.abc import Sequence
from mimetypes import guess_type
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import UNREADABLE
from lynkr_core.dialects.callids import unpack
from lynkr_core.dialects.openai_chat.content import data_url
from lynkr_core.dialects.splice import difference, splice
from lynkr_core.request import Blob, File, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse, Uri
from lynkr_provider_google.dialect.parts import Calls, is_secret, read_part
from lynkr_provider_google.dialect.signatures import seal
from lynkr_provider_google.dialect.wire import Wire

_object = msgspec.json.Decoder(dict[str, Raw])


def fragment(part: Part) -> Wire | None:
    """The part newly written; None when the API has none for it."""
    match part:
        case Text():
            return {"text": part.text}
        case Reasoning():
            return {"text": part.text, "thought": True} | signed(seal(part))
        case ToolCall():
            return _call(part)
        case ToolCallResponse():
            return _result(part)
        case _:
            return _media(part)


def signed(signature: str | None) -> Wire:
    return {"thoughtSignature": signature} if signature else {}


def _call(call: ToolCall) -> Wire:
    id, packed = unpack(call.id)
    function = {"id": id, "name": call.name, "args": arguments(call)}
    return {"functionCall": function} | signed(call.signature or packed)


def arguments(call: ToolCall) -> Any:
    """The arguments as a JSON object; what is not one is put into one, under `input`."""
    if call.kind == "function":
        if not call.arguments.strip():
            return {}
        try:
            _object.decode(call.arguments)
            return Raw(call.arguments.encode())
        except UNREADABLE:
            pass
    return {"input": call.arguments.encode("utf-8", "replace").decode()}


def _result(result: ToolCallResponse) -> Wire:
    """Texts are told as one; what else there is goes along as parts of the response."""
    text = "\n\n".join([part.text for part in result.content if isinstance(part, Text)])
    told = {"error" if result.is_error else "output": text}
    response: Wire = {"id": unpack(result.id)[0], "name": result.name or "", "response": told}
    parts = [made for part in result.content if not isinstance(part, Text) and (made := fragment(part)) is not None]
    return {"functionResponse": response | ({"parts": parts} if parts else {})}


def _media(part: Part) -> Wire | None:
    match part:
        case Blob():
            return {"inlineData": {"mimeType": part.mime_type, "data": part.data}}
        case Uri():
            inline = data_url(part.uri)
            if inline is not None:
                return {"inlineData": {"mimeType": inline[0], "data": inline[1]}}
            mime = part.mime_type or guess_type(part.uri.partition("?")[0])[0]
            return {"fileData": ({"mimeType": mime} if mime else {}) | {"fileUri": part.uri}}
        case File():
            return {"fileData": {"fileUri": part.file_id}} if "://" in part.file_id else None
        case _:
            return None


def fragments(parts: Sequence[Part], own: bool) -> list[Any]:
    """The `parts` of a content. A signature that stands alone is put onto the part before it, or onto the next one.

    `own`: the parts came in this dialect, and their fragments may be used.
    """
    out: list[Any] = []
    waiting: str | None = None
    for part in parts:
        if is_secret(part) and part.native is None:
            signature = seal(part) if isinstance(part, Reasoning) else None
            if signature and not (out and _sign(out, signature)):
                waiting = signature
            continue
        made = render(part) if own else fragment(part)
        if made is not None:
            out.append(made)
            if waiting and _sign(out, waiting):
                waiting = None
    return [*out, {"text": ""} | signed(waiting)] if waiting else out


def _sign(out: list[Any], signature: str) -> bool:
    """Puts a signature onto the last part; False when that is none which may carry it. One that came with it stays."""
    last = out[-1]
    if isinstance(last, Raw):
        return b'"thoughtSignature"' in bytes(last) or b'"thought_signature"' in bytes(last)
    if "functionCall" in last or "functionResponse" in last or "thoughtSignature" in last or last.get("thought"):
        return False
    last["thoughtSignature"] = signature
    return True


def render(part: Part) -> Any:
    """A part of something that came in this dialect: its fragment, with only the changed keys replaced."""
    if part.native is None:
        return fragment(part)
    if not part.edited:
        return part.native
    before = fragment(read_part(part.native, "part", Calls())[0])
    after = fragment(part)
    return None if after is None else splice(part.native, difference(before or {}, after))


def render_content(message: Message) -> Any:
    """The content of a request that came in this dialect."""
    if message.native is not None and not message.edited:
        return message.native
    role = "model" if message.role == "assistant" else "user"
    made = {"role": role, "parts": fragments(message.parts, own=True)}
    if message.native is None or not bytes(message.native).startswith(b"{"):
        return made
    return splice(message.native, {"parts": made["parts"]})
