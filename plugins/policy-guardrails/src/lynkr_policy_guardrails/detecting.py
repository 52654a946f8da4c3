"""Other ways of finding: detectors that a package brings along, as an entry point of the group `lynkr_policy_guardrails.detector`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple, Protocol

from lynkr_core.config import suggestion
from lynkr_core.errors import PluginError

GROUP = "lynkr_policy_guardrails.detector"


class Hit(NamedTuple):
    """Where, in characters, and by which rule."""

    start: int
    end: int
    rule: str


class Detector(Protocol):
    """What an entry point makes, called with the detector's own table. `rules`: what it may find, with the group of each.

    `find` is called in the event loop for short texts and in a thread for long ones, also at once for several requests.
    """

    rules: Mapping[str, str]

    def find(self, text: str) -> Iterable[Hit]: ...


def detectors(tables: Mapping[str, Mapping[str, Any]]) -> list[Detector]:
    """By their names in the configuration. Raises `PluginError` for one that is not installed, or cannot be made."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    made: list[Detector] = []
    for name, table in tables.items():
        if name not in found:
            raise PluginError(
                f"$.detector: there is no detector {name!r}{suggestion(name, found)}; pip install lynkr-guardrail-{name}"
            )
        try:
            made.append(found[name].load()(table))
        except (ImportError, ValueError, OSError) as error:
            raise PluginError(f"$.detector.{name}: {error}") from None
    return made
