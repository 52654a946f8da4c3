"""What is known of a model: its limits, what it takes and refuses, what it costs, until when it is served. Catalogues have the cards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Protocol

from msgspec import Struct

from lynkr_core.request import Modality

NEAR = timedelta(days=60)
"""How long before its end a model is spoken of."""


class Rates(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """USD per million tokens. What has no price of its own costs what `input` or `output` does, `cache_write_1h` what `cache_write` does."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    reasoning: float | None = None
    audio_input: float | None = None
    audio_output: float | None = None
    image_output: float | None = None


class Hours(Rates, frozen=True, kw_only=True):
    """What a request costs at some hours, in UTC. `days`: 1 is Monday, 7 Sunday. From `begin` on and before `end`, in minutes."""

    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    begin: int = 0
    end: int = 24 * 60


class PriceTier(Rates, frozen=True, kw_only=True):
    """What a whole request costs once its input has more than `above` tokens."""

    above: int


class Plan(Rates, frozen=True, kw_only=True):
    """Rates, and those of long requests."""

    tiers: tuple[PriceTier, ...] = ()


class Price(Plan, frozen=True, kw_only=True):
    """What a model costs. `per_request` is in USD, `fees` in USD for each use of a tool of the provider's.

    `services`: what it costs instead when it is served in another way, by the words of `Usage.service`; `hours`: and at other hours, when
    it is served as usual. `source` says where the row is from, `dated` when it was read there.
    """

    per_request: float = 0.0
    fees: Mapping[str, float] = {}
    services: Mapping[str, Plan] = {}
    hours: tuple[Hours, ...] = ()
    source: str = "lynkr.toml"
    dated: date | None = None

    def __hash__(self) -> int:
        return hash((self.input, self.output, self.source))


class ModelCard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model. None, and what is in neither set, is unknown: never taken for a no.

    `operation`: `chat` or `embeddings`. Limits are in tokens. `takes` and `refuses`: kinds of input besides text. `refused`: the
    request's top-level keys, in every dialect's spelling, that it answers with an error, by their name in the internal model;
    `refused_thinking`: only while it thinks. `thinks`: whether it does when the request does not say. `token_limit`: the key that
    limits a chat answer. `prefill`: whether it goes on from an assistant's message that stands last. `dimensions` of an embedding.
    `ends`: the last day it is served.
    """

    id: str
    operation: str | None = None
    context_window: int | None = None
    max_output: int | None = None
    dimensions: int | None = None
    takes: frozenset[Modality] = frozenset()
    refuses: frozenset[Modality] = frozenset()
    tools: bool | None = None
    structured: bool | None = None
    reasoning: bool | None = None
    thinks: bool | None = None
    refused: Mapping[str, str] = {}
    refused_thinking: Mapping[str, str] = {}
    token_limit: str | None = None
    prefill: bool | None = None
    price: Price | None = None
    ends: date | None = None

    def warning(self, today: date) -> str | None:
        """That the model ends soon, or has."""
        if self.ends is None or self.ends - today > NEAR:
            return None
        return f"{self.id} {'ended' if self.ends < today else 'ends'} on {self.ends}"


class Catalogue(Protocol):
    """What a plugin of the kind `catalog` is."""

    def card(self, provider: str, vendor: str, model: str) -> ModelCard | None:
        """The card of exactly this model, of the instance `provider` and the catalogued `vendor`; None when it is not known."""
        ...

    def proposals(self, vendor: str) -> Mapping[str, str]:
        """A model of this vendor for each tier, for who has not chosen yet; empty when none is proposed."""
        ...
