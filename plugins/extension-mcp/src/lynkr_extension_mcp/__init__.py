"""What this gateway has served and why, for MCP clients: agents may ask what they cost, and operators their assistants."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta, Struct

from lynkr_core.exchange import Reply
from lynkr_core.plugins import Plugin
from lynkr_core.routes import Route, RouteRequest
from lynkr_extension_mcp.serving import Desk
from lynkr_extension_mcp.tools import Tools

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

__all__ = ["Config", "McpExtension", "plugin"]
LOOPBACK = ("127.0.0.1", "127.0.0.1:*", "localhost", "localhost:*", "[::1]", "[::1]:*")
logging.getLogger("mcp.server").setLevel(logging.WARNING)  # a line for each message would say nothing
logging.getLogger("mcp.shared").setLevel(logging.CRITICAL)


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.mcp]`"""

    path: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$", description="Where it is served.")] = "/mcp"
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="Names in `host` headers that it answers, beside those of this machine; `name:*` with any port."),
    ] = ()
    origins: Annotated[
        tuple[str, ...], Meta(description="Origins whose web pages may ask, beside those of `[server] cors_origins`.")
    ] = ()
    max_body: Annotated[int, Meta(ge=1024, le=4 * 1024 * 1024, description="Bytes of a message.")] = 256 * 1024
    seconds: Annotated[float, Meta(gt=0, le=300, description="Seconds for an answer.")] = 30.0
    at_once: Annotated[int, Meta(ge=1, le=1000, description="Messages answered at once; four times as many may wait.")] = 8


class McpExtension:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._desk: Desk | None = None

    async def __aenter__(self) -> Self:
        if self._desk is not None:
            await self._desk.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._desk is not None:
            await self._desk.close()

    def register_routes(self, kernel: Kernel) -> Sequence[Route]:
        config = self._config
        origins = [*config.origins, *[origin for origin in kernel.config.server.cors_origins if origin != "*"]]
        desk = self._desk = Desk([*LOOPBACK, *config.hosts], origins, config.max_body, config.seconds, config.at_once)
        desk.use(Tools(kernel))

        async def answer(query: RouteRequest) -> Reply:
            return await desk.answer(config.path, query)

        return [Route(method="POST", path=config.path, endpoint=answer)]


plugin = Plugin(api=1, config=Config, create=McpExtension)
