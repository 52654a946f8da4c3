"""The measure of all things: a pure ASGI pass-through on uvicorn and the project's own HTTP/1.1 transport, no gateway in it.

`python -m tests.benchmarks.bare PORT UPSTREAM_PORT`. What lynkr costs beyond this is what lynkr costs.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from lynkr_core.upstream import Endpoint, Transport
from lynkr_core.upstream.http1 import Http1Transport

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PATHS = ("/v1/chat/completions", "/v1/messages")
KEPT = (b"content-type", b"x-request-id")


async def read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


class PassThrough:
    """Sends each body on as it is, and the answer back piece by piece."""

    def __init__(self, transport: Transport, upstream: int) -> None:
        fixed = ((b"content-type", b"application/json"), (b"authorization", b"Bearer x"))
        self.transport = transport
        self.endpoints = {path: Endpoint(f"http://127.0.0.1:{upstream}{path}", fixed) for path in PATHS}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await read(receive)
        response = await self.transport.send(self.endpoints[scope["path"]], (), body).response()
        headers = [(name, response.headers[name]) for name in KEPT if name in response.headers]
        if b"content-length" in response.headers:
            body = await response.read()
            headers.append((b"content-length", b"%d" % len(body)))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        while piece := await response.next():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def main(port: int, upstream: int) -> None:
    app = PassThrough(Http1Transport(), upstream)
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", lifespan="off", log_level="critical", access_log=False,
        backlog=4096, timeout_keep_alive=75,
    )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
