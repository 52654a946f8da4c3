"""Ollama: its native API, and its OpenAI and Anthropic layers for callers who speak these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.errors import UpstreamError
from lynkr_core.exchange import Candidate
from lynkr_core.plugins import Context, Plugin
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.routes import Route
from lynkr_provider_ollama.routes import routes
from lynkr_provider_ollama.wire import NOTHING, encode, given, objects

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

Layer = Literal["openai.chat", "openai.responses", "anthropic.messages", "openai.embeddings"]
NATIVE = {"ollama": "/api/chat", "ollama.generate": "/api/generate", "ollama.embeddings": "/api/embed"}
LAYERS: dict[Layer, str] = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "anthropic.messages": "/v1/messages",
    "openai.embeddings": "/v1/embeddings",
}
IGNORED = {
    "openai.chat": ("tool_choice", "parallel_tool_calls", "logit_bias", "user", "n", "logprobs", "top_logprobs", "metadata"),
    "openai.responses": ("tool_choice", "parallel_tool_calls", "truncation", "metadata", "user"),
    "anthropic.messages": ("tool_choice", "metadata", "service_tier"),
}
"""Keys that the layers pass over in silence (Ollama's documentation, "OpenAI compatibility" and "Anthropic compatibility")."""
AS_IT_IS = {
    "tool_choice": ("auto", {"type": "auto"}),
    "parallel_tool_calls": (True,),
    "n": (1,),
    "logprobs": (False,),
    "truncation": ("disabled",),
}
"""Values that ask for what happens anyway, as does null."""
NO_TOOLS = ("none", {"type": "none"})


Positive = Annotated[int, Meta(gt=0)]


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where Ollama listens, without `/v1`.")] = "http://127.0.0.1:11434"
    timeout: Annotated[float, Meta(gt=0, description="Seconds of silence; the first request loads the model.")] = 300.0
    num_ctx: Annotated[Positive | None, Meta(description="Tokens of context for every request that names none.")] = None
    keep_alive: Annotated[str | int | None, Meta(description="How long a model stays loaded: `30m`, seconds, -1 for ever.")] = (
        None
    )
    truncate: Annotated[bool | None, Meta(description="`false`: refuse a prompt that is too long instead of cutting it.")] = None
    think: Annotated[bool, Meta(description="`false`: leave `think` out, for models that cannot.")] = True
    layers: Annotated[
        list[Layer] | None,
        Meta(description="APIs whose callers use Ollama's own layers; all, or none when a setting is only native."),
    ] = None


class Tag(Struct):
    name: str


class Tags(Struct):
    """What `/api/tags` answers."""

    models: list[Tag]


class Ollama(HTTPProvider):
    """A server on this machine or in the local network, which needs no key, or Ollama's cloud.

    Callers of an API that Ollama has a layer for use it, everybody else is translated to the native API. What is set here can
    only be said natively; so then there are no layers, unless they are asked for.
    """

    defaults = {"anthropic.messages": ((b"anthropic-version", b"2023-06-01"),)}
    models_path = "/api/tags"
    vendor = "ollama"

    def __init__(self, config: Config, context: Context) -> None:
        told = {"keep_alive": config.keep_alive, "truncate": config.truncate}
        self._told = {key: value for key, value in told.items() if value is not None}
        self._num_ctx, self._think = config.num_ctx, config.think
        native_only = bool(self._told) or config.num_ctx is not None
        layers = config.layers if config.layers is not None else [] if native_only else list(LAYERS)
        self.paths = NATIVE | {layer: LAYERS[layer] for layer in layers}
        super().__init__(config, context)

    def is_local(self, model: str) -> bool:
        """Not for models that a local server passes on to Ollama's cloud; their tags end so."""
        return self.local and not model.endswith(("-cloud", ":cloud"))

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        return self._native(fields, losses) if dialect.name in NATIVE else layered(fields, dialect.name, losses)

    def _native(self, fields: Fields, losses: list[str]) -> bool:
        """Says what is set here, where the caller has said nothing."""
        missing = {key: value for key, value in self._told.items() if key not in fields}
        fields |= missing
        options = self._num_ctx is not None and self._with_context(fields)
        silent = not self._think and fields.pop("think", None) is not None
        if silent:
            losses.append(f"think: `think` of [provider.{self.name}] takes it out")
        return bool(missing) or options or silent

    def _with_context(self, fields: Fields) -> bool:
        options: Any = fields.get("options", NOTHING)
        if isinstance(options, Raw):
            options = objects.decode(options) if given(options) is not None else {}
        if "num_ctx" in options:
            return False
        fields["options"] = {**options, "num_ctx": self._num_ctx}
        return True

    async def list_models(self) -> Sequence[str]:
        tags = await self.get(self.models_path, Tags)
        return [tag.name for tag in tags.models]

    async def show(self, model: str) -> bytes | None:
        """What Ollama tells of a model, such as its context window and whether it can see; None when it does not."""
        try:
            response = await self._transport.send(self.endpoint("/api/show"), (), encode({"model": model})).response()
            body = await response.read()
        except UpstreamError:
            return None
        return body if response.status == 200 else None

    def register_routes(self, kernel: Kernel) -> Iterable[Route]:
        return routes(kernel)


def layered(fields: Fields, layer: str, losses: list[str]) -> bool:
    """Takes out what a layer would pass over, and tells it. That no tool may be called is said by leaving the tools out."""
    changed = False
    for key in IGNORED.get(layer, ()):
        value = plain(fields.get(key))
        if value is None or value in AS_IT_IS.get(key, ()):
            continue
        changed = True
        del fields[key]
        if key == "tool_choice" and value in NO_TOOLS:
            fields.pop("tools", None)
        else:
            losses.append(f"{key}: Ollama's layer for this API passes it over")
    if layer == "openai.chat" and "max_completion_tokens" in fields:
        limit = fields.pop("max_completion_tokens")
        fields.setdefault("max_tokens", limit)
        changed = True
    return changed


def plain(value: Any) -> Any:
    """A value that may be a fragment."""
    return msgspec.json.decode(value) if isinstance(value, Raw) else value


plugin = Plugin(api=1, config=Config, create=Ollama)
