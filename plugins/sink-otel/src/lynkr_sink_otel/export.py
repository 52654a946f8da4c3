"""Sends batches to a collector, off the way of requests. When it is down, telemetry is lost and nothing else."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from lynkr_core.upstream import Endpoint, HeaderList, Timeouts, Transport

log = logging.getLogger("lynkr.otel")
BATCH = 512
"""Spans of one request to the collector."""
RETRIED = frozenset({429, 502, 503, 504})
"""As the specification of OTLP/HTTP has it; other refusals last."""
TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
FLUSH_SECONDS = 3.0
"""How long an end may take to send what is left."""
QUIET_SECONDS = 60.0
"""Between two complaints."""
TIMEOUTS = Timeouts(connect=3.0, silence=10.0)


class Refused(Exception):
    """The collector does not want it, or cannot be reached. `lasting`: it is of no use to try again."""

    def __init__(self, why: str, lasting: bool) -> None:
        super().__init__(why)
        self.lasting = lasting


class Exporter:
    """`sent` and `lost` count items. Beyond `limit` waiting ones, new ones are lost."""

    def __init__(
        self, url: str, headers: HeaderList, transport: Transport, *, limit: int, every: float,
        pack: Callable[[Sequence[bytes]], bytes],
    ) -> None:  # fmt: skip
        """Raises `ValueError` for a URL or header that is none."""
        fixed = ((b"content-type", b"application/x-protobuf"), (b"content-encoding", b"gzip"), *headers)
        self._endpoint = Endpoint(url, fixed, timeouts=TIMEOUTS)
        self._transport = transport
        self._limit = limit
        self._every = every
        self._pack = pack
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._complained = -QUIET_SECONDS
        self.sent = self.lost = 0

    def put(self, item: bytes) -> None:
        if len(self._waiting) >= self._limit:
            self.lost += 1
            return
        self._waiting.append(item)
        if len(self._waiting) == BATCH:
            self._wake.set()

    async def run(self) -> None:
        """Every so many seconds, or when a batch is full."""
        while True:
            try:
                async with asyncio.timeout(self._every):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            while self._waiting:
                await self._send(self._taken(), TRIES)

    async def flush(self) -> None:
        """Once, with what is left, or what there is time for."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                while self._waiting:
                    await self._send(self._taken(), 1)
        except TimeoutError:
            self.lost += len(self._waiting)

    def _taken(self) -> list[bytes]:
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    async def _send(self, items: Sequence[bytes], tries: int) -> None:
        pause = FIRST_PAUSE
        body = await asyncio.to_thread(gzip.compress, self._pack(items), 1)
        for left in range(tries - 1, -1, -1):
            try:
                await self._post(body)
                self.sent += len(items)
                return
            except Refused as refused:
                self._complain(refused)
                if refused.lasting or not left:
                    break
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self.lost += len(items)

    async def _post(self, body: bytes) -> None:
        """Raises `Refused`."""
        try:
            async with asyncio.timeout(TIMEOUTS.connect + TIMEOUTS.silence):
                response = await self._transport.send(self._endpoint, (), body).response()
                await response.read(64 * 1024)
        except Exception as error:  # whatever it is, it must not end the sending
            raise Refused(f"{type(error).__name__}: {error}", False) from None
        if response.status >= 300:
            raise Refused(f"status {response.status}", response.status not in RETRIED)

    def _complain(self, refused: Refused) -> None:
        now = time.monotonic()
        if now - self._complained >= QUIET_SECONDS:
            self._complained = now
            log.warning("%r did not take telemetry: %s; %d are lost so far", self._endpoint, refused, self.lost)
