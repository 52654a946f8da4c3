"""An experiment: each user always gets the same variant, and it is told which."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from lynkr_core.errors import InvalidRequest
from lynkr_core.exchange import ANONYMOUS, Candidate, Exchange, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_ab.split import Split
from lynkr_selector_tasks import Choices

__all__ = ["AbSelector", "Config", "Split", "Variant", "plugin"]

REMEMBERED = 1024
KEYS_OF_USERS = frozenset({"user", "safety_identifier", "metadata"})
"""Top-level keys under which the APIs' callers name their users."""


class Variant(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[selector.ab.variant]]`"""

    name: Annotated[str, Meta(description="What the header and the journal say.", pattern=r"^[A-Za-z0-9_.-]+$")]
    share: Annotated[float, Meta(gt=0, description="Its size, relative to the others'.")]
    to: Annotated[
        str | list[str],
        Meta(
            description="`provider/model`, a provider, a tier, a name in `[models]`, or a chain. None: whatever the other selectors say."
        ),
    ] = []


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.ab]`"""

    variant: Annotated[list[Variant], Meta(min_length=2, description="The variants.")]
    by: Annotated[
        Literal["user", "session", "request"],
        Meta(description="What always gets the same variant. Who has no session is a user."),
    ] = "user"
    salt: Annotated[str, Meta(description="Another one splits the users anew; the instance's name when left out.")] = ""

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variant]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")


class AbSelector:
    """Orders requests that have a choice."""

    def __init__(self, config: Config, context: Context) -> None:
        self.variants, self.by = config.variant, config.by
        self.experiment = context.name
        self.note = "variant" if context.name == "ab" else f"variant-{context.name.lower()}"
        self.split = Split(config.salt or context.name, [variant.share for variant in config.variant])
        self.names = [(variant.to,) if isinstance(variant.to, str) else tuple(variant.to) for variant in config.variant]
        self.targets = tuple(dict.fromkeys(name for names in self.names for name in names))
        self.choices = Choices(context.tiers)
        self._arm = lru_cache(REMEMBERED)(self.arm)

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """None where there is no choice, and when nobody whom the variant names is among the candidates."""
        if len(candidates) < 2:
            return None
        return self._arm(self.split.of(identity(exchange, self.by)), tuple(candidates))

    def arm(self, index: int, candidates: tuple[Candidate, ...]) -> Selection | None:
        name, names = self.variants[index].name, self.names[index]
        reason, notes = f"{self.experiment}: {name}", {self.note: name, "propensity": f"{self.propensity(index):.3f}"}
        if not names:
            return Selection(order=candidates, reason=reason, peers=len(candidates), notes=notes)
        found = self.choices.of(names, candidates, reason)
        return None if found is None else structs.replace(found, notes=notes)

    def propensity(self, index: int) -> float:
        """How likely this variant is for a user of whom nothing is known: without it nobody can compare strategies afterwards."""
        return self.variants[index].share / sum([variant.share for variant in self.variants])


def identity(exchange: Exchange, by: str) -> str:
    """Who always gets the same variant: the principal's user, the one that the body names, the principal, the session, this request."""
    session = exchange.header(b"x-lynkr-session")
    if by == "request" or (by == "session" and session):
        return session if by == "session" else exchange.id
    who = exchange.principal
    return who.user or named_user(exchange) or (who.id if who.id != ANONYMOUS.id else session) or exchange.id


def named_user(exchange: Exchange) -> str | None:
    if KEYS_OF_USERS.isdisjoint(exchange.envelope.fields):
        return None
    try:
        return exchange.request.user
    except InvalidRequest:
        return None


plugin = Plugin(api=1, config=Config, create=AbSelector, rank=2)
