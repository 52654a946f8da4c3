"""From a configuration to a kernel: plugins found, checked and created, stores first, everything wrong told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lynkr_core.candidates import Catalog, Tiers
from lynkr_core.config import Config
from lynkr_core.dialect import Dialect
from lynkr_core.errors import ConfigError, PluginError
from lynkr_core.kernel import Kernel
from lynkr_core.naming import look_at_names, targets
from lynkr_core.order import KINDS
from lynkr_core.plugins import Context, Loaded, compiled, installed, load, manifest
from lynkr_core.provider import Provider
from lynkr_core.stores import Stores
from lynkr_core.tokens import Tokens
from lynkr_core.upstream import Transport
from lynkr_core.upstream.http1 import Http1Transport

CORE = "lynkr_core."


def assemble(
    config: Config, environ: Mapping[str, str], transport: Transport | None = None, before: Kernel | None = None
) -> Kernel:
    """A kernel; one that takes the place of `before` goes on with its state in memory. Raises `ConfigError` with every mistake at once."""
    mistakes = list(config.mistakes)
    transport = transport or Http1Transport()
    tiers, stores = Tiers(config.tiers.bounds), Stores(before.stores.memory if before else None)

    providers: dict[str, Provider] = {}
    shared = {
        "transport": transport, "tiers": tiers, "stores": stores, "environ": environ, "providers": providers, "tokens": Tokens(),
    }  # fmt: skip
    plugins = load_all(config, shared, mistakes)
    if not providers and not any(table.kind == "provider" for table in config.plugins):
        mistakes.append(f"{config.file}: no provider is enabled; add a table like [provider.echo], or run `lynkr init`")
    dialects = load_dialects(providers, config.file, mistakes)
    dialects |= {plugin.instance.name: plugin.instance for plugin in plugins if isinstance(plugin.instance, Dialect)}
    hooks = compiled(plugins, config.order, config.file, mistakes)
    named = targets(plugins, config, mistakes)
    look_at_names(plugins, config, providers, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    catalog = Catalog(
        providers, tiers, models=config.models, tier_models=config.tiers.tables(), prices=config.prices, remap=config.routing.remap,
        catalogues=[plugin.instance for plugin in plugins if plugin.kind == "catalog"], named=named,
    )  # fmt: skip
    if before is not None:
        catalog.inherit(before.catalog)
    return Kernel(config, plugins=plugins, hooks=hooks, dialects=dialects, catalog=catalog, stores=stores, transport=transport)


def load_all(config: Config, shared: dict[str, Any], mistakes: list[str]) -> list[Loaded]:
    """Every plugin that the configuration names, stores first; those that cannot be had are told in `mistakes`."""
    plugins: list[Loaded] = []
    lost: list[str] = []
    for table in sorted(config.plugins, key=lambda table: KINDS[table.kind]):
        loaded = load(table, Context(name=table.name, kind=table.kind, **shared), config.file, mistakes, lost)
        lost += [] if loaded else [table.name]
        if loaded is not None:
            plugins.append(loaded)
            if loaded.kind == "store":
                shared["stores"].add(loaded.name, loaded.instance)
            if isinstance(loaded.instance, Provider):
                shared["providers"][loaded.name] = loaded.instance
    return plugins


def load_dialects(providers: Mapping[str, Provider], file: str, mistakes: list[str]) -> dict[str, Dialect]:
    """The core's own dialects, and those that an enabled provider speaks; the others are not imported."""
    wanted = {name for provider in providers.values() for name in provider.dialects}
    dialects: dict[str, Dialect] = {}
    for name, entry in installed("dialect").items():
        if name in wanted or entry.value.startswith(CORE):
            try:
                dialects[name] = manifest("dialect", name).create()
            except PluginError as error:
                mistakes.append(f"{file}: {error}")
    missing = sorted(wanted - set(installed("dialect")))
    mistakes += [f"{file}: no installed package has the dialect {name!r}, which a provider speaks" for name in missing]
    return dialects
