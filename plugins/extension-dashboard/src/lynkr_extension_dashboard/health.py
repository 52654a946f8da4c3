"""How the gateway is: its plugins, who is left alone, budgets and tiers. What holds for all readers is looked up once a second."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lynkr_core.exchange import Principal
from lynkr_core.scopes import label

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

UNCOUNTED: dict[str, Any] = {"calls": 0, "errors": 0, "seconds": 0.0, "hooks": {}}
FOR_SECONDS = 1.0
MOST_BUDGETS = 500


class Health:
    def __init__(self, kernel: Kernel, clock: Callable[[], float] = time.monotonic) -> None:
        self._kernel = kernel
        self._clock = clock
        self._until = 0.0
        self._told: dict[str, Any] = {}
        self._budgets: list[dict[str, Any]] | None = None

    def told(self, principal: Principal | None) -> dict[str, Any]:
        """JSON values. A principal sees budgets of its own key and user, and no counts of plugins, which tell of others; None sees all."""
        if self._clock() >= self._until:
            self._look()
            self._until = self._clock() + FOR_SECONDS
        budgets = self._budgets
        if budgets is not None:
            budgets = [one for one in budgets if principal is None or own(one["subject"], principal)][:MOST_BUDGETS]
        plugins: list[dict[str, Any]] = self._told["plugins"]
        plugins = plugins if principal is None else [{**one, **UNCOUNTED} for one in plugins]
        return {**self._told, "budgets": budgets, "plugins": plugins}

    def _look(self) -> None:
        kernel = self._kernel
        statuses: Mapping[str, Any] = kernel.statuses()
        breakers: list[Any] = [status for status in statuses.values() if "left_alone" in (status or ())]
        self._told = {
            "left_alone": dict(ChainMap(*[breaker["left_alone"] for breaker in breakers])) if breakers else None,
            "plugins": [self._plugin(plugin.id, plugin.use, statuses.get(plugin.id)) for plugin in kernel.plugins],
            "tiers": tiers(kernel),
            "kernel": kernel.status(),
        }
        budgets = [(plugin.id, plugin.instance) for plugin in kernel.plugins if hasattr(plugin.instance, "budgets")]
        self._budgets = [{"plugin": id, **one} for id, instance in budgets for one in instance.budgets()] if budgets else None

    def _plugin(self, id: str, use: str, status: Any) -> dict[str, Any]:
        calls = [call for call in self._kernel.hooks.all if call.plugin == id]
        return {
            "id": id,
            "use": use,
            "off": any(call.off for call in calls),
            "calls": sum([call.calls for call in calls]),
            "errors": sum([call.errors for call in calls]),
            "seconds": sum([call.seconds for call in calls]),
            "status": status,
            "hooks": {call.hook: call.told() for call in calls},
        }


def tiers(kernel: Kernel) -> list[dict[str, Any]]:
    """Each band of scores and the models that serve it; empty without tiers."""
    bands = kernel.catalog.tiers
    if not bands:
        return []
    ends = [0.0, *bands.bounds, 100.0]
    names = [[candidate.id for candidate in bands.candidates(name)] for name in bands.names]
    return [
        {"name": name, "from": ends[place], "to": ends[place + 1], "models": names[place]}
        for place, name in enumerate(bands.names)
    ]


def own(subject: str, principal: Principal) -> bool:
    """Whether a budget is this principal's alone: what a team has used tells of others too."""
    mine = {label(kind, value) for kind in ("key", "user") if (value := getattr(principal, kind))}
    return not mine.isdisjoint(subject.split(" + "))
