"""A request of another dialect, written as a Gemini request."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, structs

from lynkr_core.dialect import Fields
from lynkr_core.dialects.losses import note_cache_markers
from lynkr_core.request import Request, ToolChoice
from lynkr_provider_google.dialect.options import CONFIG, LEVELS, write_choice, write_config
from lynkr_provider_google.dialect.tools import DECLARATIONS, safe_name, translate_tools
from lynkr_provider_google.dialect.turns import write_contents, write_system
from lynkr_provider_google.dialect.wire import Wire, note

MAX_STOP = 5
"""Stop sequences that are taken (Gemini API reference, `GenerationConfig.stopSequences`)."""
MAX_LOGPROBS = 20
_EMPTY = (Raw(b"null"), Raw(b"{}"))
_NO_LOSS: dict[str, tuple[bytes, ...]] = {
    "store": (b"false", b"null"), "stream_options": (b"",), "include": (b"[]", b'["reasoning.encrypted_content"]'),
}  # fmt: skip
"""Keys of other dialects that say nothing of the answer, with such values."""


def translate(request: Request, losses: list[str]) -> Fields:
    """What Gemini has no place for is added to `losses`."""
    system, messages = write_system(request, losses)
    fields: Fields = {"contents": write_contents(messages, losses)}
    if system is not None:
        fields["systemInstruction"] = system
    _set_tools(fields, request, losses)
    config = write_config(_narrowed(request, losses))
    if config:
        fields[CONFIG] = config
    _tell_losses(request, losses)
    return fields


def _set_tools(fields: Fields, request: Request, losses: list[str]) -> None:
    declared = translate_tools(request, losses)
    if not declared:
        return
    fields["tools"] = [{DECLARATIONS: declared}]
    choice = _choice(request.tool_choice, declared, losses)
    if choice is not None:
        fields["toolConfig"] = {"functionCallingConfig": choice}


def _choice(choice: ToolChoice | None, declared: list[Wire], losses: list[str]) -> Wire | None:
    if choice is None or choice.mode != "tool":
        return write_choice(choice)
    name = safe_name(choice.name or "")
    if any(tool["name"] == name for tool in declared):
        return write_choice(ToolChoice("tool", name))
    note(losses, f"tool_choice: there is no tool {choice.name!r} here, the model may choose")
    return write_choice(ToolChoice("auto"))


def _narrowed(request: Request, losses: list[str]) -> Request:
    """The settings as far as Gemini can take them."""
    changes: dict[str, Any] = {}
    if len(request.stop) > MAX_STOP:
        note(losses, f"stop: only the first {MAX_STOP} sequences are sent")
        changes["stop"] = request.stop[:MAX_STOP]
    if request.top_logprobs is not None and request.top_logprobs > MAX_LOGPROBS:
        note(losses, f"top_logprobs: {request.top_logprobs} was lowered to {MAX_LOGPROBS}")
        changes["top_logprobs"] = MAX_LOGPROBS
    if request.n == 1:
        changes["n"] = None
    if request.logprobs is False:
        changes["logprobs"] = None
    if request.max_tokens == 0:
        note(losses, "max_tokens: 0 is not allowed here, 1 is sent")
        changes["max_tokens"] = 1
    options = request.reasoning
    if options is not None and options.budget is None and options.effort not in (None, "none", *LEVELS):
        note(losses, f"reasoning.effort: {options.effort} is sent as high, the most there is")
    return structs.replace(request, **changes) if changes else request


def _tell_losses(request: Request, losses: list[str]) -> None:
    if request.parallel_tool_calls is False:
        note(losses, "parallel_tool_calls: Gemini cannot be kept from calling several tools at once")
    for key in ("user", "service_tier", "cache_key"):
        if getattr(request, key) is not None:
            note(losses, f"{key}: Gemini has no place for it")
    for key in ("logit_bias", "metadata"):
        value = getattr(request, key)
        told = key == "metadata" and request.user is not None  # some APIs name the user inside of it
        if value is not None and value not in _EMPTY and not told:
            note(losses, f"{key}: Gemini has no place for it")
    wanted = request.response_format
    if wanted is not None and wanted.kind == "json_schema" and wanted.strict is False:
        note(losses, "response_format.strict: the schema is always kept to")
    note_cache_markers(request, losses)
    for key, value in request.extra.items():
        if value != Raw(b"null") and bytes(value) not in _NO_LOSS.get(key, ()):
            note(losses, f"{key}: Gemini has no place for it")
