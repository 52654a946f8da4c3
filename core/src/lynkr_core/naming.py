"""The names that selectors give to models, looked at when the gateway starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lynkr_core.candidates import AUTO, TIERS
from lynkr_core.config import Config, suggestion
from lynkr_core.plugins import Loaded
from lynkr_core.provider import Provider


def targets(plugins: Sequence[Loaded], config: Config, mistakes: list[str]) -> list[str]:
    """The models that selectors send to, by their attribute `targets`: `provider/model`, or a provider's, tier's or list's name."""
    providers, lists = providers_of(config), lists_of(config)
    found: list[str] = []
    for plugin, target in said(plugins, "targets"):
        name, slash, model = target.partition("/")
        if target in config.models:
            found += config.models[target]
        elif name not in (providers if slash else [*providers, *lists]) or bool(slash) != bool(model):
            if not slash and doubtful(config, "models"):
                continue
            near = suggestion(name if name not in providers else target, [*providers, *lists])
            mistakes.append(
                f"{config.file}: [{plugin.id}]: {target!r} is no provider/model, provider, tier or name in [models]{near}"
            )
        elif slash:
            found.append(target)
    return found


def look_at_names(plugins: Sequence[Loaded], config: Config, providers: Mapping[str, Provider], mistakes: list[str]) -> None:
    """The names for which alone a selector has something to say, by its attribute `only_for`: nobody can ask for a misspelt one."""
    known, prefixes = [*AUTO, *lists_of(config)], providers_of(config)
    models = {model for provider in providers.values() for model in provider.models}
    for plugin, name in said(plugins, "only_for"):
        prefix, _, model = name.partition("/")
        if name not in known and name not in models and not (model and prefix in prefixes) and not doubtful(config, "models"):
            near = suggestion(name, known)
            mistakes.append(
                f"{config.file}: [{plugin.id}] $.names: {name!r} is no auto, tier, name in [models] or provider/model{near}"
            )


def said(plugins: Sequence[Loaded], attribute: str) -> Iterator[tuple[Loaded, str]]:
    """What each selector says of itself in this attribute, if it has it."""
    for plugin in plugins:
        if plugin.kind == "selector":
            yield from ((plugin, name) for name in getattr(plugin.instance, attribute, ()))


def providers_of(config: Config) -> list[str]:
    return [table.name for table in config.plugins if table.kind == "provider"]


def lists_of(config: Config) -> list[str]:
    """Names that stand for several models."""
    return [*(TIERS if any(config.tiers.tables().values()) or doubtful(config, "tiers") else ()), *config.models]


def doubtful(config: Config, section: str) -> bool:
    """Whether there are mistakes in this section: what it lacks may have been meant there."""
    return any(told.startswith(f"{config.file}: [{section}]") for told in config.mistakes)
