"""Plugins: what one is, how it is found, checked and started.

discover by metadata → named in `lynkr.toml`? → import → check `api` → convert its table → create → `async with` → serve → exit in reverse
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from lynkr_core.candidates import Tiers
    from lynkr_core.stores import Stores
    from lynkr_core.upstream import Transport

API = 1
"""The version of the contract between core and plugins. A plugin says which one it was written for."""


class NoConfig(Struct, forbid_unknown_fields=True):
    """For a plugin without settings."""


class Plugin(Struct, frozen=True, kw_only=True):
    """What a package's entry point names: `plugin = Plugin(api=1, config=Config, create=Thing)`.

    `config`: a `msgspec.Struct` for its table in `lynkr.toml`. `create`: called with as many of `config, context` as it takes.
    """

    api: int
    config: type[Struct]
    create: Callable[..., Any]


class Context(Struct, frozen=True, kw_only=True):
    """What a plugin is given beside its table. `name`: the instance's name. `environ`: the environment it may read."""

    name: str
    kind: str
    transport: Transport
    tiers: Tiers
    stores: Stores
    environ: Mapping[str, str]
