"""Which parameter an error says that a model does not take, of those that were sent and that a request can do without.

Each provider has words of its own for it; those below were read in the error answers that users quote in issues of OpenAI's, Anthropic's,
Mistral's, Fireworks', Groq's, xAI's, Moonshot's and AWS's clients, in 2024 to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from lynkr_core.dialect import UNREADABLE, Refusal
from lynkr_core.dialects.failures import words_of

_WORDS = """
    model messages input contents prompt system system_instruction systemInstruction instructions documents previous_response_id conversation
    tools functions tool_choice function_call toolConfig tool_config mcp_servers container plugins web_search_options
    response_format format text.format output_config.format outputConfig.textFormat generationConfig.responseSchema
    generationConfig.responseJsonSchema generationConfig.responseMimeType modalities audio dimensions encoding_format n stream background
    max_tokens max_completion_tokens max_output_tokens generationConfig.maxOutputTokens inferenceConfig.maxTokens options.num_predict
    options.num_ctx provider guardrailConfig safetySettings anthropic_version
"""
ESSENTIAL = frozenset(_WORDS.split())
"""Keys without which a request is another one: it asks for something else, costs without limit, or is told to somebody else."""
LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
"""Names of one and the same limit."""
_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
_QUOTED = r"['\"`]([A-Za-z][\w.]*)['\"`]"
_REFUSES = r"(?:not supported|unsupported|not permitted|not allowed|not available|deprecated|no longer supported)"
_WORDINGS = [
    re.compile(pattern)
    for pattern in (
        rf"[Uu]n(?:supported|known|recogni[sz]ed) (?:parameter|value|field|argument|name):? {_QUOTED}",
        r"[Uu]nrecognized request arguments? supplied: (\w+)",
        rf"{_QUOTED}(?: parameter| field)? (?:is|are) {_REFUSES}",
        rf"^(?:[Pp]arameter |[Aa]rgument )?(\w+) (?:is|are) {_REFUSES}",
        r"^([\w.]+): Extra inputs are not permitted",
        rf"Extra inputs are not permitted, field: {_QUOTED}",
        r"[Aa]rgument not supported(?: on this model)?: ['\"`]?(\w+)",
        r"not support (?:the )?(?:parameters?|fields?|arguments?):? \[?['\"`]?(\w+)",
        r"extraneous key \[(\w+)\]",
        r"(?:doesn't|does not) support the (\w+) field",
        r"invalid (\w+): only \S+ is allowed",
    )
]
_BOTH = re.compile(rf"{_QUOTED} and {_QUOTED} cannot both be specified")
_INSTEAD = re.compile(rf"[Uu]se {_QUOTED} instead")
_DEFAULT_ONLY = re.compile(r"[Oo]nly the default|only \S+ is allowed")
_EXTRA = re.compile(r"extra (?:inputs|fields) (?:are )?not permitted", re.IGNORECASE)
_decode = msgspec.json.Decoder().decode


class Named(NamedTuple):
    """What an error names. `value`: only the value is refused. `beside`: only together with this one."""

    name: str
    instead: str = ""
    beside: str = ""
    value: bool = False


def refusals(error: bytes, sent: bytes) -> list[Refusal]:
    """What may be left out of the request `sent` after this error; empty when nothing may be, or the error is about something else."""
    found = named(error)
    if not found:
        return []
    try:
        fields = _decode(sent)
    except UNREADABLE:
        return []
    spare = {plain(path): (path, value) for path, value in dispensable(fields)}
    return [refusal for one in found if (refusal := refused(one, fields, spare))]


def refused(one: Named, fields: Mapping[str, Any], spare: Mapping[str, tuple[str, Any]]) -> Refusal | None:
    if one.instead in LIMITS and one.name in LIMITS and one.name in fields:
        return Refusal(one.name, instead=one.instead)
    name = plain(one.name)
    place = spare.get(name) or next((found for key, found in spare.items() if key.rpartition(".")[2] == name), None)
    if place is None:
        return None
    beside = spare[plain(one.beside)][0] if plain(one.beside) in spare else one.beside
    return Refusal(place[0], beside=beside, value=msgspec.json.encode(place[1]) if one.value else None)


def dispensable(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Paths and values of what a request can do without: its keys, then those inside its objects."""
    for key, value in fields.items():
        if key not in ESSENTIAL and not any(f"{key}.{name}" in ESSENTIAL for name in inside(value)):
            yield key, value
    for key, value in fields.items():
        if key not in ESSENTIAL:
            yield from ((path, inner) for name, inner in inside(value).items() if (path := f"{key}.{name}") not in ESSENTIAL)


def inside(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def plain(name: str) -> str:
    """The same for `topP`, `top_p` and `top-p`."""
    return re.sub(r"[_-]", "", name).lower()


def named(error: bytes) -> list[Named]:
    """Never raises."""
    try:
        body = _decode(error)
    except UNREADABLE:
        return []
    places = list(extras(body))
    if places:  # one that lies deeper stays where it is, so that leaving out the others is in vain
        return [Named(place[0]) for place in places] if all(len(place) == 1 for place in places) else []
    words = words_of(body)
    if both := _BOTH.search(words.message):
        return [Named(both[2], beside=both[1])]
    param = inside(inside(body).get("error")).get("param") if words.code in _CODES else None
    name = (
        param if isinstance(param, str) else next((m[1] for wording in _WORDINGS if (m := wording.search(words.message))), None)
    )
    if name is None:
        return []
    instead = _INSTEAD.search(words.message)
    value = words.code == "unsupported_value" or words.message.startswith("Unsupported value")
    return [Named(name, instead[1] if instead else "", value=value and not _DEFAULT_ONLY.search(words.message))]


def extras(value: Any, depth: int = 0) -> Iterator[list[str]]:
    """Where keys are too many, as Pydantic tells it: `{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": …}`."""
    if depth > 4:
        return
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if isinstance(fields.get("loc"), list):
            if fields.get("type") == "extra_forbidden" or _EXTRA.match(str(fields.get("msg"))):
                yield [str(part) for part in fields["loc"] if part != "body"]
            return
        value = list(fields.values())
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from extras(inner, depth + 1)
