"""A provider that costs almost nothing: OpenAI chat and Anthropic messages, plain and streamed.

`python -m tests.benchmarks.mock PORT`

The model name decides how a stream goes: `anything-d10-n64` is 64 chunks 10 ms apart. Names that say nothing get what was last
asked for at `/__set/d10-n64`. Each chunk carries the time it was written, as `~T0000000000123456789~` (monotonic clock, ns).
`/__stats` answers with counters, `/__drop` cuts every open stream.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import uvloop

SHAPE = re.compile(rb"\bd(\d+)-n(\d+)")
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
TRUE = re.compile(rb'"stream"\s*:\s*true')
MODEL = re.compile(rb'"model"\s*:\s*"([^"]*)"')
PROSE = (
    "The function opens the file, checks every entry and gives back one object with typed fields; a missing key falls back to "
    "its default and is logged once. The failing test compares an empty string with None. Treat both as unset, and add a case "
    "for the variable that is set but blank. After that the whole suite should pass: nothing else relied on the old comparison."
)
HEAD = b"HTTP/1.1 200 OK\r\nserver: mock\r\nx-request-id: req_0123456789abcdef\r\n"
STREAM_HEAD = HEAD + b"content-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = HEAD.replace(b"200 OK", status) + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


def framed(data: bytes) -> bytes:
    """One piece of a chunked body. A `%019d` in it is counted as the 19 digits that it becomes."""
    size = len(data) + (14 if b"%019d" in data else 0)
    return b"%x\r\n%b\r\n" % (size, data)


def openai_piece(choices: list[Any], usage: Any = None) -> bytes:
    shared = {"id": "chatcmpl-0123456789abcdefghijklmnopqrs", "object": "chat.completion.chunk", "created": 1790000000}
    more = {"model": "gpt-mock-2026-01-01", "service_tier": "default", "system_fingerprint": "fp_0123456789"}
    return b"data: " + compact({**shared, **more, "choices": choices, "usage": usage}) + b"\n\n"


def choice(delta: Any, finish: str | None = None) -> list[Any]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


def event(name: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), compact({"type": name, **fields}))


OPENAI_USAGE = {
    "prompt_tokens": 123, "completion_tokens": 64, "total_tokens": 187, "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}  # fmt: skip
ANTHROPIC_USAGE = {"input_tokens": 123, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}
MESSAGE = {
    "id": "msg_0123456789ABCDEFGHIJKLMN", "type": "message", "role": "assistant", "model": "claude-mock", "stop_sequence": None,
}  # fmt: skip


class Front:
    """What one dialect's answers look like, as bytes ready to send; `piece` is a template for the time in ns."""

    def __init__(self, plain: Any, first: bytes, piece: bytes, last: bytes) -> None:
        self.plain = answer(compact(plain))
        self.first = STREAM_HEAD + framed(first)
        self.piece = framed(piece)
        self.last = framed(last) + b"0\r\n\r\n"


OPENAI = Front(
    {
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs", "object": "chat.completion", "created": 1790000000,
        "model": "gpt-mock-2026-01-01", "usage": OPENAI_USAGE, "service_tier": "default", "system_fingerprint": "fp_0123456789",
        "choices": [
            {
                "index": 0, "message": {"role": "assistant", "content": PROSE, "refusal": None, "annotations": []},
                "logprobs": None, "finish_reason": "stop",
            }
        ],
    },
    openai_piece(choice({"role": "assistant", "content": "", "refusal": None})),
    openai_piece(choice({"content": " token ~T%019d~"})),
    openai_piece(choice({}, "stop")) + openai_piece([], OPENAI_USAGE) + b"data: [DONE]\n\n",
)  # fmt: skip
ANTHROPIC = Front(
    {**MESSAGE, "content": [{"type": "text", "text": PROSE}], "stop_reason": "end_turn", "usage": ANTHROPIC_USAGE},
    event("message_start", message={**MESSAGE, "content": [], "stop_reason": None, "usage": ANTHROPIC_USAGE})
    + event("content_block_start", index=0, content_block={"type": "text", "text": ""}) + event("ping"),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": " token ~T%019d~"}),
    event("content_block_stop", index=0)
    + event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 64})
    + event("message_stop"),
)  # fmt: skip
MODELS = answer(compact({"object": "list", "data": [{"id": "mock", "object": "model", "created": 1, "owned_by": "mock"}]}))


class Shared:
    """What all connections share: counters, open streams, and the shape of streams whose model names none."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("requests", "connections", "closed", "streams", "done", "aborted", "chunks", "bad"), 0)
        self.shape = (0.0, 64)
        self.open: set[Upstream] = set()


class Upstream(asyncio.Protocol):
    """One connection: keep-alive, one request after another."""

    transport: asyncio.Transport

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        self.shared = shared
        self.loop = loop
        self.buffer = b""
        self.parts: list[bytes] = []
        self.missing = 0
        self.paused = False
        self.stalled = False
        self.front: Front | None = None
        self.left = 0
        self.gap = 0.0
        self.due = 0.0
        self.timer: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.shared.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.counts["closed"] += 1
        if self.front is not None:
            self.shared.counts["aborted"] += 1
            self.shared.open.discard(self)
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self.missing > len(data):
            self.parts.append(data)
            self.missing -= len(data)
            return
        if self.parts:
            data = b"".join((*self.parts, data))
            self.parts.clear()
            self.missing = 0
        elif self.buffer:
            data = self.buffer + data
        self.buffer = data
        while self.buffer and self.front is None and self.take():
            pass

    def take(self) -> bool:
        """Answers the first request in the buffer. False when it has not all arrived."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[: end + 2]
        if CHUNKED.search(head):
            return self.take_chunked(head, end + 4)
        length = LENGTH.search(head)
        stop = end + 4 + (int(length[1]) if length else 0)
        if stop > len(self.buffer):
            self.parts, self.missing, self.buffer = [self.buffer], stop - len(self.buffer), b""
            return False
        whole, self.buffer = self.buffer, self.buffer[stop:]
        self.reply(head, whole[end + 4 : stop])
        return True

    def take_chunked(self, head: bytes, at: int) -> bool:
        body = b""
        while (line := self.buffer.find(b"\r\n", at)) >= 0:
            size = int(self.buffer[at:line].partition(b";")[0], 16)
            body += self.buffer[line + 2 : line + 2 + size]
            at = line + 4 + size
            if at > len(self.buffer):
                return False
            if size == 0:
                self.buffer = self.buffer[at:]
                self.reply(head, body)
                return True
        return False

    def reply(self, head: bytes, body: bytes) -> None:
        self.shared.counts["requests"] += 1
        target = head[: head.find(b"\r\n")]
        if b"/chat/completions" in target or b"/messages" in target:
            self.complete(ANTHROPIC if b"/messages" in target else OPENAI, body)
        else:
            self.transport.write(self.control(target))

    def control(self, target: bytes) -> bytes:
        if b"/__stats" in target:
            return answer(compact(self.shared.counts))
        if b"/__set/" in target and (found := SHAPE.search(target)):
            self.shared.shape = (int(found[1]) / 1000, int(found[2]))
        elif b"/__drop" in target:
            for stream in tuple(self.shared.open):
                stream.transport.abort()
        elif not target.startswith(b"GET "):
            self.shared.counts["bad"] += 1
            return answer(b'{"error":{"message":"no such path"}}', b"404 Not Found")
        return MODELS

    def complete(self, front: Front, body: bytes) -> None:
        at = body.find(b'"stream"')
        if at < 0 or not TRUE.match(body, at):
            self.transport.write(front.plain)
            return
        self.front = front
        self.gap, self.left = self.shape_of(body)
        self.shared.counts["streams"] += 1
        self.shared.open.add(self)
        self.transport.write(front.first)
        self.due = self.loop.time() + self.gap
        self.next()

    def shape_of(self, body: bytes) -> tuple[float, int]:
        model = MODEL.search(body)
        found = SHAPE.search(model[1]) if model else None
        return (int(found[1]) / 1000, int(found[2])) if found else self.shared.shape

    def next(self) -> None:
        # Without a gap each chunk still gets its own turn of the loop, because that makes it a write of its own.
        self.timer = self.loop.call_at(self.due, self.write_piece) if self.gap else self.loop.call_soon(self.write_piece)

    def write_piece(self) -> None:
        front = self.front
        self.stalled = self.paused
        if front is None or self.paused:
            return
        if self.left == 0:
            self.finish(front)
            return
        self.left -= 1
        self.shared.counts["chunks"] += 1
        self.transport.write(front.piece % time.monotonic_ns())
        self.due += self.gap
        self.next()

    def finish(self, front: Front) -> None:
        self.front = None
        self.shared.open.discard(self)
        self.shared.counts["done"] += 1
        self.transport.write(front.last)
        if self.buffer:
            self.take()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.stalled:
            self.write_piece()


async def serve(port: int) -> None:
    shared, loop = Shared(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(shared, loop), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
