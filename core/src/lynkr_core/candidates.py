"""From the model a caller asks for to the candidates that could serve it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from lynkr_core.cards import Catalogue, Price
from lynkr_core.exchange import Candidate, Route
from lynkr_core.pricing import price_of

if TYPE_CHECKING:
    from lynkr_core.provider import Provider

TIERS = ("simple", "medium", "complex", "reasoning")
BOUNDS: tuple[float, float, float] = (25.0, 50.0, 75.0)
AUTO = ("auto", "*")
MAX_DYNAMIC = 10_000
"""Models named only by callers that are remembered; beyond it the memory starts anew."""


class Tiers:
    """The bands of scores and their candidates, cheapest band first, and what else has a name. Filled once the providers exist."""

    names = TIERS

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self._own: dict[str, tuple[Candidate, ...]] = {}
        self._fallbacks: dict[str, tuple[Candidate, ...]] = {}
        self._lists: Mapping[str, tuple[Candidate, ...]] = {}

    def fill(self, tables: Mapping[str, tuple[Candidate, ...]], lists: Mapping[str, tuple[Candidate, ...]] | None = None) -> None:
        """A missing tier inherits from the nearest cheaper one, then from the nearest dearer one. `lists`: what `[models]` names."""
        self._lists = lists or {}
        self._own = {name: tables.get(name) or self._inherited(tables, index) for index, name in enumerate(TIERS)}
        self._fallbacks = {name: self._chain(index) for index, name in enumerate(TIERS)}

    def _inherited(self, tables: Mapping[str, tuple[Candidate, ...]], index: int) -> tuple[Candidate, ...]:
        near = [*reversed(TIERS[:index]), *TIERS[index + 1 :]]
        return next((tables[name] for name in near if tables.get(name)), ())

    def _chain(self, index: int) -> tuple[Candidate, ...]:
        names = [*TIERS[index:], *reversed(TIERS[:index])]
        return unique(candidate for name in names for candidate in self._own[name])

    def of(self, score: float) -> str:
        """The tier of a score from 0 to 100."""
        return TIERS[bisect_left(self.bounds, round(score))]

    def candidates(self, name: str) -> tuple[Candidate, ...]:
        return self._own.get(name, ())

    def named(self, name: str) -> tuple[Candidate, ...] | None:
        """A tier's own candidates, or those that `[models]` has for a name, in their order; None for any other name."""
        return self.candidates(name) if name in TIERS else self._lists.get(name)

    def equal(self, name: str, count: int) -> int:
        """How many of so many that a name stands for are as good as each other: a list of `[models]` is tried in its order."""
        return min(count, 1) if name in self._lists else count

    def fallbacks(self, name: str) -> tuple[Candidate, ...]:
        """The tier's candidates, then those of dearer tiers, then of cheaper ones, each once."""
        return self._fallbacks.get(name, ())

    def __bool__(self) -> bool:
        return any(self._own.values())


DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
"""In a name that comes from a caller, a part that would lead elsewhere where the name goes into a path."""


class Target(Struct, frozen=True, eq=False):
    """What a requested model name means. Compared by identity: it stands for a name."""

    route: Route
    tier: str | None
    candidates: tuple[Candidate, ...]


class Catalog:
    """Every name callers may ask for. `resolve` is one dictionary look-up for all names known at start."""

    def __init__(
        self, providers: Mapping[str, Provider], tiers: Tiers, *, models: Mapping[str, Sequence[str]],
        tier_models: Mapping[str, Sequence[str]], prices: Mapping[str, Price], remap: bool = False,
        catalogues: Sequence[Catalogue] = (), named: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.providers = providers
        self.tiers = tiers
        self._prices = prices
        self._catalogues = catalogues
        self._known: dict[str, Candidate] = {}
        self._dynamic: dict[str, Target] = {}
        self._live: dict[str, Sequence[str]] = {}
        self._listed: dict[str, Provider] = {}
        tables = {name: self._all(ids) for name, ids in tier_models.items()}
        self.aliases = {name: self._all(ids) for name, ids in models.items()}
        tiers.fill(tables, self.aliases)
        listed = {model: self.candidate(provider, model) for provider in providers.values() for model in provider.models}
        self._auto = unique((*self._everything(listed), *self._all(named)))
        self._targets: dict[str, Target] = {model: Target("exact", None, (found,)) for model, found in listed.items()}
        self._targets |= {name: Target("exact", None, (found,)) for name, found in self._known.items()}
        self._targets |= {name: Target("tier", name, tiers.fallbacks(name)) for name in TIERS if tiers}
        self._targets |= {name: Target("alias", None, found) for name, found in self.aliases.items()}
        self._targets |= {name: Target("auto", None, self._auto) for name in AUTO if self._auto}
        self._remap = remap and bool(tiers)

    def _all(self, ids: Iterable[str]) -> tuple[Candidate, ...]:
        pairs = (id.partition("/") for id in ids)
        return unique(self.candidate(self.providers[name], model) for name, _, model in pairs)

    def _everything(self, listed: Mapping[str, Candidate]) -> tuple[Candidate, ...]:
        """What `auto` chooses from: the tiers; without tiers the aliases; without those every listed model."""
        if self.tiers:
            return self.tiers.fallbacks(TIERS[0])
        aliases = unique(candidate for found in self.aliases.values() for candidate in found)
        return aliases or unique(listed.values())

    def candidate(self, provider: Provider, model: str) -> Candidate:
        """The one candidate object for this pair."""
        id = f"{provider.name}/{model}"
        if id not in self._known:
            self._known[id] = self._made(provider, model)
        return self._known[id]

    def _made(self, provider: Provider, model: str) -> Candidate:
        """With what the first catalogue that knows this model says; `[prices]` wins over it."""
        price = price_of(self._prices, provider.name, model)
        cards = (catalogue.card(provider.name, provider.vendor, model) for catalogue in self._catalogues)
        card = next((card for card in cards if card), None)
        if card is None:
            return Candidate(provider=provider, model=model, price=price)
        limits: dict[str, Any] = {"context_window": card.context_window, "max_output": card.max_output}
        return Candidate(provider=provider, model=model, price=price or card.price, card=card, **limits)

    def resolve(self, name: str) -> Target | None:
        """None when nobody serves this name."""
        return self._targets.get(name) or self._dynamic.get(name) or self._resolve_unlisted(name)

    def _resolve_unlisted(self, name: str) -> Target | None:
        if DOTS.search(name):
            return None
        prefix, slash, model = name.partition("/")
        if slash and model and prefix in self.providers:
            return self._remember(name, self.providers[prefix], model)
        if self._remap:
            return self._targets["auto"]
        if name in self._listed:
            return self._remember(name, self._listed[name], name)
        if len(self.providers) == 1:
            return self._remember(name, next(iter(self.providers.values())), name)
        return None

    def _remember(self, name: str, provider: Provider, model: str) -> Target:
        if len(self._dynamic) >= MAX_DYNAMIC:
            self._dynamic.clear()
        target = Target("exact", None, (self._made(provider, model),))
        self._dynamic[name] = target
        return target

    def price(self, id: str) -> Price | None:
        """Of a `provider/model`, whether it is enabled or not: what `[prices]` says, else a catalogue that knows exactly this one."""
        name, _, model = id.partition("/")
        if name in self.providers:
            return self._made(self.providers[name], model).price
        cards = [card for catalogue in self._catalogues if (card := catalogue.card(name, name, model))]
        return price_of(self._prices, name, model) or (cards[0].price if cards else None)

    def add_models(self, provider: Provider, models: Sequence[str]) -> None:
        """What a provider says it has, in the place of what it said before.

        A bare name goes to the first provider that says so, in the order of `lynkr.toml`; names known at start go before, and so does
        `remap`, or routing would depend on when the providers answered.
        """
        self._live[provider.name] = models
        said = [(model, self.providers[name]) for name in self.providers for model in self._live.get(name, ())]
        self._listed = dict(reversed(said))
        self._dynamic.clear()

    def inherit(self, before: Catalog) -> None:
        """What providers of the same name have said before a reload, until they are asked again."""
        for name in before._live.keys() & self.providers.keys():
            self.add_models(self.providers[name], before._live[name])

    def names(self) -> list[str]:
        """Every name a caller may ask for: auto and tiers, aliases, then `provider/model`."""
        special = ["auto"] if self._auto else []
        tiers = list(TIERS) if self.tiers else []
        said = [f"{name}/{model}" for name, models in self._live.items() for model in models]
        return list(dict.fromkeys([*special, *tiers, *self.aliases, *self._known, *said]))


def matching(target: str, among: Iterable[Candidate], tiers: Tiers) -> tuple[Candidate, ...]:
    """Of these candidates the one that `provider/model` names, all of a provider, or a tier's or a list's of `[models]`, in their order.

    A name means to selectors what it means to callers, so `[models]` goes before a provider of the same name.
    """
    listed = tiers.named(target)
    if listed is not None:
        given = tuple(among)
        return tuple([candidate for candidate in listed if candidate in given])
    if "/" in target:
        return tuple([candidate for candidate in among if candidate.id == target])
    return tuple([candidate for candidate in among if candidate.provider.name == target])


def unique(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(dict.fromkeys(candidates))
