"""Who else on this machine may read the file and the secrets it points to, or change it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lynkr_core.cli.doctor.finding import Finding, good, warning
from lynkr_core.cli.doctor.keys import Place


def check(file: Path, places: list[Place]) -> Iterator[Finding]:
    """Nothing where the system has no such permissions."""
    if os.name != "posix":
        return
    found = [*of_config(file, places), *of_secrets(places)]
    yield from found or [good(str(file), "nobody else may change it, or read a secret in it")]


def of_config(file: Path, places: list[Place]) -> Iterator[Finding]:
    mode = file.stat().st_mode
    written = [f"{place.section} {place.path}" for place in places if place.written_out]
    if written and mode & (stat.S_IRGRP | stat.S_IROTH):
        told = f"has secrets in it ({', '.join(written)}), and others may read it"
        yield warning(str(file), told, f"chmod 600 {file}, or write ${{NAME}} and set the variable")
    if mode & stat.S_IWOTH:
        told = "anybody on this machine may change it, and send your keys elsewhere"
        yield warning(str(file), told, f"chmod o-w {file}")


def of_secrets(places: list[Place]) -> Iterator[Finding]:
    for path in sorted({place.file for place in places if place.file}):
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            continue  # that it cannot be read is a mistake of the configuration, told there
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            yield warning(path, "is a secret, and anybody on this machine may read or change it", f"chmod 600 {path}")
