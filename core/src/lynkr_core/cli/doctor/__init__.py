"""`lynkr doctor`: everything that can be told to be wrong, or is likely to be, and what to do about it.

Each module looks at one thing and gives findings; `check` of `own.py` asks the plugins.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import anyio

from lynkr_core.assembly import assemble
from lynkr_core.cli.doctor import address, asking, files, installation, keys, models, own, report
from lynkr_core.cli.doctor.asking import Witness
from lynkr_core.cli.doctor.finding import Finding, broken, good
from lynkr_core.cli.doctor.keys import Place
from lynkr_core.config import Config, parse, read
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.order import KINDS
from lynkr_core.plugins import aliases
from lynkr_core.upstream.http1 import Http1Transport

DEFAULT = Path("lynkr.toml")
SECTION = re.compile(r"(?:[^ ]+: )?\[([\w.-]+)\]")
"""The table that a mistake is about, at its beginning."""


def doctor(*, config: Path = DEFAULT, live: bool = False, json: bool = False) -> None:
    """Tell what is wrong, or soon will be, and what to do: configuration, keys, models, files, address, versions.

    Ends with status 0 when nothing is broken (warnings are allowed), 1 when something is, 2 when the file cannot be used.

    Args:
        config: The file to look at.
        live: Ask the providers too: are they reached, is the key taken, do they have the models, is the clock right.
        json: Print JSON.
    """
    found = anyio.run(examine, config, os.environ, live)
    report.show(found, json)
    sys.exit(found.status)


async def examine(file: Path, environ: Mapping[str, str], live: bool = False) -> report.Report:
    """Every finding about a file. Raises `ConfigError` only when there is no text to look at."""
    text = read(file)
    tables = tables_of(text)
    places = keys.places(tables)
    findings = list(installation.check(enabled(tables)))
    findings += files.check(file, places)
    try:
        settings = parse(text, environ, file.name, strict=False)
        kernel = assemble(settings, environ, transport=Witness(Http1Transport()))
    except ConfigError as error:
        findings = [*[mistake(one) for one in error.mistakes], *findings]
        status = 2
    else:
        findings += await of_kernel(kernel, settings, places, environ, live)
        status = int(any(one.level == "broken" for one in findings))
    hidden = keys.hidden(tables, places, environ)
    return report.Report(file=str(file), status=status, findings=report.redacted(findings, hidden))


async def of_kernel(
    kernel: Kernel, settings: Config, places: list[Place], environ: Mapping[str, str], live: bool
) -> list[Finding]:
    """What can be looked at once the file is known to be good. Nothing is started, so nothing is made or changed either."""
    ids = ", ".join(plugin.id for plugin in kernel.plugins)
    findings = [good("configuration", f"{settings.hash}, good; enabled: {ids}"), *keys.check(kernel, places, environ)]
    findings += [*models.check(kernel, date.today()), *await own.check(kernel, live), *address.check(settings)]
    try:
        findings += await asking.check(kernel, variables(places)) if live else ()
    finally:
        await kernel.transport.aclose()
    return findings


def tables_of(text: str) -> dict[str, Any]:
    """The file as it stands; empty when it is not TOML, which is a mistake told elsewhere."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def enabled(tables: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Kind and plugin of each table."""
    named: set[tuple[str, str]] = set()
    for kind in KINDS:
        for name, table in dict_of(tables.get(kind)).items():
            use = dict_of(table).get("use", name)
            named.add((kind, aliases(kind).get(use, use)))
    return named


def dict_of(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def mistake(text: str) -> Finding:
    """`lynkr.toml: [provider.x] $.key: what; remedy` as a finding."""
    found = SECTION.match(text)
    where = found.group(1) if found else "configuration"
    what, _, do = text.partition("; ")
    return broken(where, what, do or "correct it; `lynkr schema` tells what may stand there")


def variables(places: list[Place]) -> dict[str, list[str]]:
    """The environment variables of each provider's keys."""
    found: dict[str, list[str]] = {}
    for place in places:
        kind, _, name = place.section.partition(".")
        if kind == "provider":
            found.setdefault(name, []).extend(place.variables)
    return found
