"""The core's own tables of `lynkr.toml`: `[server]`, `[routing]` and `[tiers]`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from lynkr_core.candidates import BOUNDS, TIERS
from lynkr_core.errors import Kind
from lynkr_core.secret import Secret


class Server(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[server]`"""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8081
    workers: Annotated[int, Meta(ge=1, le=256, description="Processes that serve.")] = 1
    log: Annotated[Literal["text", "json"], Meta(description="Log lines for people, or JSON.")] = "text"
    watch: Annotated[bool, Meta(description="Take the file up again when it changes.")] = True
    admin_key: Annotated[Secret | None, Meta(description="Key of the admin routes; without one they are off.")] = None
    allow_anonymous: Annotated[bool, Meta(description="Serve callers whom no auth plugin knows, other machines' too.")] = False
    max_body: Annotated[int, Meta(gt=0, description="Bytes of a body beyond which it is refused (413).")] = 64 * 1024 * 1024
    max_messages: Annotated[int, Meta(gt=0, description="Messages of a request beyond which it is refused (413).")] = 10_000
    keep_alive: Annotated[
        float, Meta(ge=0, description="Seconds of silence after which a streaming caller is sent a sign of life; 0: never.")
    ] = 15.0
    notice: Annotated[float, Meta(ge=0, description="Seconds of a stop that say 503 at /health/ready but still serve.")] = 0.0
    drain: Annotated[float, Meta(ge=0, description="Seconds that streams in flight may take to finish at a stop.")] = 30.0
    list_models: Annotated[bool, Meta(description="Ask providers for their models at start, and hourly when listed.")] = True
    cors_origins: Annotated[list[str], Meta(description='Origins whose web pages may call lynkr; `["*"]` allows all.')] = []


Positive = Annotated[float, Meta(gt=0)]
LimitName = Literal["attempt", "first_event", "gap", "reasoning", "total"]


class Limits(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[routing.limits]`, in seconds; `[provider.NAME.limits]` overrules them. Signs of life without content end no silence."""

    attempt: Annotated[float, Meta(gt=0, description="For one attempt, until its answer or the first event is here.")] = 120.0
    first_event: Annotated[float, Meta(gt=0, description="Until the first event of a stream.")] = 120.0
    gap: Annotated[
        float, Meta(gt=0, description="Between two events with content, not counting time the caller does not read.")
    ] = 120.0
    reasoning: Annotated[float, Meta(gt=0, description="As `gap`, before the first content and while the model thinks.")] = 300.0
    total: Annotated[float, Meta(gt=0, description="For one streamed answer.")] = 3600.0


class Routing(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[routing]`"""

    remap: Annotated[bool, Meta(description="Decide by score for model names that nobody lists.")] = False
    retries: Annotated[int, Meta(ge=0, description="Retries of the same candidate in one exchange, besides fallbacks.")] = 2
    deadline: Annotated[float, Meta(gt=0, description="Seconds for all attempts of one exchange until its answer begins.")] = (
        300.0
    )
    unsupported: Annotated[
        Literal["drop", "refuse"],
        Meta(
            description="What becomes of a parameter that a model is known to refuse: it is left out and told, or the model is."
        ),
    ] = "drop"
    ended: Annotated[
        Literal["warn", "refuse"],
        Meta(
            description="What becomes of a model after the last day it is served: the answer has a warning, or it is not asked."
        ),
    ] = "warn"
    limits: Annotated[Limits, Meta(description="Seconds that an attempt may take; see below.")] = Limits()
    fallback: Annotated[
        dict[Kind, bool], Meta(description="Whether the next candidate may follow a kind of error, as in `content = true`.")
    ] = {}
    resume: Annotated[bool, Meta(description="Let the next candidate continue a plain text answer that was cut.")] = False
    hedge_after: Annotated[
        Literal["p95"] | Positive | None,
        Meta(description="Seconds of silence after which a second candidate is asked too; `p95`: what 95 % of answers took."),
    ] = None
    hedge_share: Annotated[float, Meta(ge=0, le=1, description="How many second candidates for each request.")] = 0.05


class TierTable(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[tiers]`: candidates as `provider/model`, in the order they are tried."""

    simple: list[str] = []
    medium: list[str] = []
    complex: list[str] = []
    reasoning: list[str] = []
    bounds: Annotated[tuple[float, float, float], Meta(description="Highest scores of the first three tiers.")] = BOUNDS

    def tables(self) -> dict[str, list[str]]:
        return {name: getattr(self, name) for name in TIERS}
