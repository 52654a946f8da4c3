"""The SDK's server, asked one message at a time: a POST comes in whole, and goes out whole. No session is kept between two of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, cast

import mcp_types as types
import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from msgspec import Struct

from lynkr_core.caller import CREDENTIALS, LYNKR_KEY
from lynkr_core.errors import GatewayError, Unavailable
from lynkr_core.exchange import Reply
from lynkr_core.routes import RouteRequest
from lynkr_extension_mcp.tools import Asking, Tools

log = logging.getLogger("lynkr.mcp")
ASKING = "lynkr.asking"
HINTS = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
ABOUT = "What this lynkr gateway has served, what that cost, and why each request went where it went."
MOST = 1024 * 1024
"""Bytes of a tool's answer."""
Context = ServerRequestContext[Any]


class Desk:
    """Answers MCP messages while it is entered; it is told with `use` what about."""

    def __init__(self, hosts: Sequence[str], origins: Sequence[str], max_body: int, seconds: float, at_once: int) -> None:
        server: Server[Any] = Server(
            "lynkr", version="0.1.0", instructions=ABOUT, on_list_tools=self._list, on_call_tool=self._call
        )
        self._sdk = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=max_body,
            security_settings=TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=list(origins)),
        )  # fmt: skip
        self._tools: Tools | None = None
        self._seconds = seconds
        self._room = asyncio.Semaphore(at_once)
        self._most_waiting = 4 * at_once
        self._waiting = 0
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def use(self, tools: Tools) -> None:
        self._tools = tools

    async def open(self) -> None:
        """In a task of its own, because the one that starts a gateway need not be the one that stops it."""
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready))
        await ready.wait()

    async def close(self) -> None:
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _run(self, ready: asyncio.Event) -> None:
        async with self._sdk.run():
            ready.set()
            await self._closing.wait()

    async def answer(self, path: str, query: RouteRequest) -> Reply:
        """Raises `Unavailable` when too many wait already, or the answer takes too long."""
        if self._waiting >= self._most_waiting:
            raise Unavailable("too many MCP requests at once", retry_after=1.0)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds), self._room:
                return await self._asked(path, query)
        except TimeoutError:
            raise Unavailable(f"no answer within {self._seconds:g} seconds") from None
        finally:
            self._waiting -= 1

    async def _asked(self, path: str, query: RouteRequest) -> Reply:
        """What the SDK says to this message. Keys are not shown to it."""
        secret = {*CREDENTIALS, LYNKR_KEY, b"cookie"}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
            "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": None, "server": None,
            "headers": [(name, value) for name, value in query.headers.items() if name not in secret],
            ASKING: Asking(query.principal, query.headers),
        }  # fmt: skip
        said = Said(query.body)
        await self._sdk.handle_request(scope, said.receive, said.send)
        return Reply(status=said.status, headers=tuple(said.headers), body=bytes(said.body))

    async def _list(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        assert self._tools is not None, "routes are registered before anybody is served"
        listed = [described(name, shape) for name, (shape, _) in self._tools.of(asking_of(context).principal).items()]
        return types.ListToolsResult(tools=listed)

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        assert self._tools is not None, "routes are registered before anybody is served"
        asking = asking_of(context)
        found = self._tools.of(asking.principal).get(params.name)
        if found is None:
            return failed(f"there is no tool {params.name[:100]!r} for this caller")
        shape, answer = found
        try:
            told = msgspec.json.encode(await answer(msgspec.convert(params.arguments or {}, shape), asking))
        except msgspec.ValidationError as error:
            return failed(f"these arguments do not fit: {error}")
        except GatewayError as error:
            return failed(error.message)
        except Exception as error:
            log.error("the MCP tool %s failed: %s", params.name, type(error).__name__)
            return failed("lynkr failed on this call; its log says more")
        if len(told) > MOST:
            return failed(f"the answer has over {MOST} bytes: ask for less")
        text = types.TextContent(type="text", text=told.decode())
        return types.CallToolResult(content=[text], structured_content=msgspec.json.decode(told))


class Said:
    """One message, and what was answered, as ASGI has it."""

    def __init__(self, body: bytes) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self._left: bytes | None = body

    async def receive(self) -> dict[str, Any]:
        """The body, and then nothing any more: whether the caller leaves is not known here."""
        body, self._left = self._left, None
        if body is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            told = cast("list[tuple[bytes, bytes]]", message.get("headers", []))
            self.headers = [(name, value) for name, value in told if name.lower() != b"content-length"]
        else:
            self.body += message.get("body", b"")


def asking_of(context: Context) -> Asking:
    """Who asks: put there by `Desk`, so that nothing that a message says can change it."""
    request: Any = context.request
    return request.scope[ASKING]


def described(name: str, shape: type[Struct]) -> types.Tool:
    """With the struct's fields as parameters, and what it says of itself."""
    _, found = msgspec.json.schema_components([shape])
    schema = found[shape.__name__]
    schema.pop("title", None)
    about = " ".join(schema.pop("description").split())
    return types.Tool(name=name, description=about, input_schema=schema, annotations=HINTS)


def failed(why: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=why)], is_error=True)
