"""Which version of a model answers, and whether it is the one that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec import structs

from lynkr_core.events import Event, Start
from lynkr_core.exchange import Exchange
from lynkr_core.request import Response

log = logging.getLogger("lynkr.caps")
MAX_KNOWN = 10_000
MAX_NAME = 200


class Drift:
    """`drifts` counts the answers of another version, by `provider/model: version`."""

    def __init__(self) -> None:
        self.drifts: dict[str, int] = {}
        self._known: dict[str, str] = {}

    def watch(self, exchange: Exchange, pinned: bool) -> None:
        """Looks at the answer of this exchange. `pinned`: it must be the model that was asked, not only the same as last time."""

        def see(event: Event | Response) -> None:
            if isinstance(event, Start | Response) and event.model and exchange.attempts:
                self.heard(exchange, event.model[:MAX_NAME], pinned)

        exchange.observe(see)

    def heard(self, exchange: Exchange, version: str, pinned: bool) -> None:
        candidate = exchange.attempts[-1].candidate
        if len(self._known) >= MAX_KNOWN or len(self.drifts) >= MAX_KNOWN:
            self._known.clear()
            self.drifts.clear()
        expected = candidate.model if pinned else self._known.setdefault(candidate.id, version)
        if same(expected, version):
            return
        self._known[candidate.id] = version
        name = f"{candidate.id}: {version}"
        if name not in self.drifts:
            log.warning("%s answered as %s, not %s", candidate.id, version, expected)
        self.drifts[name] = self.drifts.get(name, 0) + 1
        if exchange.selection is not None:
            notes: Mapping[str, str] = {**exchange.selection.notes, "drift": f"{version} instead of {expected}"}
            exchange.selection = structs.replace(exchange.selection, notes=notes)


def same(expected: str, version: str) -> bool:
    """Providers put a vendor or a path before a model's name, or leave it out."""
    one, other = expected.lower(), version.lower()
    return one == other or one.endswith(("/" + other, "." + other)) or other.endswith(("/" + one, "." + one))
