"""Plugins: what one is, how it is found, checked and started.

discover by metadata → named in `lynkr.toml`? → import → check `api` → convert its table → create → `async with` → serve → exit in reverse

Installed is not enabled: only what `lynkr.toml` names is imported.
"""

from __future__ import annotations

import difflib
import inspect
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, distributions
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

import pluggy
from msgspec import Struct, field

from lynkr_core import hookspecs
from lynkr_core.config import PluginTable, convert, suggestion
from lynkr_core.errors import PluginError
from lynkr_core.hooks import HOOKS, Call, Hooks
from lynkr_core.order import KINDS, group
from lynkr_core.tokens import Tokens

if TYPE_CHECKING:
    from lynkr_core.candidates import Tiers
    from lynkr_core.provider import Provider
    from lynkr_core.stores import Stores
    from lynkr_core.upstream import Transport

API = 1
"""The version of the contract between core and plugins. A plugin says which one it was written for."""
SYNCHRONOUS = frozenset({"transform_stream", "observe_event", "register_routes", "register_commands"})
"""Hooks that cannot be `async def`."""


class NoConfig(Struct, forbid_unknown_fields=True):
    """For a plugin without settings."""


class Plugin(Struct, frozen=True, kw_only=True):
    """What a package's entry point names: `plugin = Plugin(api=1, config=Config, create=Thing)`.

    `config`: a `msgspec.Struct` for its table in `lynkr.toml`. `create`: called with as many of `config, context` as it takes. `rank` is
    added to that of its kind: with 0 to 9 it stays among the plugins of its kind.
    """

    api: int
    config: type[Struct]
    create: Callable[..., Any]
    rank: int = 0


class Context(Struct, frozen=True, kw_only=True):
    """What a plugin is given beside its table. `name`: the instance's name. `environ`: the environment it may read.

    `providers`: those enabled, by instance name; complete for the kinds that start after them. `tokens`: counts texts.
    """

    name: str
    kind: str
    transport: Transport
    tiers: Tiers
    stores: Stores
    environ: Mapping[str, str]
    providers: Mapping[str, Provider] = {}
    tokens: Tokens = field(default_factory=Tokens)


class Loaded(Struct, frozen=True, kw_only=True, eq=False):
    """An enabled plugin, created."""

    kind: str
    name: str
    use: str
    instance: Any
    rank: int = 0

    @property
    def id(self) -> str:
        return f"{self.kind}.{self.name}"


@cache
def advertised() -> Sequence[EntryPoint]:
    """All our entry points, of one look for all kinds, as it reads a file of each installed package; those first on the path last."""
    ours = [dist for dist in distributions() if "[lynkr." in (dist.read_text("entry_points.txt") or "")]
    return [entry for dist in reversed(ours) for entry in dist.entry_points]


@cache
def installed(kind: str) -> Mapping[str, EntryPoint]:
    """Entry points of one kind by plugin name, without other names of the same plugin; nothing is imported."""
    return {entry.name: entry for entry in advertised() if entry.group == group(kind) and entry.name not in aliases(kind)}


@cache
def aliases(kind: str) -> Mapping[str, str]:
    """Other names of installed plugins, and their own: of entry points with one value that which its package is called after."""
    found: dict[str, str] = {}
    entries = sorted([entry for entry in advertised() if entry.group == group(kind)], key=lambda entry: entry.value)
    for _, together in groupby(entries, key=lambda entry: entry.value):
        if len(same := {entry.name: entry.dist for entry in together}) > 1:  # a package's name stands in one more file
            own = next((name for name, dist in same.items() if dist and dist.name == f"lynkr-{kind}-{name}"), next(iter(same)))
            found |= {name: own for name in same if name != own}
    return found


def package(kind: str, use: str) -> str:
    """What a plugin's package is called."""
    return f"lynkr-{kind}" if use == "default" else f"lynkr-{kind}-{use}"


def manifest(kind: str, use: str) -> Plugin:
    """Imports a plugin. Raises `PluginError` that says what is missing or broken."""
    entry = installed(kind).get(aliases(kind).get(use, use))
    if entry is None:
        raise PluginError(f"the {kind} plugin {use!r} is not installed{remedy(kind, use)}")
    try:
        plugin = entry.load()
    except Exception as error:
        raise PluginError(f"the {kind} plugin {use!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(plugin, Plugin):
        raise PluginError(f"{entry.value} is not a lynkr_core.Plugin")
    if plugin.api != API:
        raise PluginError(f"the {kind} plugin {use!r} was written for api {plugin.api}, this core has {API}; update one of them")
    return plugin


def remedy(kind: str, use: str) -> str:
    """What to install for a plugin that is missing, or what may have been meant."""
    packages = tomllib.loads(files("lynkr_core").joinpath("packages.toml").read_text())
    if known := packages.get(kind, {}).get(use):
        return f"; pip install {known}"
    return f"{suggestion(use, sorted(installed(kind)))}; pip install {package(kind, use)}"


def load(table: PluginTable, context: Context, file: str, mistakes: list[str], lost: Iterable[str] = ()) -> Loaded | None:
    """Imports, configures and creates one plugin; None with the reasons added to `mistakes`.

    It is not created when anything in its table is wrong. `lost`: names of others that cannot be had; to miss them is no mistake of its own.
    """
    where = f"{file}: [{table.section}]"
    if not table.use:
        return None
    try:
        plugin = manifest(table.kind, table.use)
    except PluginError as error:
        mistakes.append(f"{where}: {error}")
        return None
    config = convert(table.table, plugin.config, where, mistakes)
    if any(told.startswith(f"{where} ") for told in mistakes):
        return None
    try:
        instance = create(plugin, config, context)
        return Loaded(kind=table.kind, name=table.name, use=table.use, instance=instance, rank=plugin.rank)
    except Exception as error:
        reason = "" if isinstance(error, PluginError) else f"the plugin {table.use!r} could not start: {type(error).__name__}: "
        if not any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in lost):
            mistakes.append(f"{where}: {reason}{error}")
    return None


def create(plugin: Plugin, config: Struct, context: Context | None) -> Any:
    """An instance: `create()`, `create(config)` or `create(config, context)`."""
    return plugin.create(*(config, context)[: len(inspect.signature(plugin.create).parameters)])


class Registry(pluggy.PluginManager):
    """pluggy's register, stricter: what would fail at the first request is refused at start."""

    def __init__(self) -> None:
        super().__init__("lynkr")
        self.add_hookspecs(hookspecs)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        function = getattr(cast("type[Any]", type(plugin)), name, None)
        if name.startswith("_") or not inspect.isfunction(function):
            return None
        if name not in HOOKS:
            if near := difflib.get_close_matches(name, HOOKS, 1, 0.85):
                raise PluginError(f"has a method {name!r}; did you mean the hook {near[0]!r}?")
            return None
        check_signature(name, function)
        return {}


def check_signature(name: str, function: Callable[..., Any]) -> None:
    """Raises `PluginError` for what a hook cannot be."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{name} is a generator; a hook returns its answer")
    if name in SYNCHRONOUS and inspect.iscoroutinefunction(function):
        raise PluginError(f"{name} cannot be async: nobody waits for it")
    spec = parameters(name)
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise PluginError(f"{name}: {parameter.name!r} must be a plain parameter")
        if parameter.default is not parameter.empty:
            raise PluginError(f"{name}: {parameter.name!r} must have no default")
        if parameter.name not in spec:
            raise PluginError(f"{name} has no argument {parameter.name!r}{suggestion(parameter.name, spec)}")


@cache
def parameters(hook: str) -> Sequence[str]:
    """The argument names of a hook."""
    return tuple(inspect.signature(getattr(hookspecs, hook)).parameters)


def compiled(plugins: Sequence[Loaded], order: Mapping[str, int], file: str, mistakes: list[str]) -> Hooks:
    """Registers every plugin and gives the compiled hooks, in the order of `[order]`, kind and instance name."""
    registry = Registry()
    calls: list[Call] = []
    for plugin in sorted(plugins, key=lambda plugin: (order.get(plugin.id, KINDS[plugin.kind] + plugin.rank), plugin.name)):
        try:
            registry.register(shown := stand_in(plugin.instance), plugin.id)
        except (PluginError, pluggy.PluginValidationError) as error:
            mistakes.append(f"{file}: [{plugin.id}]: the plugin {plugin.use!r} {error}")
        else:
            names = [caller.name for caller in registry.get_hookcallers(shown) or ()]
            calls += [Call(name, plugin.kind, plugin.id, getattr(plugin.instance, name), parameters(name)) for name in names]
    return Hooks(calls)


def stand_in(instance: Any) -> Any:
    """Another object of its class for pluggy, which looks into all that it registers: CPython 3.11 finds attributes and methods of what was
    looked into the long way ever after. The object itself where its class compares or makes its objects in a way of its own.
    """
    kind = cast("type[Any]", type(instance))
    try:
        return object.__new__(kind) if kind.__eq__ is object.__eq__ else instance
    except TypeError:
        return instance
