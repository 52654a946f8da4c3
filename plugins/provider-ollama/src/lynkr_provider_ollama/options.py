"""The settings of a request: `options`, and the top-level keys beside the conversation and the tools; both ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from lynkr_core.dialect import opens_with
from lynkr_core.dialects.openai_chat.translate import note
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import ReasoningOptions, Request, ResponseFormat
from lynkr_provider_ollama.wire import NOTHING, NULL, Fragment, given, read, read_object

STRUCTURE = frozenset({"model", "messages", "tools", "stream"})
"""Keys that are read elsewhere."""
LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""An effort, and the level of thinking that comes nearest."""
_floats, _ints, _bools = msgspec.json.Decoder(float), msgspec.json.Decoder(int), msgspec.json.Decoder(bool)
_stops = msgspec.json.Decoder(list[str])
_thinks = msgspec.json.Decoder(bool | str)
_texts = msgspec.json.Decoder(str)

OPTIONS: Mapping[str, tuple[str, Any]] = {
    "num_predict": ("max_tokens", _ints),
    "temperature": ("temperature", _floats),
    "top_p": ("top_p", _floats),
    "top_k": ("top_k", _ints),
    "stop": ("stop", _stops),
    "seed": ("seed", _ints),
    "frequency_penalty": ("frequency_penalty", _floats),
    "presence_penalty": ("presence_penalty", _floats),
}
"""Key of `options`: the request's field, and a decoder."""


def read_settings(fields: Mapping[str, Raw]) -> tuple[dict[str, Any], dict[str, Raw]]:
    """The request's fields, and what none of them names; of that, a key of `options` has its path. Raises `InvalidRequest`."""
    settings: dict[str, Any] = {}
    extra: dict[str, Raw] = {}
    for key, raw in fields.items():
        if key in STRUCTURE or raw == NULL:
            continue
        if key == "options":
            _read_options(raw, settings, extra)
        elif key == "format":
            settings["response_format"] = _read_format(raw)
        elif key == "think":
            settings["reasoning"] = read_think(read(_thinks, raw, key))
        elif key == "logprobs":
            settings[key] = read(_bools, raw, key)
        elif key == "top_logprobs":
            settings[key] = read(_ints, raw, key)
        else:
            extra[key] = raw
    return settings, extra


def _read_options(raw: Raw, settings: dict[str, Any], extra: dict[str, Raw]) -> None:
    for key, value in read_object(raw, "options").items():
        field, decoder = OPTIONS.get(key, ("", None))
        if value == NULL:
            continue
        if decoder is None or (key == "num_predict" and bytes(value).startswith(b"-")):  # below 0: as much as the model likes
            extra[f"options.{key}"] = value
            continue
        found = _read_number(decoder, value, f"options.{key}")
        settings[field] = tuple(found) if field == "stop" else found


def _read_number(decoder: Any, raw: Raw, path: str) -> Any:
    """A whole number may be written as `100.0`."""
    whole = decoder is _ints and bytes(raw).endswith(b".0")
    return read(decoder, Raw(bytes(raw)[:-2]) if whole else raw, path)


def _read_format(raw: Raw) -> ResponseFormat | None:
    if opens_with(raw, b"{"):
        return ResponseFormat(kind="json_schema", schema=raw)
    word = read(_texts, raw, "format")
    if word not in ("", "json"):
        raise InvalidRequest('format: expected "json" or a schema', param="format")
    return ResponseFormat(kind="json_object") if word else None


def read_think(value: bool | str) -> ReasoningOptions:
    if isinstance(value, str):
        return ReasoningOptions(mode="on", effort=value)
    return ReasoningOptions(mode="on" if value else "off")


def write_settings(request: Request) -> Fragment:
    """The wire keys of the fields that are set, and of what no field names."""
    options: Fragment = {}
    for key, (field, _) in OPTIONS.items():
        value = getattr(request, field)
        if value is not None and value != ():
            options[key] = list(value) if field == "stop" else value
    fields: Fragment = {}
    for key, raw in request.extra.items():
        outer, _, inner = key.partition(".")
        if outer == "options" and inner:
            options.setdefault(inner, raw)
        else:
            fields[key] = raw
    if options:
        fields["options"] = options
    format, think = write_format(request.response_format), write_think(request.reasoning)
    more = {"format": format, "think": think, "logprobs": request.logprobs, "top_logprobs": request.top_logprobs}
    if request.top_logprobs is not None:
        more["logprobs"] = True  # the number alone has no effect
    return fields | {key: value for key, value in more.items() if value is not None}


def write_format(wanted: ResponseFormat | None) -> Any:
    if wanted is None or wanted.kind == "text":
        return None
    return "json" if wanted.schema is None else wanted.schema


def write_think(reasoning: ReasoningOptions | None) -> bool | str | None:
    """None when nothing was said that this API has a word for."""
    if reasoning is None:
        return None
    if reasoning.mode == "off" or reasoning.effort == "none":
        return False
    if reasoning.effort is not None:
        return LEVELS.get(reasoning.effort, reasoning.effort)
    return True if reasoning.mode is not None or reasoning.budget is not None else None


LOST = {
    "n": "Ollama gives one answer",
    "logit_bias": "Ollama has no such parameter",
    "user": "Ollama has no such parameter",
    "metadata": "Ollama has no such parameter",
    "service_tier": "Ollama has no such parameter",
    "cache_key": "Ollama keeps its cache by itself",
}
"""What cannot be carried, and why."""


def note_losses(request: Request, losses: list[str]) -> None:
    """Tells what of another dialect's settings is not written, or is written as something else."""
    for field, why in LOST.items():
        if getattr(request, field) is not None and not (field == "n" and request.n == 1):
            note(losses, f"{'prompt_cache_key' if field == 'cache_key' else field}: {why}")
    for key in request.extra:
        note(losses, f"{key}: Ollama has no such parameter")
    choice, reasoning = request.tool_choice, request.reasoning
    if request.tools and choice is not None and choice.mode in ("required", "tool"):
        note(losses, "tool_choice: Ollama lets the model choose")
    if request.tools and request.parallel_tool_calls is False:
        note(losses, "parallel_tool_calls: Ollama lets the model call as many as it likes")
    if reasoning is not None:
        _note_reasoning(reasoning, losses)


def _note_reasoning(reasoning: ReasoningOptions, losses: list[str]) -> None:
    if reasoning.budget is not None and reasoning.effort is None:
        note(losses, "reasoning.budget: Ollama sets no limit to thinking")
    if reasoning.effort is not None and LEVELS.get(reasoning.effort, reasoning.effort) != reasoning.effort:
        note(losses, f"reasoning.effort: {reasoning.effort} is sent as {LEVELS[reasoning.effort]}")
    if reasoning.summary is not None:
        note(losses, "reasoning.summary: Ollama tells the thinking itself")


def stream_of(fields: Mapping[str, Raw]) -> bool:
    """Whether a stream is wanted, which it is unless told otherwise. Raises `InvalidRequest`."""
    raw = fields.get("stream", NOTHING)
    return True if given(raw) is None else read(_bools, raw, "stream")
