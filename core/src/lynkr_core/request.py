"""The internal model: what a request asks and what a response says, independent of any wire API.

Names are OpenTelemetry GenAI's. Every node keeps the JSON fragment it was read from (`native`). A dialect that writes a
node back in the form it came in emits that fragment byte for byte, or, when the node was changed with `edit`, the fragment with
only the changed keys replaced. So one changed tool result disturbs nothing else: no unknown field, no number's spelling,
no prompt cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self, cast

from msgspec import Raw, Struct, json, structs

Role = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]
Modality = Literal["image", "audio", "video", "document"]
_items = json.Decoder(list[Raw])
_object = json.Decoder(dict[str, Raw])


class Items(Struct, eq=False, gc=False):
    """A JSON list of a request, or the one under `key` of an object, which is not cut into its items before one is asked for."""

    whole: Raw | _Place
    key: str | None = None
    cut: list[Raw] | None = None

    def at(self, index: int) -> Raw:
        if self.cut is None:
            whole = self.whole.fragment if isinstance(self.whole, _Place) else self.whole
            self.cut = _items.decode(whole if self.key is None else _object.decode(whole)[self.key])
        return self.cut[index]


class _Place(Struct, frozen=True, eq=False, gc=False):
    """Where a node's fragment is. Equal to what stands there."""

    items: Items
    index: int

    @property
    def fragment(self) -> Raw:
        return self.items.at(self.index)

    def __eq__(self, other: object) -> bool:
        return self.fragment == (other.fragment if isinstance(other, _Place) else other)


placed = cast("Callable[[Items, int], Raw]", _Place)
"""For a reader that knew every key of the whole list: the `native` of the node that it made of the item at this index.

Cutting out the fragment of each message, part and tool costs more than reading them, and only who edits a request needs it.
"""


class Node(Struct, frozen=True, kw_only=True):
    """A piece of a request or response. `native` is its JSON as it came, in the dialect of the whole; None when made here."""

    native: Raw | None = None
    edited: bool = False

    def edit(self, **changes: Any) -> Self:
        """A copy with these fields changed, whose `native` fragment no longer stands for the whole."""
        return structs.replace(self, **changes, edited=True)

    @property
    def known(self) -> bool:
        """Whether the model has a field for everything that the fragment says; False when nobody has looked yet."""
        return type(_native(self)) is _Place


_native: Callable[[Node], Any] = vars(Node)["native"].__get__


class _Native:
    """Reading `native`, which cuts out what is still in its place."""

    def __get__(self, node: Node | None, owner: type[Node]) -> Any:
        value = self if node is None else _native(node)
        return value.fragment if type(value) is _Place else value

    def __set__(self, node: Node, value: Raw | None) -> None:
        raise AttributeError("nodes do not change: see Node.edit")


type.__setattr__(Node, "native", _Native())


class Part(Node, frozen=True, kw_only=True):
    """A piece of a message. `cache` is a prompt-cache marker (Anthropic's `cache_control` object) as it came."""

    cache: Raw | None = None


class Text(Part, frozen=True, kw_only=True):
    """Plain text. `refusal`: the model says why it will not answer. `annotations`: citations as they came."""

    text: str
    refusal: bool = False
    annotations: Raw | None = None


class Reasoning(Part, frozen=True, kw_only=True):
    """The model's thinking. `signature` and `encrypted` are opaque and go back to the same vendor unchanged."""

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    id: str | None = None


class ToolCall(Part, frozen=True, kw_only=True):
    """The model calls a tool. `arguments` is JSON text exactly as the model wrote it; free text for a `custom` tool."""

    id: str
    name: str
    arguments: str = "{}"
    kind: Literal["function", "custom"] = "function"
    signature: str | None = None


class ToolCallResponse(Part, frozen=True, kw_only=True):
    """A tool's result for the call `id`. `content` holds text, blobs, URIs or generic parts."""

    id: str
    content: tuple[Part, ...] = ()
    is_error: bool = False
    name: str | None = None
    kind: Literal["function", "custom"] = "function"


class Blob(Part, frozen=True, kw_only=True):
    """Inline data: `data` is base64 text. `detail` is OpenAI's image detail."""

    modality: Modality
    mime_type: str
    data: str
    name: str | None = None
    detail: str | None = None


class Uri(Part, frozen=True, kw_only=True):
    """Data that the provider is to fetch itself."""

    modality: Modality
    uri: str
    mime_type: str | None = None
    name: str | None = None
    detail: str | None = None


class File(Part, frozen=True, kw_only=True):
    """A file stored at the provider earlier."""

    file_id: str
    modality: Modality = "document"


class Generic(Part, frozen=True, kw_only=True):
    """A block of a type this model does not know; only its own dialect can carry it."""

    type: str


class Message(Node, frozen=True, kw_only=True):
    """One turn. Tool results are `ToolCallResponse` parts of a `tool` or a `user` message, as the dialect wrote them."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str | None = None
    id: str | None = None

    @property
    def text(self) -> str:
        """The text parts, joined by line ends."""
        return "\n".join([part.text for part in self.parts if isinstance(part, Text)])


class Tool(Node, frozen=True, kw_only=True):
    """Something the model may call. `kind` is `function`, `custom` or the dialect's own name for a built-in tool."""

    name: str
    kind: str = "function"
    description: str | None = None
    parameters: Raw | None = None
    strict: bool | None = None
    cache: Raw | None = None


class ToolChoice(Struct, frozen=True):
    """`auto`, `none`, `required`, or `tool` with its name."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None


class ResponseFormat(Struct, frozen=True, kw_only=True):
    """`text`, `json_object`, or `json_schema` with the schema as it came."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class ReasoningOptions(Struct, frozen=True, kw_only=True):
    """How much to think and what of it to show. `mode` is None when only effort or budget were given.

    `effort`: none, minimal, low, medium, high, xhigh or max. `budget`: thinking tokens. `summary`: OpenAI's summary setting.
    """

    mode: Literal["off", "on", "adaptive"] | None = None
    effort: str | None = None
    budget: int | None = None
    summary: str | None = None
    display: str | None = None


class Request(Node, frozen=True, kw_only=True):
    """What the caller asks.

    `system` is a prompt that stands outside the messages (Anthropic `system`, Responses `instructions`); system and developer
    messages inside the conversation stay in `messages`. `extra` has the top-level keys that no field here names, as they came.
    """

    dialect: str
    model: str
    messages: tuple[Message, ...] = ()
    system: tuple[Part, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Raw | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningOptions | None = None
    stream: bool = False
    user: str | None = None
    metadata: Raw | None = None
    service_tier: str | None = None
    cache_key: str | None = None
    extra: Mapping[str, Raw] = {}


class Usage(Struct, frozen=True, kw_only=True):
    """What one call took. `input_tokens` includes cache and audio; `output_tokens` includes reasoning, audio and images.

    `cache_write_1h` is the part of `cache_write` kept for an hour; `audio_input` leaves out what was read from the cache. `fees`: how
    often the provider's own tools were used that it bills by the use, as in `web_search`. `service`: how the call was served, where
    that is not as usual and may cost more or less: the provider's words, joined by `+`. `estimated`: counted here, the provider said
    nothing. `billed`: USD that the provider says it takes.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_output: int = 0
    fees: Mapping[str, int] = {}
    service: str = ""
    estimated: bool = False
    billed: float | None = None


class Choice(Node, frozen=True, kw_only=True):
    """One answer. `stop_sequence` is the sequence that ended it, `logprobs` as they came."""

    parts: tuple[Part, ...] = ()
    finish_reason: FinishReason = "stop"
    stop_sequence: str | None = None
    logprobs: Raw | None = None


class Response(Node, frozen=True, kw_only=True):
    """What the model said. `created` is in seconds since 1970."""

    dialect: str
    id: str
    model: str
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    created: int | None = None
    service_tier: str | None = None
