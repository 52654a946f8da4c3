"""A real MCP server of the SDK on a free port, in a thread of its own, and what was asked of it."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "A city's name. " * 8}},
    "required": ["city"],
}
LONG = 3_000_000


def tool(
    name: str, schema: dict[str, Any] = SCHEMA, about: str = "Tells the weather of a city, today and tomorrow."
) -> types.Tool:
    return types.Tool(name=name, description=f"{about} ({name})", input_schema=schema)


class Lie:
    """What is said to messages with `about` in them: status, headers and body, the last piece again and again where it is `endless`."""

    def __init__(self, about: bytes, status: int, kind: str, body: bytes = b"", endless: bool = False, **headers: str) -> None:
        self.about = about
        self.status = status
        self.headers = [
            (b"content-type", kind.encode()),
            *[(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        ]
        self.body = body
        self.endless = endless

    async def tell(self, asked: bytes, send: Any) -> None:
        id = json.dumps(json.loads(asked)["id"]).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for _ in range(1_000 if self.endless else 1):
            await send({"type": "http.response.body", "body": self.body.replace(b"ID", id), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Box:
    """`with Box() as box:` serves at `box.url`. `old`: it knows the handshake and sessions only. `tools` may be changed at any time."""

    def __init__(self, old: bool = False) -> None:
        self.old = old
        self.tools = [tool(f"weather_{n}") for n in range(12)] + [
            tool(name) for name in ("fails", "waits", "talks", "counts", "halves", "holds", "wants")
        ]
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.calls: list[tuple[str, Any]] = []
        self.given_up = threading.Event()
        self.counted: dict[str, int] = {}
        self.forgets = threading.Event()
        self.release = threading.Event()
        self.running = self.most_running = 0
        self.lie: Lie | None = None

    def __enter__(self) -> Box:
        sdk: Server[Any] = Server("box", on_list_tools=self._list, on_call_tool=self._call)
        self._app = sdk.streamable_http_app()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/mcp"
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(self._asked, log_config=None, interface="asgi3", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self._socket],), daemon=True)
        self._thread.start()
        until = time.monotonic() + 60
        while not self._uvicorn.started and time.monotonic() < until:
            time.sleep(0.01)
        return self

    def __exit__(self, *error: object) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(60)
        self._socket.close()

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    async def _asked(self, scope: Any, receive: Any, tell: Any) -> None:
        """Notes what comes; an old server knows nothing of versions after its own, and one that forgets knows no session."""
        if scope["type"] != "http":
            await self._app(scope, receive, tell)
            return

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"set-cookie", b"who=you; path=/")]
            await tell(message)

        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], headers))
        lost = self.forgets.is_set() and "mcp-session-id" in headers
        if lost:
            self.forgets.clear()
        if lost or (self.old and headers.get("mcp-protocol-version", "") >= "2026"):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"no"})
            return
        if self.lie is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        if self.lie.about in message["body"]:
            await self.lie.tell(message["body"], send)
            return
        told = [message]

        async def again() -> Any:
            return told.pop() if told else await receive()

        await self._app(scope, again, send)

    async def _list(self, context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(self.tools))

    async def _call(self, context: Any, params: types.CallToolRequestParams) -> Any:
        self.calls.append((params.name, params.arguments))
        if params.name == "waits":
            try:
                await anyio.sleep_forever()
            finally:
                self.given_up.set()
        if params.name == "holds":
            await self._held()
        if params.name == "fails":
            return said("no such city", is_error=True)
        if params.name == "wants":
            return types.InputRequiredResult(request_state="more")
        if params.name == "talks":
            return said("x" * LONG)
        if params.name == "halves":
            return said("a\ud800b")
        if params.name == "counts":
            session = context.request.headers.get("mcp-session-id", "")
            self.counted[session] = self.counted.get(session, 0) + 1
            return said(f"count {self.counted[session]}")
        return said(f"Rain in {(params.arguments or {}).get('city')}")

    async def _held(self) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        while not self.release.is_set():
            await anyio.sleep(0.01)
        self.running -= 1


def said(text: str, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)


def table(box: Box, name: str = "box", **more: Any) -> str:
    """Its part of a `lynkr.toml`."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"url": box.url, "allow": ["everyone"], **more}.items()]
    return "\n".join([f"[compressor.mcp.servers.{name}]", *lines, ""])
