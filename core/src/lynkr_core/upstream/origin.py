"""The connections to one origin: which are idle, how many there may be, who waits for one."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from lynkr_core.upstream.connection import Connection, Pending

LOOKS = 16
"""Times a silence is looked at before it is too long: one timer for all connections, and a timeout at most a 16th late."""

SOON = 0.0001
"""Seconds after another request in which one may wait for more. One that comes alone would only pay for a turn of the loop."""
IN_A_ROW = 32
"""Requests that wait for each other to be written: a turn of the loop may be long."""


class Client(Protocol):
    """A call in need of a connection. `fresh`: only a new one will do."""

    fresh: bool

    def begin(self, connection: Connection) -> None:
        """Writes the request; closes the connection when the call ended meanwhile."""
        ...


class Origin:
    """One host, port and TLS context. `idle` has the most recently used connection last, and that one is taken first.

    `on_idle` is called when a connection becomes idle.
    """

    __slots__ = (
        "_begun", "_connections", "_host", "_limit", "_on_idle", "_opening", "_pause", "_port", "_timer", "_tls", "_unwritten",
        "_waiting", "closed", "idle", "name",
    )  # fmt: skip

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, limit: int, on_idle: Callable[[], None]) -> None:
        self.name = f"{host}:{port}"
        self.idle: list[Connection] = []
        self.closed = False
        self._host = host
        self._port = port
        self._tls = tls
        self._limit = limit
        self._on_idle = on_idle
        self._connections: set[Connection] = set()
        self._opening = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._begun = 0.0
        self._unwritten: list[tuple[Connection, Pending]] = []
        self._waiting: deque[tuple[Client, asyncio.Future[bool]]] = deque()

    @property
    def _full(self) -> bool:
        return len(self._connections) + self._opening >= self._limit

    async def serve(self, client: Client) -> None:
        """Begins the client on an idle connection, a new one, or, at the limit, when its turn comes. Raises `OSError`."""
        if self.closed:
            raise OSError("the transport is closed")
        if self.idle and not client.fresh and not self._waiting:
            client.begin(self.idle.pop())
            return
        if self.idle and self._full:
            self.idle[0].close()
        if not self._full and not self._waiting:
            self._opening += 1
        elif await self._turn(client):
            return
        await self._open(client)

    async def _turn(self, client: Client) -> bool:
        """Waits. True when the client was begun on a connection that came free, False when it may open one."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        entry = (client, turn)
        self._waiting.append(entry)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                if entry in self._waiting:
                    self._waiting.remove(entry)
            elif turn.exception() is None and not turn.result():
                self._opening -= 1
                self._grant()
            raise

    async def _open(self, client: Client) -> None:
        """Opens a connection for a place that is counted in `_opening` already."""
        loop = asyncio.get_running_loop()
        server_name = self._host if self._tls else None
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self, loop), self._host, self._port, ssl=self._tls, server_hostname=server_name
            )
            if not connection.lost:
                self._connections.add(
                    connection
                )  # not in `connection_made`: a cancelled opening need not end in `connection_lost`
        finally:
            self._opening -= 1
            self._grant()
        if connection.lost:
            raise ConnectionResetError("closed the connection at once")
        if self.closed:
            connection.close()
            raise OSError("the transport is closed")
        client.begin(connection)

    def _grant(self) -> None:
        """Lets those who wait longest open connections, as far as the limit allows."""
        while self._waiting and not self._full:
            _, turn = self._waiting.popleft()
            if not turn.done():
                self._opening += 1
                turn.set_result(False)

    def queue(self, connection: Connection, pending: Pending) -> None:
        """Requests that follow each other at once are written in a row, at the end of this turn of the event loop.

        Each written where it is made wakes a provider on this machine anew, and leaves our own code for the kernel's in between: that
        was an eighth of the time of a gateway with 64 callers at once.
        """
        before, self._begun = self._begun, time.monotonic()
        if not self._unwritten:
            if self._begun - before > SOON:
                connection.write(pending)
                return
            connection.loop.call_soon(self._write)
        self._unwritten.append((connection, pending))
        if len(self._unwritten) >= IN_A_ROW:
            self._write()

    def _write(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for connection, pending in unwritten:
            connection.write(pending)

    def watch(self, silence: float) -> None:
        """Looks at all connections 16 times in `silence` seconds, or oftener for another's sake, while one is in use."""
        pause = silence / LOOKS
        if self._timer is not None and pause < self._pause:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._pause = pause
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        self._write()  # the loop may look before it writes, and what is unwritten has no silence yet
        now = asyncio.get_running_loop().time()
        limits = [connection.check(now) for connection in list(self._connections)]
        shortest = min([limit for limit in limits if limit is not None], default=None)
        if shortest is not None:
            self.watch(shortest)

    def release(self, connection: Connection) -> None:
        """Takes back a connection that can be used again: for who waits longest, or to be idle."""
        while self._waiting:
            client, turn = self._waiting[0]
            if turn.done():
                self._waiting.popleft()
            elif client.fresh:
                connection.close()  # and its place goes to that client
                return
            else:
                self._waiting.popleft()
                turn.set_result(True)
                client.begin(connection)
                return
        self.idle.append(connection)
        self._on_idle()

    def forget(self, connection: Connection) -> None:
        """The connection is gone; its place is free."""
        if connection in self._connections:
            self._connections.remove(connection)
            if connection in self.idle:
                self.idle.remove(connection)
            self._grant()

    def close_idle(self, before: float) -> None:
        """Closes connections idle since `before`, in seconds of the loop's clock, or longer."""
        for connection in [connection for connection in self.idle if connection.idle_since <= before]:
            connection.close()

    def close(self) -> None:
        """Closes all; who waits gets an `OSError`."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(OSError("the transport is closed"))
        for connection in list(self._connections):
            connection.fail("unavailable", "was closed from our side")
