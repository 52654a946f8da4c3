"""The settings of a request: `generationConfig` and `toolConfig`, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.request import ReasoningOptions, Request, ResponseFormat, ToolChoice
from lynkr_provider_google.dialect import wire
from lynkr_provider_google.dialect.wire import Wire

CONFIG = "generationConfig"
MODES = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "auto"}
LEVELS = ("minimal", "low", "medium", "high")
"""Thinking levels that every model with levels has."""
_JSON = "application/json"


class _Thinking(Struct, rename="camel"):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class _Choosing(Struct, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class _ToolConfig(Struct, rename="camel"):
    function_calling_config: _Choosing | None = None
    snake: _Choosing | None = msgspec.field(default=None, name="function_calling_config")


def _setting(name: str, type: Any) -> tuple[str, Any]:
    return name, msgspec.json.Decoder(type)


_SETTINGS: Mapping[str, tuple[str, Any]] = {
    "temperature": _setting("temperature", float),
    "topP": _setting("top_p", float),
    "topK": _setting("top_k", float),
    "maxOutputTokens": _setting("max_tokens", int),
    "stopSequences": _setting("stop", list[str]),
    "seed": _setting("seed", int),
    "candidateCount": _setting("n", int),
    "presencePenalty": _setting("presence_penalty", float),
    "frequencyPenalty": _setting("frequency_penalty", float),
    "responseLogprobs": _setting("logprobs", bool),
    "logprobs": _setting("top_logprobs", int),
}
"""Key: the request's field, and a decoder."""
_FORMAT = ("responseMimeType", "responseSchema", "responseJsonSchema")
_thinking = msgspec.json.Decoder(_Thinking)
_tool_config = msgspec.json.Decoder(_ToolConfig)
_CONVERT: Mapping[str, Callable[[Any], Any]] = {"topK": int, "stopSequences": tuple}


def read_options(fields: Mapping[str, Raw]) -> tuple[dict[str, Any], dict[str, Raw]]:
    """The request's fields, and what no field names: keys of `generationConfig` with its name before them. Raises `InvalidRequest`."""
    raw = wire.given(fields.get(CONFIG))
    config = {} if raw is None else wire.objects_of(raw, CONFIG)
    options: dict[str, Any] = {}
    extra: dict[str, Raw] = {}
    for key, value in config.items():
        path = f"{CONFIG}.{key}"
        if key in _SETTINGS:
            field, decoder = _SETTINGS[key]
            if value != wire.NULL:
                options[field] = _CONVERT.get(key, _same)(wire.read(decoder, value, path))
        elif key == "thinkingConfig" and value != wire.NULL:
            options["reasoning"] = read_thinking(wire.read(_thinking, value, path))
        elif key not in _FORMAT:
            extra[path] = value
    options["response_format"] = _read_format(config)
    if options["response_format"] is None and wire.given(config.get("responseMimeType")) is not None:
        extra[f"{CONFIG}.responseMimeType"] = config["responseMimeType"]
    options["tool_choice"] = _read_choice(wire.given(fields.get("toolConfig")))
    return options, extra


def _same(value: Any) -> Any:
    return value


def read_thinking(wanted: _Thinking) -> ReasoningOptions | None:
    """A budget of 0 is off, of -1 as much as the model likes."""
    budget = wanted.thinking_budget
    summary = "auto" if wanted.include_thoughts else None
    effort = wanted.thinking_level.lower() if wanted.thinking_level else None
    if budget == 0:
        return ReasoningOptions(mode="off", budget=0)
    if budget is not None and budget < 0:
        return ReasoningOptions(mode="adaptive", summary=summary)
    if budget is None and effort is None and summary is None:
        return None
    return ReasoningOptions(effort=effort, budget=budget, summary=summary)


def _read_format(config: Mapping[str, Raw]) -> ResponseFormat | None:
    """None for a media type that no other API has."""
    mime = wire.given(config.get("responseMimeType"))
    schema = wire.given(config.get("responseJsonSchema")) or wire.given(config.get("responseSchema"))
    if mime is None or wire.read(wire.texts, mime, f"{CONFIG}.responseMimeType") != _JSON:
        return ResponseFormat(kind="text") if mime == Raw(b'"text/plain"') else None
    if schema is None:
        return ResponseFormat(kind="json_object")
    wire.read(wire.objects, schema, f"{CONFIG}.responseSchema")
    return ResponseFormat(kind="json_schema", schema=schema)


def _read_choice(raw: Raw | None) -> ToolChoice | None:
    """One allowed function is that tool; of several there is no word in the model, so only the mode is told."""
    if raw is None:
        return None
    config = wire.read(_tool_config, raw, "toolConfig")
    choosing = config.function_calling_config or config.snake
    if choosing is None or not choosing.mode:
        return None
    mode = MODES.get(choosing.mode.upper())
    names = choosing.allowed_function_names or []
    if mode == "required" and len(names) == 1:
        return ToolChoice("tool", names[0])
    return None if mode is None else ToolChoice(mode)  # pyright: ignore[reportArgumentType]


def allows_several(fields: Mapping[str, Raw]) -> bool:
    """Whether the choice is narrowed to several functions."""
    raw = wire.given(fields.get("toolConfig"))
    if raw is None:
        return False
    config = wire.read(_tool_config, raw, "toolConfig")
    choosing = config.function_calling_config or config.snake
    return choosing is not None and len(choosing.allowed_function_names or ()) > 1


def write_config(request: Request) -> Wire:
    """The keys of `generationConfig` for the fields that are set."""
    config: Wire = {}
    for key, (field, _) in _SETTINGS.items():
        value = getattr(request, field)
        if value is not None and value != ():
            config[key] = list(value) if key == "stopSequences" else value
    if request.top_logprobs is not None:
        config["responseLogprobs"] = True  # one is refused without the other
    if request.response_format is not None and request.response_format.kind != "text":
        config["responseMimeType"] = _JSON
        if request.response_format.schema is not None:
            config["responseJsonSchema"] = request.response_format.schema
    thinking = write_thinking(request.reasoning)
    if thinking:
        config["thinkingConfig"] = thinking
    return config


def write_thinking(options: ReasoningOptions | None) -> Wire:
    """A budget where one is given, else a level; the thoughts are shown unless the caller does not want to see them."""
    if options is None:
        return {}
    if options.mode == "off" or options.effort == "none" or options.budget == 0:
        return {"thinkingBudget": 0}
    thinking: Wire = {}
    if options.budget is not None:
        thinking["thinkingBudget"] = options.budget
    elif options.effort is not None:
        thinking["thinkingLevel"] = level(options.effort)
    elif options.mode == "adaptive":
        thinking["thinkingBudget"] = -1
    hidden = options.display == "omitted" and options.summary is None
    return thinking if hidden else thinking | {"includeThoughts": True}


def level(effort: str) -> str:
    """The nearest level that there is."""
    return effort if effort in LEVELS else "high"


def write_choice(choice: ToolChoice | None) -> Wire | None:
    """`functionCallingConfig`."""
    if choice is None:
        return None
    if choice.mode == "tool":
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    return {"mode": {"auto": "AUTO", "none": "NONE", "required": "ANY"}[choice.mode]}
