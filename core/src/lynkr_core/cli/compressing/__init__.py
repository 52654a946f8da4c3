"""`lynkr eval compressors`: what compressors save on recorded conversations, and whether all that matters is still there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lynkr_core.cli.compressing.bills import exact
from lynkr_core.cli.compressing.running import evaluate
from lynkr_core.cli.compressing.tables import plain, report
from lynkr_core.config import PluginTable, load
from lynkr_core.errors import LynkrError

DEFAULT = Path("lynkr.toml")
USUAL = ("json", "tool-results")
PRICE = 3.0


def compressors(
    folder: Path, *, plugins: str = "", limit: int = 0, price: float = PRICE, config: Path = DEFAULT, json: bool = False
) -> None:
    """Run compressors on recorded conversations and print what they save, and whether all that the agent needed is still there.

    Args:
        folder: Files of conversations, .jsonl or .jsonl.gz; the page for authors tells the format.
        plugins: Names, separated by commas; those that are configured, if left out, else json and tool-results.
        limit: At most so many conversations of each file; 0 is all.
        price: Dollars for a million tokens of input.
        config: The file whose [compressor.NAME] tables configure them, if it is there.
        json: Print JSON.
    """
    if not folder.is_dir():
        raise LynkrError(f"{folder} is not a folder")
    found = evaluate(folder, tables(plugins, config), exact(), limit)
    text = msgspec.json.format(msgspec.json.encode(plain(found, price))).decode() if json else "\n".join(report(found, price))
    sys.stdout.write(text + "\n")


def tables(plugins: str, config: Path) -> list[PluginTable]:
    """The tables of the named compressors, or of all that are configured. Raises `ConfigError`, `PluginError`."""
    settings = load(config, os.environ).plugins if config.exists() else ()
    configured = {table.name: table for table in settings if table.kind == "compressor"}
    names: Sequence[str] = [name.strip() for name in plugins.split(",") if name.strip()] or list(configured) or USUAL
    return [configured.get(name) or PluginTable(kind="compressor", name=name, use=name, table={}) for name in names]
