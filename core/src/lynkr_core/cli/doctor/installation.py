"""What is installed: Python, lynkr's packages and their versions, and whether every plugin can be imported."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import distributions

from lynkr_core.cli.doctor.finding import Finding, good, warning
from lynkr_core.errors import PluginError
from lynkr_core.order import KINDS
from lynkr_core.plugins import installed, manifest

OURS, APART = "lynkr-", ("lynkr-workspace",)
"""How packages of lynkr are called; the workspace is what they are developed in."""


def check(enabled: set[tuple[str, str]]) -> Iterator[Finding]:
    """`enabled`: kind and plugin of the tables in the file; those that fail there are mistakes of the file, told already."""
    yield versions()
    failed = list(failures(enabled))
    count = sum(len(installed(kind)) for kind in KINDS)
    yield from failed or [good("plugins", f"all {count} that are installed can be imported")]


def versions() -> Finding:
    """lynkr's packages belong to one release."""
    names = {(found.name or "").lower(): found.version for found in distributions()}
    ours = {name: version for name, version in names.items() if name.startswith(OURS) and name not in APART}
    core = ours.get("lynkr-core", "")
    other = [f"{name} {version}" for name, version in sorted(ours.items()) if version != core]
    told = f"Python {platform.python_version()}, lynkr-core {core}"
    if other:
        return warning("packages", f"{told}, but {', '.join(other)}", "bring all to one release with pip install --upgrade")
    return good("packages", f"{told}, {len(ours)} packages of one version")


def failures(enabled: set[tuple[str, str]]) -> Iterator[Finding]:
    for kind in KINDS:
        for name, entry in sorted(installed(kind).items()):
            try:
                manifest(kind, name)
            except PluginError as error:
                if (kind, name) not in enabled:
                    package = entry.dist.name if entry.dist else "its package"
                    do = f"it is not enabled, so nothing else fails; pip install --upgrade {package}, or uninstall it"
                    yield warning(f"{kind}.{name}", str(error), do)
