"""What plugins find wrong themselves: those that have a method `doctor(live)`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lynkr_core.cli.doctor.finding import Finding, Level, broken
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded


class Told(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a plugin gives: `where` is its own table, unless it says more."""

    level: Level
    what: str
    do: str = ""
    where: str = ""


async def check(kernel: Kernel, live: bool) -> list[Finding]:
    return [one for plugin in kernel.plugins if hasattr(plugin.instance, "doctor") for one in await of(plugin, live)]


async def of(plugin: Loaded, live: bool) -> Sequence[Finding]:
    """A plugin whose check fails is told of, and disturbs no other."""
    try:
        answer: Any = plugin.instance.doctor(live)
        told = convert(await answer if inspect.isawaitable(answer) else answer)
    except Exception as error:
        return [broken(plugin.id, f"its own check failed: {type(error).__name__}: {error}", "tell whoever made the plugin")]
    return [Finding(level=one.level, where=one.where or plugin.id, what=one.what, do=one.do) for one in told]


def convert(answer: Sequence[Mapping[str, str]]) -> list[Told]:
    """Raises `msgspec.ValidationError` for anything else than such findings."""
    return msgspec.convert(list(answer), list[Told])
