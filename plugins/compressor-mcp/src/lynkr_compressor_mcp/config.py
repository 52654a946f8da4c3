"""`[compressor.mcp]`: which servers there are, who may use them, and where their secrets come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from lynkr_core.candidates import Tiers
from lynkr_core.errors import PluginError
from lynkr_core.scopes import Scope

_name = re.compile(r"[a-z0-9](-?[a-z0-9]){0,29}")
_variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_header = re.compile(r"[A-Za-z0-9-]{1,100}")


class Remote(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.mcp.servers.NAME]`"""

    url: Annotated[str, Meta(description="Where it speaks streamable HTTP.")]
    allow: Annotated[tuple[str, ...], Meta(min_length=1, description="Who may use it: scopes as in policies, or `everyone`.")]
    tools: Annotated[tuple[str, ...], Meta(description="Patterns of the names of its tools that are offered.")] = ("*",)
    bearer_from: Annotated[str, Meta(description="Name of the environment variable with its bearer token.")] = ""
    headers_from: Annotated[
        dict[str, str], Meta(description="Headers, each with the name of the environment variable that has its value.")
    ] = {}
    local: Annotated[
        bool, Meta(description="It stands on the operator's own machines, and may see what must not leave them.")
    ] = False
    timeout: Annotated[float, Meta(gt=0, le=300, description="Seconds for one call.")] = 30.0
    max_bytes: Annotated[int, Meta(ge=1024, le=64 * 1024 * 1024, description="Bytes of an answer that are read.")] = 1024 * 1024
    max_text: Annotated[int, Meta(ge=100, description="Characters of an answer that the model gets.")] = 50_000
    concurrency: Annotated[int, Meta(ge=1, le=1000, description="Calls at once.")] = 8
    keep: Annotated[float, Meta(gt=0, le=86_400, description="Seconds that a session stays without a call.")] = 300.0
    refresh: Annotated[float, Meta(ge=1, description="Seconds after which the list of tools is asked for again.")] = 300.0


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.mcp]`"""

    servers: Annotated[dict[str, Remote], Meta(description="The servers, by the name that their tools get.")]
    start: Annotated[float, Meta(ge=0, le=60, description="Seconds that the start waits for the lists of tools.")] = 5.0


def scopes_of(name: str, remote: Remote, tiers: Tiers) -> Sequence[Scope]:
    """Who may use it. Raises `PluginError` for this and whatever else is wrong with a server's table."""
    where = f"$.servers.{name}"
    if not _name.fullmatch(name):
        raise PluginError(f"{where}: a name has small letters, digits and single hyphens, 30 characters at most")
    parts = urlsplit(remote.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or parts.fragment:
        raise PluginError(f"{where}.url: expected http(s)://host/path; secrets belong into bearer_from or headers_from")
    try:
        scopes = [Scope(text, tiers) for text in remote.allow]
    except ValueError as error:
        raise PluginError(f"{where}.allow: {error}") from None
    if not all(scope.of_caller for scope in scopes):
        raise PluginError(f"{where}.allow: only who is calling counts here, not which model serves it")
    return scopes


def headers_of(name: str, remote: Remote, environ: Mapping[str, str]) -> dict[str, str]:
    """Headers with their secrets. Raises `PluginError`, which shows none of them."""
    named = {**remote.headers_from, **({"authorization": remote.bearer_from} if remote.bearer_from else {})}
    headers: dict[str, str] = {}
    for header, variable in named.items():
        is_bearer = bool(remote.bearer_from) and header == "authorization"
        where = f"$.servers.{name}.{'bearer_from' if is_bearer else f'headers_from.{header}'}"
        if not _header.fullmatch(header):
            raise PluginError(f"$.servers.{name}.headers_from: {header[:50]!r} is no name of a header")
        if not _variable.fullmatch(variable) or not (value := environ.get(variable, "").strip()):
            raise PluginError(f"{where}: expected the name of an environment variable that is set, not its value")
        if not (value.isascii() and value.isprintable()):
            raise PluginError(f"{where}: the variable's value has characters that no header can have")
        headers[header.lower()] = f"Bearer {value}" if is_bearer else value
    return headers
