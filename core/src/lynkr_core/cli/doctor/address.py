"""Where the gateway listens: who can reach it there, and whether the place is free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lynkr_core.cli.doctor.finding import Finding, broken, good, warning
from lynkr_core.cli.reloading import exposed, is_loopback
from lynkr_core.config import Config
from lynkr_core.errors import LynkrError

SHORT_KEY = 16
"""Characters of an admin key below which it could be guessed."""


def check(config: Config) -> Iterator[Finding]:
    yield reach(config)
    key = config.server.admin_key
    if key and len(key.reveal()) < SHORT_KEY:
        yield warning(
            "server",
            f"admin_key has fewer than {SHORT_KEY} characters",
            "take a longer one, such as `openssl rand -hex 32` writes",
        )
    yield place(config)


def reach(config: Config) -> Finding:
    host = config.server.host
    if told := exposed(config):
        what, _, do = told.rpartition(": ")[2].partition("; ")
        return broken("server", f"{host} can be reached from other machines, and no auth plugin is enabled: {what}", do)
    if is_loopback(host):
        return good("server", f"only this machine can reach {host}")
    if any(plugin.kind == "auth" for plugin in config.plugins):
        return good("server", f"other machines can reach {host}, and an auth plugin asks who calls")
    return warning(
        "server",
        f"anybody who reaches {host} may spend your keys: allow_anonymous is true",
        "enable an auth plugin, or listen on 127.0.0.1",
    )


def place(config: Config) -> Finding:
    from lynkr_core.cli.server import listener

    host, port = config.server.host, config.server.port
    try:
        listener(host, port).close()
    except LynkrError as error:
        return taken(config, str(error))
    return good("server", f"port {port} is free" if port else "takes any free port")


def taken(config: Config, reason: str) -> Finding:
    """By lynkr itself, as it should be, or by something else."""
    from lynkr_core.cli.inspecting import readiness

    running: dict[str, Any] = readiness(config.server)
    hash = running.get("config")
    if not isinstance(hash, str):
        return broken("server", reason, "stop what listens there, or set another port in [server]")
    where = f"port {config.server.port}"
    if mistakes := running.get("config_mistakes"):
        return warning("server", f"lynkr runs at {where}, and could not take the file up: {mistakes[0]}", "see the gateway's log")
    if hash != config.hash:
        told = f"lynkr runs at {where} with configuration {hash}, the file is {config.hash}"
        return warning("server", told, "reload it: POST /v1/admin/reload, SIGHUP, or restart")
    return good("server", f"lynkr runs at {where} with this configuration")
