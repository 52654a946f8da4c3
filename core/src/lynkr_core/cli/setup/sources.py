"""Where models are to be had on this machine: local servers that answer, and clouds whose key is in the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from lynkr_core.plugins import create, installed, manifest

TIERS = ("simple", "medium", "complex", "reasoning")
PATIENCE = 2.0
"""Seconds that a local server has to list its models."""
LONGEST_LIST = 1_000_000
"""Bytes of such a list."""
NO_CHAT = ("embed", "rerank", "whisper", "tts")
"""In the names of models that do not answer questions."""


class Local(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server that may run here. `list`: where it tells its models; `owner`: what it must call itself there."""

    plugin: str
    port: int
    list: str
    owner: str = ""


class Cloud(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider that wants a key. `vendor`: its name in catalogues, where that is not the plugin's."""

    plugin: str
    key: str
    vendor: str = ""


class Places(Struct, frozen=True, forbid_unknown_fields=True):
    """`sources.toml`."""

    local: tuple[Local, ...]
    cloud: tuple[Cloud, ...]


class Source(Struct, frozen=True, kw_only=True):
    """A provider to enable, and its model for each tier. `models`: all it has, where that is known. `port`: of a local one."""

    plugin: str
    tiers: Mapping[str, str]
    key: str | None = None
    port: int | None = None
    models: tuple[str, ...] = ()


PLACES = msgspec.convert(
    tomllib.loads(files("lynkr_core.cli.setup").joinpath("sources.toml").read_text(encoding="utf-8")), Places
)
ECHO = Source(plugin="echo", tiers=dict.fromkeys(TIERS, "echo"), models=("echo",))


def found(environ: Mapping[str, str]) -> list[Source]:
    """The sources at hand whose plugin is installed; echo when there are none."""
    here = [place for place in PLACES.local if place.plugin in installed("provider")]
    with ThreadPoolExecutor(len(here) or 1) as pool:
        answers = [source for source in pool.map(local, here) if source is not None]
    first = {source.plugin: source for source in reversed(answers)}
    keyed = [place for place in PLACES.cloud if environ.get(place.key) and place.plugin in installed("provider")]
    return [*reversed(first.values()), *[cloud(place) for place in keyed]] or [ECHO]


def local(place: Local) -> Source | None:
    """A local server's models lead the cheap tiers; None when it is not there, or has no model yet."""
    models = tuple([name for name in listed(place) if not any(word in name.lower() for word in NO_CHAT)])
    if not models:
        return None
    return Source(plugin=place.plugin, port=place.port, tiers=dict.fromkeys(TIERS[:2], models[0]), models=models)


def listed(place: Local) -> Sequence[str]:
    """The names of its models; empty when what listens there is something else."""
    import httpx2

    try:
        answer = httpx2.get(f"http://127.0.0.1:{place.port}{place.list}", timeout=PATIENCE, follow_redirects=False)
        told: Any = answer.json() if answer.status_code == 200 and len(answer.content) <= LONGEST_LIST else {}
        models: list[dict[str, Any]] = told.get("data") or told["models"]
        return [str(model.get("id") or model["name"]) for model in models if place.owner in str(model.get("owned_by", ""))]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return []


def cloud(place: Cloud) -> Source:
    """What the installed catalogue proposes for its tiers; nothing without a catalogue."""
    for name in installed("catalog"):
        plugin = manifest("catalog", name)
        catalogue = create(plugin, plugin.config(), None)
        vendor = place.vendor or place.plugin
        tiers = catalogue.proposals(vendor)
        return Source(plugin=place.plugin, key=place.key, tiers=tiers, models=tuple(dict.fromkeys(tiers.values())))
    return Source(plugin=place.plugin, key=place.key, tiers={})
