"""`lynkr init`: what is on this machine, as a `lynkr.toml`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from lynkr_core.errors import ConfigError
from lynkr_core.plugins import create, installed, manifest


class Source(Struct, frozen=True, kw_only=True):
    """Where models may be found: a key in the environment, or a local port. `tiers`: models for each tier, cheapest first."""

    plugin: str
    key: str | None = None
    port: int | None = None
    tiers: Mapping[str, str] = {}


SOURCES = (
    Source(plugin="ollama", port=11434),
    Source(plugin="openai", key="OPENAI_API_KEY"),
    Source(plugin="anthropic", key="ANTHROPIC_API_KEY"),
)
"""Looked at in this order; the first that has a model for a tier leads it. A catalogue knows the models of those with a key."""
ECHO = Source(plugin="echo", tiers=dict.fromkeys(("simple", "medium", "complex", "reasoning"), "echo"))


def init(*, config: Path = Path("lynkr.toml"), force: bool = False) -> None:
    """Write a lynkr.toml from what is found on this machine.

    Parameters
    ----------
    config: The file to write.
    force: Overwrite it when it is there.
    """
    import os

    if config.exists() and not force:
        raise ConfigError([f"{config} is already there; --force overwrites it"])
    write(config, found(os.environ))


def found(environ: Mapping[str, str]) -> list[Source]:
    """The sources at hand whose plugin is installed; echo when there are none."""
    here = [source for source in SOURCES if source.plugin in installed("provider") and at_hand(source, environ)]
    usable = [with_proposed_models(source) if source.key else with_local_models(source) for source in here]
    return [source for source in usable if source.tiers or source.key] or [ECHO]


def at_hand(source: Source, environ: Mapping[str, str]) -> bool:
    if source.key is not None:
        return bool(environ.get(source.key))
    return source.port is not None and listening(source.port)


def listening(port: int) -> bool:
    """Whether something answers on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def with_proposed_models(source: Source) -> Source:
    """What the installed catalogue proposes for this provider's tiers; nothing without a catalogue."""
    for name in installed("catalog"):
        plugin = manifest("catalog", name)
        tiers = create(plugin, plugin.config(), None).proposals(source.plugin)
        return structs.replace(source, tiers=tiers)
    return source


def with_local_models(source: Source) -> Source:
    """A local server leads the cheap tiers with the first model it has."""
    if source.port is None:
        return source
    models = local_models(source.port)
    return Source(plugin=source.plugin, port=source.port, tiers=dict.fromkeys(("simple", "medium"), models[0]) if models else {})


def local_models(port: int) -> Sequence[str]:
    """The names of Ollama's models; empty when it does not answer like Ollama."""
    import httpx2

    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}/api/tags", timeout=2.0).json()
        return [model["name"] for model in answer["models"]]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return []


def write(path: Path, sources: Sequence[Source]) -> None:
    """Writes the file and says so. Raises `ConfigError` where that cannot be done."""
    try:
        path.write_text(render(sources), encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    names = ", ".join(source.plugin for source in sources)
    sys.stdout.write(f"wrote {path} for {names}\n")


EXAMPLES = (
    "# [selector.latency]  # the fastest of the tier; or cost, hybrid, weighted, each a package: pip install lynkr-selector-latency",
    "",
    "# [selector.rules]  # pip install lynkr-selector-rules",
    "# [[selector.rules.rule]]",
    '# when = { prompt_contains = ["code", "function", "debug", "algorithm", "sql"] }',
    '# to = "complex"',
    "",
    "# [policy.data]  # what must stay on your own machines: pip install lynkr-policy-data",
    "# [[policy.data.local_only]]",
    '# when = { tags = ["confidential"] }',
    "",
)


def render(sources: Sequence[Source]) -> str:
    """A commented `lynkr.toml`."""
    lines = [
        "# lynkr.toml, written by `lynkr init`. `lynkr check` tells every mistake in it, `lynkr schema` helps an editor.",
        "",
    ]
    lines += ["[server]", 'host = "127.0.0.1"', "port = 8081", ""]
    for source in sources:
        lines += [f"[provider.{source.plugin}]"]
        lines += [f'api_key = "${{{source.key}}}"'] if source.key else []
        lines += [""]
    tiers = tier_lines(sources) or ["# no catalogue is installed that would propose models: pip install lynkr-catalog"]
    lines += ["[tiers]  # tried in order; a request's score from 0 to 100 picks the tier", *tiers, "bounds = [25, 50, 75]", ""]
    lines += [
        "[routing]",
        "remap = true  # names that nobody lists, such as a tool's built-in model names, are decided by score",
        "",
    ]
    lines += ["[scorer.heuristic]", "", "[selector.tiers]", "", *EXAMPLES]
    if "breaker" in installed("policy"):
        lines += ["[policy.breaker]  # leaves models alone while they fail or their limits are used up", ""]
    if "default" in installed("catalog"):
        lines += ["[catalog.default]  # what models can do, what they cost and when they end", ""]
    if "sqlite" in installed("store") and "journal" in installed("sink"):
        lines += ["[store.sqlite]  # what `lynkr explain` reads", 'path = "lynkr.db"', "", "[sink.journal]", ""]
    if "responses" in installed("extension"):
        lines += ["[extension.responses]  # previous_response_id over every provider", ""]
    return "\n".join(lines)


def tier_lines(sources: Sequence[Source]) -> list[str]:
    tiers = ("simple", "medium", "complex", "reasoning")
    chosen = {tier: [f'"{s.plugin}/{s.tiers[tier]}"' for s in sources if tier in s.tiers] for tier in tiers}
    return [f"{tier} = [{', '.join(ids)}]" for tier, ids in chosen.items() if ids]
