"""`lynkr check`, `lynkr plugins` and `lynkr schema`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import msgspec

from lynkr_core.candidates import TIERS, Catalog, unique
from lynkr_core.cli.printing import print_json
from lynkr_core.cli.reloading import Source
from lynkr_core.config import SECTIONS, Config, load, read
from lynkr_core.errors import PluginError
from lynkr_core.kernel import Kernel
from lynkr_core.order import KINDS, group
from lynkr_core.plugins import aliases, installed, manifest
from lynkr_core.secret import Secret
from lynkr_core.settings import Server

DEFAULT = Path("lynkr.toml")


def check(*, config: Path = DEFAULT) -> None:
    """Tell every mistake in lynkr.toml at once; status 2 when there is one.

    Args:
        config: The file to check.
    """
    kernel = Kernel.from_config(Source(file=str(config)).parse(read(config)), os.environ)
    enabled = ", ".join(plugin.id for plugin in kernel.plugins)
    sys.stdout.write(f"{config}: good. Enabled: {enabled}\n")
    for name in TIERS if kernel.catalog.tiers else ():
        ids = ", ".join(candidate.id for candidate in kernel.catalog.tiers.candidates(name))
        sys.stdout.write(f"  {name}: {ids}\n")
    for warning in endings(kernel.catalog, date.today()):
        sys.stdout.write(f"  warning: {warning}\n")


def endings(catalog: Catalog, today: date) -> list[str]:
    """The candidates that are soon served no more, or are not any longer."""
    targets = [target for name in catalog.names() if (target := catalog.resolve(name))]
    served = unique(candidate for target in targets for candidate in target.candidates)
    warnings = [(candidate.id, candidate.card.warning(today)) for candidate in served if candidate.card]
    return [f"{id}: the model {warning}" for id, warning in warnings if warning]


def plugins(*, config: Path = DEFAULT, json: bool = False) -> None:
    """List the installed plugins, which of them are enabled, and how those fare in the gateway that runs: calls, errors, time, health.

    Args:
        config: The file that enables them, if it is there.
        json: Print JSON instead of a table.
    """
    settings = load(config, os.environ) if config.exists() else Config()
    running = readiness(settings.server, settings.server.admin_key) if settings.plugins else {}
    rows = plugin_rows(settings, running)
    if json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "plugin", "package", "version", "enabled as", *FARES, "state", box=None)
    for row in rows:
        state = "" if not row["state"] else msgspec.json.encode(row["state"]).decode()
        table.add_row(
            row["kind"], row["plugin"], row["package"], row["version"], ", ".join(row["enabled"]), *fares(row["hooks"]), state
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)  # a pipe has no width, and rich would fold at 80
    sys.stdout.write(whose(settings, running))


def plugin_rows(settings: Config, running: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each installed plugin; nothing is imported. `running`: what a gateway answers at `/health/ready`.

    `state`: what the enabled ones tell of themselves. `hooks`: what lynkr tells of each of their hooks, see `hooks.Call.told`.
    """
    told: dict[str, Any] = running.get("plugins") or {}
    hooks: dict[str, Any] = running.get("hooks") or {}
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for name, entry in sorted(installed(kind).items()):
            names = names_of(kind, name)
            used = [table.section for table in settings.plugins if table.kind == kind and table.use in names]
            package = entry.dist.name if entry.dist else ""
            version = entry.dist.version if entry.dist else ""
            row: dict[str, Any] = {"kind": kind, "plugin": name, "package": package, "version": version, "enabled": used}
            row["state"] = {section: told[section] for section in used if told.get(section)}
            rows.append({**row, "hooks": {section: hooks[section] for section in used if hooks.get(section)}})
    return rows


FARES = ("calls", "errors", "each", "health")


def fares(hooks: dict[str, dict[str, Any]]) -> list[str]:
    """The four columns of a plugin, of all its hooks and instances together; empty where nothing is told."""
    calls = [(hook, told) for own in hooks.values() for hook, told in own.items()]
    if not calls:
        return [""] * len(FARES)
    number = sum(told["calls"] for _, told in calls)
    micros = sum((told["mean_us"] or 0.0) * told["calls"] for _, told in calls)
    health = [f"{told['state']} in {hook}{left(told['left'])}" for hook, told in calls if told["state"] != "on"]
    each = f"{micros / number:.1f} µs" if number else ""
    return [str(number), str(sum(told["errors"] for _, told in calls)), each, ", ".join(health) or "on"]


def left(seconds: float) -> str:
    return f" for {seconds:.0f} s" if seconds else ""


def whose(settings: Config, running: dict[str, Any]) -> str:
    """Whose numbers they are, or why there are none."""
    server = settings.server
    if not settings.plugins:
        return ""
    if not running:
        return f"\nNo gateway answers at {server.host} port {server.port}: calls, errors, time and health are those of one that runs.\n"
    if "hooks" not in running:
        return "\nThe gateway that answers shows its calls to its own [server] admin_key only.\n"
    process = f"in one of {server.workers} processes; " if server.workers > 1 else ""
    return f"\nSince its configuration was taken up; {process}each: the mean time of a call. One in 64 is timed, and all that wait.\n"


def readiness(server: Server, key: Secret | None = None) -> dict[str, Any]:
    """What `/health/ready` answers at the configured address, to who shows this key; empty when no lynkr is there."""
    import httpx2

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    headers = {"x-lynkr-key": key.reveal()} if key else {}
    try:
        with httpx2.Client(trust_env=False, timeout=1.0, headers=headers) as client:
            answer = client.get(f"http://{f'[{host}]' if ':' in host else host}:{server.port}/health/ready").json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return {}
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def schema() -> None:
    """Print the JSON Schema of lynkr.toml with the tables of every installed plugin."""
    print_json(full_schema())


def full_schema() -> dict[str, Any]:
    """Draft 2020-12. A `[KIND.NAME]` table is that plugin's, or the one's that its `use` names."""
    found = {(kind, name): manifest_config(kind, name) for kind in KINDS for name in sorted(installed(kind))}
    known = {key: config for key, config in found.items() if config is not None}
    types = [*SECTIONS.values(), *known.values()]
    schemas, components = msgspec.json.schema_components(types, schema_hook=secret_schema, ref_template="#/$defs/{name}")
    properties: dict[str, Any] = dict(zip(SECTIONS, schemas, strict=False))
    tables = dict(zip(known, [schema["$ref"] for schema in list(schemas)[len(SECTIONS) :]], strict=True))
    for (kind, name), reference in tables.items():
        settings = components[reference.rpartition("/")[2]]["properties"]
        settings.setdefault("use", {"enum": [], "description": "The plugin, when the table has another name."})
        settings["use"]["enum"] += [word for word in names_of(kind, name) if word not in settings["use"]["enum"]]
    for kind in KINDS:
        refs = {name: reference for (of, name), reference in tables.items() if of == kind}
        properties[kind] = kind_schema(kind, refs, components)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lynkr.toml", "type": "object",
        "properties": properties, "additionalProperties": False, "$defs": components,
    }  # fmt: skip


def kind_schema(kind: str, references: Mapping[str, str], components: dict[str, Any]) -> dict[str, Any]:
    """The tables of one kind, by any of a plugin's names; a table of another name says in `use` whose it is."""
    chosen = [
        {"allOf": [{"$ref": reference}, {"properties": {"use": {"enum": names_of(kind, name)}}, "required": ["use"]}]}
        for name, reference in references.items()
    ]
    components[f"{kind}_by_use"] = {"type": "object", "required": ["use"], "anyOf": chosen or [True]}
    other = {"$ref": f"#/$defs/{kind}_by_use"}
    properties = {
        word: {"description": summary(kind, name), "anyOf": [{"$ref": reference}, other]}
        for name, reference in references.items()
        for word in names_of(kind, name)
    }
    return {"type": "object", "description": group(kind), "properties": properties, "additionalProperties": other}


def names_of(kind: str, name: str) -> list[str]:
    """Under which a plugin is known: its own name first."""
    return [name, *[other for other, own in aliases(kind).items() if own == name]]


def summary(kind: str, name: str) -> str:
    """What a plugin's package says of itself, in a line."""
    dist = installed(kind)[name].dist
    return dist.metadata["Summary"] if dist and "Summary" in dist.metadata else f"The {kind} plugin {name}."


def manifest_config(kind: str, name: str) -> type[msgspec.Struct] | None:
    """A plugin's config Struct; None when it cannot be imported, which `check` tells about."""
    try:
        return manifest(kind, name).config
    except PluginError:
        return None


def secret_schema(type: type) -> dict[str, Any]:
    if type is Secret:
        return {"type": "string", "description": "A secret: write ${NAME} or file:/path."}
    raise TypeError(f"no JSON Schema for {type}")
