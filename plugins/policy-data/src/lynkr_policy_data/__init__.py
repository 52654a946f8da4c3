"""Keeps requests on the operator's own machines."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Plugin
from lynkr_selector_rules import Condition, Undecided, When

__all__ = ["Config", "DataPolicy", "Rule", "plugin"]


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[policy.data.local_only]]`"""

    name: Annotated[str, Meta(description="What callers are told when nobody may serve them.")] = ""
    when: Annotated[When, Meta(description="Conditions as in lynkr-selector-rules; all must hold. None: always.")] = When()


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.data]`"""

    local_only: Annotated[
        list[Rule], Meta(description="Requests of which one of these holds are served by local models only.")
    ] = []


class DataPolicy:
    """Marks requests before there are candidates, so that no selector and no fallback can send them away."""

    def __init__(self, config: Config) -> None:
        everything = [structs.replace(rule.when, anywhere=True) for rule in config.local_only]  # all of it would leave
        names = [rule.name or f"rule {place}" for place, rule in enumerate(config.local_only, 1)]
        self.rules = list(zip(names, map(Condition, everything), strict=True))

    def pre_route(self, exchange: Exchange) -> None:
        """A pattern that takes too long counts as one that matches. An error of any other kind refuses the request."""
        for name, condition in self.rules:
            try:
                found = condition.holds(exchange)
            except Undecided:
                found = True
            if found:
                exchange.local_only = name
                return


AFTER_EXTENSIONS = 55
"""Behind every plugin that may put something into the request, such as an earlier conversation."""
plugin = Plugin(api=1, config=Config, create=DataPolicy, rank=AFTER_EXTENSIONS)
