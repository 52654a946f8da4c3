"""One connection of the HTTP/1.1 client: writes a request, parses the answer, keeps the clock of silence."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

from lynkr_core.errors import Kind, UpstreamError
from lynkr_core.upstream.answer import Answer

MAX_HEAD = 64 * 1024
"""Bytes of head, trailers or chunk extensions without a byte of body among them."""
JOIN_UNDER = 16 * 1024
"""Bodies under this many bytes are copied behind their head; above, the copy costs more than a second buffer."""
NAMES: dict[bytes, bytes] = {}
"""Header names as they were spelt, in lower case: every stream would hold its own copies of the same few."""
MAX_NAMES = 512


class Pending(Protocol):
    """A request that waits for the head of its answer."""

    head: bytes
    body: bytes
    bodyless: bool
    silence: float

    def answered(self, answer: Answer) -> None: ...

    def failed(self, error: UpstreamError) -> None: ...

    def stale(self) -> bool:
        """The connection died before a byte came. True when the request goes to another one."""
        ...


class Owner(Protocol):
    """Keeps connections. `name` is host:port."""

    name: str

    def watch(self, silence: float) -> None:
        """Sees to it that `check` is called often enough for a silence of so many seconds."""
        ...

    def release(self, connection: Connection) -> None:
        """Takes back a connection whose answer is complete."""
        ...

    def forget(self, connection: Connection) -> None:
        """The connection is closed or closing; may be told more than once."""
        ...

    def queue(self, connection: Connection, pending: Pending) -> None:
        """Has the connection `write` this request before the event loop waits again."""
        ...


class Connection(asyncio.Protocol):
    """At most one request at a time. The methods `on_…` are httptools' callbacks.

    The last byte's time is noted and its owner looks at it now and then (`check`): neither a byte nor a request costs a timer.
    """

    __slots__ = (
        "_answer", "_bodies", "_bodyless", "_busy", "_complete", "_extra", "_headers", "_keep", "_owner",
        "_parser", "_pending", "_quiet", "_silence", "_stamp", "_transport", "_unsent", "_until_close",
        "_whole", "idle_since", "loop", "on_body", "reused",
    )  # fmt: skip

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self.loop = loop
        self._transport = cast("asyncio.Transport", None)
        self._pending: Pending | None = None
        self._answer: Answer | None = None
        self._busy = False
        self._headers: dict[bytes, bytes] = {}
        self._bodies: list[bytes] = []
        self.on_body = self._bodies.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._stamp = self._silence = self.idle_since = 0.0
        self._unsent = self._quiet = self._whole = 0
        self._bodyless = self._complete = self._extra = self._keep = self._until_close = False
        self.reused = False

    # what the pool and the answer ask for
    @property
    def lost(self) -> bool:
        """The socket is closed and nothing more will be heard of it."""
        return self._parser is None

    def begin(self, pending: Pending) -> None:
        """Has a request written and awaits its answer."""
        self._pending = pending
        self._answer = None
        self._busy = True
        self._bodyless = pending.bodyless
        self._complete = self._extra = False
        self._quiet = 0
        self._silence = pending.silence
        self._owner.watch(pending.silence)
        self._owner.queue(self, pending)

    def write(self, pending: Pending) -> None:
        """Writes this request, unless it has come to its end. Never raises: others of its row are still to be written."""
        if self._pending is not pending:
            return
        self._stamp = self.loop.time()  # that it waited for others was no silence of the provider's
        body = pending.body
        try:
            if len(body) < JOIN_UNDER:
                self._transport.write(pending.head + body)
            else:
                self._transport.writelines((pending.head, body))
            self._unsent = len(body)
        except Exception as error:  # a plugin's body that is no bytes
            self.fail("unavailable", f"was not sent the request: {error}")

    def close(self) -> None:
        """Closes the socket at once. Nobody is told; `fail` tells."""
        self._busy = False
        self._pending = self._answer = None
        self._owner.forget(self)
        self._transport.abort()

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        self._stamp = self.loop.time()  # the silence was ours
        self._transport.resume_reading()

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._stamp = self.loop.time()
        if not self._busy or self._parser is None:
            self.close()  # bytes that nobody asked for
            return
        fine = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            fine = False
        self._deliver(len(data))
        if self._complete:
            self._finish(fine and not self._extra)
        elif not fine or self._quiet > MAX_HEAD:
            self.fail("server", "did not answer in HTTP/1.1")
        pending = self._pending
        if pending is not None and self._answer is not None:
            self._pending = None
            pending.answered(self._answer)

    def _deliver(self, size: int) -> None:
        """Passes on the body bytes of one read as one piece."""
        bodies = self._bodies
        if self._extra:
            del bodies[self._whole :]  # of a second answer, which nobody asked for
        if not bodies or self._bodyless:
            self._quiet += size
        elif self._answer is not None:
            self._quiet = 0
            self._answer.feed(bodies[0] if len(bodies) == 1 else b"".join(bodies))
        bodies.clear()

    def eof_received(self) -> None:
        if self._answer is not None and self._until_close and self._busy:
            self._finish(False)
        else:
            self._lost()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
        self._parser = None  # it holds our bound methods: a cycle

    def resume_writing(self) -> None:
        self._stamp = self.loop.time()  # a large request was taken: the silence begins here

    # the ends of an answer
    def _finish(self, clean: bool) -> None:
        """The answer is complete. The connection is kept when both sides are done with this exchange."""
        answer, pending = cast("Answer", self._answer), self._pending
        if answer.paused:
            self._transport.resume_reading()
        answer.finish()
        self._busy = False
        self._pending = self._answer = None
        if pending is not None:
            pending.answered(answer)
        if clean and self._keep and self._transport.get_write_buffer_size() == 0:
            self.reused, self.idle_since = True, self._stamp
            self._owner.release(self)
        else:
            self.close()

    def fail(self, kind: Kind, why: str) -> None:
        """Ends what is under way with an error, and closes."""
        pending, answer = self._pending, self._answer
        error = UpstreamError(kind, f"{self._owner.name} {why}", status=answer.status if answer else None)
        self.close()
        if pending is not None and answer is not None:
            pending.answered(answer)
        elif pending is not None:
            pending.failed(error)
        if answer is not None:
            answer.fail(error)

    def _lost(self) -> None:
        """The peer closed or reset."""
        if not self._busy:
            self._owner.forget(self)
        elif self._answer is not None or self._quiet:
            self.fail("cut", "closed the connection before the answer was complete")
        elif self.reused and self._pending is not None and self._pending.stale():
            self.close()
        else:
            self.fail("unavailable", "closed the connection without an answer")

    # silence
    def check(self, now: float) -> float | None:
        """Gives up when the silence is too long. Returns how long it may be, in seconds; None when nothing is under way."""
        if not self._busy:
            return None
        unsent = self._transport.get_write_buffer_size()
        if (self._answer is not None and self._answer.paused) or 0 < unsent < self._unsent:
            self._stamp = now  # our reader is slow, or the request is still being sent
        self._unsent = unsent
        if now - self._stamp >= self._silence:
            self.fail("timeout", f"was silent for {self._silence:g} s")
        return self._silence

    # httptools' callbacks
    def on_message_begin(self) -> None:
        if self._complete and not self._extra:
            self._extra = True
            self._whole = len(self._bodies)
        elif self._answer is None:
            self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is not None:
            return  # a trailer
        lower = NAMES.get(name)
        if lower is None:
            lower = name.lower()
            if len(NAMES) < MAX_NAMES:
                NAMES[name] = lower
        value = value.rstrip(b" \t")  # llhttp skips only what stands before it
        headers = self._headers
        headers[lower] = value if lower not in headers else b"%b, %b" % (headers[lower], value)

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser is None or self._extra:
            return
        status = parser.get_status_code()
        if status < 200:
            return
        headers = self._headers
        headers.pop(b"set-cookie", None)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise ValueError(coding)
        self._until_close = coding is None and b"content-length" not in headers
        self._keep = parser.should_keep_alive() and not self._bodyless
        self._complete = self._bodyless  # an answer to HEAD: the parser would wait for a body
        self._answer = Answer(self, status, headers)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            self._complete = True
