"""Sends requests where rules say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.errors import Forbidden
from lynkr_core.exchange import Candidate, Exchange, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_selector_rules.conditions import Condition, Undecided, When
from lynkr_selector_tasks import Choices

__all__ = ["Condition", "Config", "Rule", "RuleSelector", "Undecided", "When", "plugin"]


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[selector.rules.rule]]`"""

    to: Annotated[
        str | list[str],
        Meta(description="`provider/model`, a provider, a tier, a name in `[models]`, or a chain of them, tried in order."),
    ]
    when: Annotated[When, Meta(description="Conditions; all must hold. None: always.")] = When()
    name: Annotated[str, Meta(description="What it is called in reasons.")] = ""
    priority: Annotated[int, Meta(description="Higher ones first; equal ones as they are written.")] = 0
    only: Annotated[
        bool | None,
        Meta(description="Nobody else stands by. Left out: so when all that is named is local, for what stays here is to stay."),
    ] = None

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("`to` names nobody")

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.to,) if isinstance(self.to, str) else tuple(self.to)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.rules]`"""

    rule: Annotated[list[Rule], Meta(description="The rules; the first one that holds decides.")] = []

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rule if rule.name]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")


class RuleSelector:
    """Orders `auto` requests for which a rule holds; says nothing about others."""

    def __init__(self, config: Config, context: Context) -> None:
        named = [(rule, rule.name or f"rule {place}") for place, rule in enumerate(config.rule, 1)]
        ranked = sorted(named, key=lambda pair: -pair[0].priority)
        self.rules = [(rule, name, Condition(rule.when)) for rule, name in ranked]
        self.targets = tuple(dict.fromkeys(target for rule in config.rule for target in rule.targets))
        self.choices = Choices(context.tiers)
        self.providers = context.providers
        self._only: dict[str, bool] = {}

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """Raises `Forbidden` when a rule that allows nobody else names nobody who can serve the request."""
        if exchange.route != "auto":
            return None
        for rule, name, condition in self.rules:
            if holds(condition, exchange) and (found := self.chosen(rule, name, tuple(candidates))):
                return found
        return None

    def chosen(self, rule: Rule, name: str, candidates: tuple[Candidate, ...]) -> Selection | None:
        only = self._only.get(name)
        if only is None:
            only = self._only[name] = all(map(self.stays, rule.targets)) if rule.only is None else rule.only
        found = self.choices.of(rule.targets, candidates, name, only)
        if found is None and only:
            raise Forbidden(f"{name}: only {', '.join(rule.targets)} may serve this request, and cannot")
        return found

    def stays(self, target: str) -> bool:
        """Whether what is sent there stays on machines of the operator's own."""
        listed = self.choices.tiers.named(target)
        if listed is not None:
            return all(candidate.provider.is_local(candidate.model) for candidate in listed)
        provider, slash, model = target.partition("/")
        found = self.providers.get(provider)
        return found is not None and (found.is_local(model) if slash else found.local)


def holds(condition: Condition, exchange: Exchange) -> bool:
    """A pattern that takes too long does not match; the log has it."""
    try:
        return condition.holds(exchange)
    except Undecided:
        return False


plugin = Plugin(api=1, config=Config, create=RuleSelector)
