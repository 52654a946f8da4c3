"""The `.env` of the gateway's Node project.

| MODEL_PROVIDER | TIER_* | what it comes to |
|---|---|---|
| set | none | that provider's model in every tier |
| any | all four | these tiers |
| not set | some | these; a tier that is missing inherits from the nearest cheaper, then dearer, one |
| set | some | these; a tier that is missing gets the provider's model |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lynkr_core.cli.importing.draft import Draft
from lynkr_core.cli.importing.known import NODE
from lynkr_core.errors import ConfigError

TIERS = ("simple", "medium", "complex", "reasoning")
OFF = {"", "0", "false", "no", "off"}
OWN = {"MODEL_PROVIDER", "PORT", "FALLBACK_ENABLED", "FALLBACK_PROVIDER", *[f"TIER_{tier.upper()}" for tier in TIERS]}


def read(path: Path) -> dict[str, str]:
    """`NAME=value` lines; comments, `export` and quotes are left out. Raises `ConfigError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    found: dict[str, str] = {}
    for line in lines:
        name, sign, said = line.strip().removeprefix("export ").partition("=")
        if sign and not name.startswith("#"):
            found[name.strip()] = bare(said.strip())
    return found


def bare(said: str) -> str:
    """Without quotes, or without the comment behind it."""
    if len(said) > 1 and said[0] == said[-1] and said[0] in "\"'":
        return said[1:-1]
    return said.partition(" #")[0].strip()


def drafted(path: Path) -> Draft:
    """Everything that has a counterpart, and the names of what has none. Raises `ConfigError` where nothing is named to serve."""
    draft, told = Draft(path.name), read(path)
    if told.get("PORT", "").isdecimal():
        draft.table("server")["port"] = int(told["PORT"])
    fallback = told.get("FALLBACK_PROVIDER") if told.get("FALLBACK_ENABLED", "true").lower() not in OFF else None
    tiers = chosen(draft, told)
    if not tiers:
        raise ConfigError([f"{path}: names no MODEL_PROVIDER and no TIER_SIMPLE … TIER_REASONING"])
    last = usual(draft, told, fallback) if fallback else None
    draft.table("tiers").update({tier: list(dict.fromkeys([id, last] if last else [id])) for tier, id in tiers.items()})
    draft.table("routing")["remap"] = True
    draft.table("scorer.heuristic")
    draft.table("selector.tiers")
    known = OWN | {variable for entry in NODE.values() for variable in entry.values()}
    for name in told:
        if name not in known:
            draft.miss(name)
    return draft


def chosen(draft: Draft, told: Mapping[str, str]) -> dict[str, str]:
    """A candidate for each tier that has one, by the truth table above."""
    named = {tier: candidate(draft, told, said) for tier in TIERS if (said := told.get(f"TIER_{tier.upper()}"))}
    found = {tier: id for tier, id in named.items() if id is not None}
    provider = told.get("MODEL_PROVIDER")
    if provider and len(found) < len(TIERS) and (id := usual(draft, told, provider)):
        return {tier: found.get(tier, id) for tier in TIERS}
    return found


def candidate(draft: Draft, told: Mapping[str, str], said: str) -> str | None:
    """Of `provider:model`."""
    kind, _, model = said.partition(":")
    instance = provider(draft, told, kind)
    if instance is None:
        return None
    model = model or told.get(NODE[kind]["model"], "")
    if not model:
        draft.miss(said, f"say a model, as in {kind}:MODEL, or {NODE[kind]['model']}")
        return None
    return f"{instance}/{model}"


def usual(draft: Draft, told: Mapping[str, str], kind: str) -> str | None:
    """A provider with the model that its own variable names."""
    return candidate(draft, told, kind)


def provider(draft: Draft, told: Mapping[str, str], kind: str) -> str | None:
    """The instance; None for a provider that is none here."""
    entry = NODE.get(kind)
    if entry is None:
        draft.miss(f"the provider {kind}", "has no plugin")
        return None
    made: dict[str, Any] = {}
    for setting in ("base_url", "region"):
        if (variable := entry.get(setting)) and (said := told.get(variable)):
            made[setting] = served(entry["plugin"], said.rstrip("/")) if setting == "base_url" else said
    if (variable := entry.get("api_key")) and told.get(variable):
        made["api_key"] = draft.secret(told[variable], variable)
    return draft.provider(entry["plugin"], made)


def served(plugin: str, url: str) -> str:
    """The Node project writes addresses without `/v1` where the plugin wants it, or with the route where it wants none."""
    for route in ("/chat/completions", "/v1/messages", "/messages"):
        url = url.removesuffix(route)
    return f"{url}/v1" if plugin in {"llamacpp", "lmstudio"} and not url.endswith("/v1") else url
