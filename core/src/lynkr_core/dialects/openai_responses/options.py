"""Everything in a request but its input, instructions and tools: both ways."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialect import Fields
from lynkr_core.dialects.losses import note_cache_markers, note_citations
from lynkr_core.dialects.openai_responses.tools import is_partial, read_choice, write_choice
from lynkr_core.dialects.openai_responses.vocabulary import inside
from lynkr_core.dialects.openai_responses.wire import NAME, NOTHING, Wire, changes, lose, read, some
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import ReasoningOptions, Request, ResponseFormat

MIN_OUTPUT, MAX_NAME = 16, 64
_LOGPROBS = b'"message.output_text.logprobs"'
_SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
_SCALARS: dict[str, tuple[str, msgspec.json.Decoder[Any]]] = {
    "max_output_tokens": ("max_tokens", msgspec.json.Decoder(int | None)),
    "temperature": ("temperature", msgspec.json.Decoder(float | None)),
    "top_p": ("top_p", msgspec.json.Decoder(float | None)),
    "top_logprobs": ("top_logprobs", msgspec.json.Decoder(int | None)),
    "parallel_tool_calls": ("parallel_tool_calls", msgspec.json.Decoder(bool | None)),
    "stream": ("stream", msgspec.json.Decoder(bool | None)),
    "user": ("user", msgspec.json.Decoder(str | None)),
    "service_tier": ("service_tier", msgspec.json.Decoder(str | None)),
    "prompt_cache_key": ("cache_key", msgspec.json.Decoder(str | None)),
}
_NAMED = {*_SCALARS, "model", "input", "instructions", "tools", "tool_choice", "text", "reasoning", "metadata"}
_NO_PLACE = ("top_k", "stop", "seed", "frequency_penalty", "presence_penalty")
_SHARED = ("safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation")
"""Keys that the chat API has under the same name."""


class _Format(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = NOTHING
    strict: bool | None = None


class _Text(Struct):
    format: _Format | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


_text = msgspec.json.Decoder(_Text)
_reasoning = msgspec.json.Decoder(_Reasoning)
_object = msgspec.json.Decoder(dict[str, Raw])


def read_options(fields: Mapping[str, Raw]) -> dict[str, Any]:
    """Keyword arguments for `Request`. Raises `InvalidRequest`."""
    found: dict[str, Any] = {"extra": _extra(fields)}
    for key, (name, decoder) in _SCALARS.items():
        if key in fields and (value := read(decoder, fields[key], key)) is not None:
            found[name] = value
    if metadata := some(fields.get("metadata")):
        found["metadata"] = metadata
    if text := some(fields.get("text")):
        found["response_format"] = _read_format(read(_text, text, "text").format)
    if reasoning := some(fields.get("reasoning")):
        found["reasoning"] = _read_reasoning(read(_reasoning, reasoning, "reasoning"))
    if _LOGPROBS in bytes(fields.get("include", b"")):
        found["logprobs"] = True
    found["tool_choice"] = read_choice(fields.get("tool_choice"))
    return found


def _extra(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Keys that no field of the model names. A dotted one is part of a key that the model has no field for."""
    extra = {key: value for key, value in fields.items() if key not in _NAMED}
    for key, known in (("text", ("format",)), ("reasoning", ("effort", "summary", "generate_summary"))):
        if raw := some(fields.get(key)):
            extra |= {f"{key}.{name}": value for name, value in read(_object, raw, key).items() if name not in known}
    extra |= inside(fields)
    if "include" in extra and bytes(extra["include"]).strip(b"[] \n") in (b"", _LOGPROBS):
        del extra["include"]  # nothing, or log probabilities, which have a field
    if is_partial(fields.get("tool_choice")):
        extra["tool_choice.type"] = fields["tool_choice"]
    return extra


def _read_format(format: _Format | None) -> ResponseFormat | None:
    match format:
        case None:
            return None
        case _Format(type="json_schema"):
            schema = some(format.schema)
            return ResponseFormat(
                kind="json_schema", name=format.name, description=format.description, schema=schema, strict=format.strict
            )
        case _Format(type="text"):
            return ResponseFormat(kind="text")
        case _Format(type="json_object"):
            return ResponseFormat(kind="json_object")
        case _:
            raise InvalidRequest(f"text.format.type: unknown type {format.type!r}", param="text.format.type")


def _read_reasoning(reasoning: _Reasoning) -> ReasoningOptions:
    mode = "off" if reasoning.effort == "none" else None
    return ReasoningOptions(mode=mode, effort=reasoning.effort, summary=reasoning.summary or reasoning.generate_summary)


def write_options(request: Request) -> Wire:
    """Every key that the model has a field for; None where it says nothing."""
    return {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs,
        "parallel_tool_calls": request.parallel_tool_calls,
        "stream": request.stream or None,
        "user": request.user,
        "service_tier": request.service_tier,
        "prompt_cache_key": request.cache_key,
        "metadata": request.metadata,
        "tool_choice": write_choice(request.tool_choice, request.tools, request.dialect == NAME),
        "text": _write_format(request.response_format),
        "reasoning": _write_reasoning(request.reasoning),
    }


def _write_format(format: ResponseFormat | None) -> Wire | None:
    if format is None:
        return None
    wire: Wire = {"type": format.kind}
    if format.kind == "json_schema":
        wire |= {"name": format.name or "response", "schema": format.schema or Raw(b"{}")}
        wire |= {key: value for key in ("description", "strict") if (value := getattr(format, key)) is not None}
    return {"format": wire}


def _write_reasoning(options: ReasoningOptions | None) -> Wire | None:
    if options is None:
        return None
    effort = "none" if options.mode == "off" else options.effort or _effort(options.budget)
    summary = options.summary or ("auto" if options.display == "summarized" else None)
    wire = {"effort": effort, "summary": summary}
    return {key: value for key, value in wire.items() if value is not None} or None


def _effort(budget: int | None) -> str | None:
    """The effort nearest to a number of thinking tokens."""
    if budget is None:
        return None
    return "low" if budget <= 2048 else "medium" if budget <= 8192 else "high"


def change_options(fields: Fields, request: Request, original: Request) -> None:
    """Brings the keys of a request of this dialect up to date with the model; what did not change is not touched."""
    old = write_options(original)
    for key, value in changes(write_options(request), old).items():
        if value is None:
            fields.pop(key, None)
        elif key in ("text", "reasoning"):
            fields[key] = splice(some(fields.get(key)), value)
        else:
            fields[key] = value
    for key in original.extra.keys() - request.extra.keys():
        fields.pop(key, None)
    extra = {key: value for key, value in request.extra.items() if "." not in key}
    fields.update(changes(extra, original.extra))


def foreign_options(request: Request, losses: list[str]) -> Wire:
    """The keys for a request that came in another dialect. What has no place here is added to `losses`."""
    wire = {key: value for key, value in write_options(request).items() if value is not None}
    _lose_options(request, losses)
    if request.max_tokens is not None and request.max_tokens < MIN_OUTPUT:
        wire["max_output_tokens"] = MIN_OUTPUT
        lose(losses, f"max_tokens: the Responses API takes no less than {MIN_OUTPUT}")
    for key in ("user", "prompt_cache_key"):
        if len(wire.get(key, "")) > MAX_NAME:
            wire[key] = sha256(wire[key].encode()).hexdigest()
            lose(losses, f"{key}: longer than {MAX_NAME} characters, its SHA-256 is sent")
    if request.service_tier not in _SERVICE_TIERS:
        wire.pop("service_tier", None)
    if not _is_openai(request):
        wire.pop("metadata", None)
    note_cache_markers(request, losses)
    note_citations(request, losses)
    return wire | _include(request) | _shared(request, wire.get("text"))


def _include(request: Request) -> Wire:
    """What must be asked for: reasoning in a form that can come back, and log probabilities."""
    reasoning = request.reasoning
    thinks = reasoning is not None and reasoning.mode != "off" and reasoning.effort != "none"
    include = ["reasoning.encrypted_content"] if thinks else []
    include += ["message.output_text.logprobs"] if request.logprobs else []
    return {"include": include} if include else {}


def _is_openai(request: Request) -> bool:
    return request.dialect.startswith("openai.")


def _shared(request: Request, text: Any) -> Wire:
    """Keys of the chat API that exist here too."""
    if not _is_openai(request):
        return {}
    wire: Wire = {key: request.extra[key] for key in _SHARED if key in request.extra}
    if "verbosity" in request.extra:
        wire["text"] = {**(text or {}), "verbosity": request.extra["verbosity"]}
    return wire


def _lose_reasoning(reasoning: ReasoningOptions | None, losses: list[str]) -> None:
    if reasoning is None:
        return
    if reasoning.display not in (None, "summarized", "omitted"):  # without a summary nothing is shown
        lose(losses, "reasoning.display: the Responses API has no such parameter")
    if reasoning.mode in ("on", "adaptive") and reasoning.effort is None and reasoning.budget is None:
        lose(losses, "reasoning: thinking cannot be asked for without an effort, the model does as it does by itself")


def _lose_options(request: Request, losses: list[str]) -> None:
    _lose_reasoning(request.reasoning, losses)
    for name in _NO_PLACE:
        if getattr(request, name) not in (None, ()):
            lose(losses, f"{name}: the Responses API has no such parameter")
    if request.logit_bias is not None and bytes(request.logit_bias).strip(b"{} \n") not in (b"", b"null"):
        lose(losses, "logit_bias: the Responses API has no such parameter")
    if request.n is not None and request.n > 1:
        lose(losses, "n: the Responses API gives one answer")
    if request.service_tier is not None and request.service_tier not in _SERVICE_TIERS:
        lose(losses, f"service_tier: {request.service_tier!r} is not one of OpenAI's")
    if request.metadata is not None and request.user is None and not _is_openai(request):
        lose(losses, "metadata: it is another vendor's")
    if _is_openai(request) and request.extra.get("store") == Raw(b"true"):
        lose(losses, "store: nothing is kept at the provider")
    known = (*_SHARED, "verbosity", "store", "stream_options") if _is_openai(request) else ()
    for key in request.extra:
        if key not in known:
            lose(losses, f"{key}: the Responses API has no such parameter")
