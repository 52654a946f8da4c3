"""The shapes of Cohere's v2 API, as cohere 7.3.1 has them; where they are those of Chat Completions, the chat dialect's are used."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from lynkr_core.dialects.openai_chat.wire import NOTHING

NAME = "cohere"
PLAN = "tool_plan"
"""The id of reasoning that came as `tool_plan`, by which it is told from thinking and finds its way back."""


class Beside(Struct):
    """What an assistant message has that chat's does not."""

    tool_plan: str | None = None
    citations: list[Raw] | None = None


class Placed(Struct):
    """A citation, as far as its place goes. It is of the text unless it says otherwise."""

    content_index: int | None = None
    type: str | None = None


class Billed(Struct):
    input_tokens: float | None = None
    output_tokens: float | None = None
    search_units: float | None = None
    classifications: float | None = None


class WireUsage(Struct):
    """`billed_units` is what costs, `tokens` what the model saw; the second has the prompt's template in it."""

    billed_units: Billed | None = None
    tokens: Billed | None = None
    cached_tokens: float | None = None


class LogprobItem(Struct):
    """A piece of text, with as many log probabilities as it has tokens."""

    text: str | None = None
    logprobs: list[float] | None = None


class Answer(Struct):
    id: Any = None
    finish_reason: str | None = None
    message: Raw = NOTHING
    usage: WireUsage | None = None
    logprobs: list[LogprobItem] | None = None


class Content(Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    id: str | None = None
    function: Function | None = None


class DeltaMessage(Struct):
    """Inside an event. `content` is an empty list in `message-start`."""

    content: Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Any] | None = None
    citations: Raw = NOTHING


class WireDelta(Struct):
    message: DeltaMessage | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    error: str | None = None


class WireEvent(Struct):
    """One event of a stream, of whichever type."""

    type: str
    id: Any = None
    index: int | None = None
    delta: WireDelta | None = None
    logprobs: LogprobItem | None = None


beside = msgspec.json.Decoder(Beside)
places = msgspec.json.Decoder(Placed)
answers = msgspec.json.Decoder(Answer)
wire_events = msgspec.json.Decoder(WireEvent)
