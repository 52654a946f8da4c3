"""Posts what was served to a webhook, signed, in batches; what cannot be delivered waits in a file."""

import asyncio
import hmac
import logging
import time
from collections import Counter, deque
from pathlib import Path
from typing import Annotated, Self

from msgspec import Meta, Struct

from lynkr_core import Context, Exchange, Outcome, Plugin, PluginError, Secret, UpstreamError
from lynkr_core.upstream import Endpoint, Timeouts
from lynkr_sink_webhook.record import record_of
from lynkr_sink_webhook.spill import Spill

log = logging.getLogger("lynkr_sink_webhook")
LONGEST_PAUSE = 60.0
IDLE = 30.0
"""Seconds after which an idle sink looks whether another process has left something behind."""
ANSWER = 64 * 1024
"""Bytes of an answer that are read at most."""
Seconds = Annotated[float, Meta(gt=0, le=600)]
Count = Annotated[int, Meta(gt=0)]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(description="Where records are posted, as a JSON list.")]
    secret: Annotated[Secret, Meta(description="What each post is signed with.")]
    spill: Annotated[str, Meta(description="The file in which records wait while the hook is down.")] = "webhook.spill"
    max_spill: Annotated[Count, Meta(description="Bytes of that file; what comes beyond is lost, and counted.")] = (
        64 * 1024 * 1024
    )
    batch: Annotated[Count, Meta(description="Records to a post, at most.")] = 100
    memory: Annotated[Count, Meta(description="Records that wait in memory; more wait in the file.")] = 1000
    timeout: Annotated[Seconds, Meta(description="Seconds that a post may take.")] = 10.0
    pause: Annotated[Seconds, Meta(description="Seconds before a failed post is tried again; twice as long after each.")] = 0.5
    drain: Annotated[
        Seconds, Meta(description="Seconds to deliver what waits when lynkr stops; the rest goes into the file.")
    ] = 5.0


class WebhookSink:
    """Each record is delivered at least once: out of the file, which outlives the process, before those that wait in memory."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a URL that is none, or a secret that is empty."""
        self.config = config
        self.transport = context.transport
        self.waiting: deque[bytes] = deque()
        self.spill = Spill(Path(config.spill), config.max_spill)
        self.counts: Counter[str] = Counter()
        self.failing = False
        self.came = asyncio.Event()
        self.stopping = asyncio.Event()
        if not config.secret:
            raise PluginError("$.secret: must not be empty")
        try:
            timeouts = Timeouts(connect=config.timeout, silence=config.timeout)
            self.endpoint = Endpoint(config.url, ((b"content-type", b"application/json"),), timeouts=timeouts)
        except ValueError as error:
            raise PluginError(f"$.url: {error}") from None

    async def __aenter__(self) -> Self:
        """Raises `PluginError` when no file can be had."""
        try:
            self.spill.open()
        except OSError as error:
            raise PluginError(f"$.spill: {error}") from None
        self.delivering = asyncio.create_task(self.deliver())
        return self

    async def __aexit__(self, *error: object) -> None:
        self.stopping.set()
        self.came.set()
        await asyncio.wait([self.delivering], timeout=self.config.drain)
        self.delivering.cancel()
        await asyncio.wait([self.delivering])
        self.put_by()
        self.spill.close()

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        """Takes a record without waiting. While the hook is down it goes into the file, so that not even a crash loses it."""
        record = record_of(exchange, outcome)
        if self.failing or len(self.waiting) >= self.config.memory:
            self.keep(record)
        else:
            self.waiting.append(record)
        self.came.set()

    def keep(self, record: bytes) -> None:
        if not self.spill.append(record):
            if not self.counts["lost"]:
                log.error("%s: is full, or cannot be written; records are lost from now on", self.spill.path)
            self.counts["lost"] += 1

    def put_by(self) -> None:
        """What waits in memory goes into the file."""
        while self.waiting:
            self.keep(self.waiting.popleft())

    async def deliver(self) -> None:
        """Until lynkr stops. A disk that fails is told, and tried again after a while."""
        while True:
            try:
                return await self.rounds()
            except OSError as error:
                log.error("%s: %s", self.spill.path, error)
                await within(self.stopping, LONGEST_PAUSE)
                if self.stopping.is_set():
                    return

    async def rounds(self) -> None:
        """Until lynkr stops and nothing is left, or the hook is down."""
        pause = self.config.pause
        while True:
            from_file = self.spill.batch(self.config.batch)
            batch = from_file or [self.waiting[place] for place in range(min(len(self.waiting), self.config.batch))]
            if not batch:
                if self.stopping.is_set():
                    return
                await self.idle()
                continue
            wait = await self.posted(batch)
            if wait is None:
                self.delivered(len(batch), bool(from_file))
                self.failing, pause = False, self.config.pause
                continue
            self.failing = True
            self.put_by()
            if self.stopping.is_set():
                return
            await within(self.stopping, min(max(wait, pause), LONGEST_PAUSE))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def idle(self) -> None:
        self.came.clear()
        self.spill.adopt()
        if not self.spill.pending:
            await within(self.came, IDLE)

    def delivered(self, count: int, from_file: bool) -> None:
        if from_file:
            self.spill.done()
        else:
            for _ in range(count):
                self.waiting.popleft()
        self.counts["delivered"] += count

    async def posted(self, batch: list[bytes]) -> float | None:
        """None when the hook took it; else for how many seconds it wants to be left alone, as far as it says so."""
        body = b"[" + b",".join(batch) + b"]"
        call = self.transport.send(self.endpoint, ((b"x-lynkr-signature", self.signature(body)),), body)
        try:
            async with asyncio.timeout(self.config.timeout):
                response = await call.response()
                await response.read(ANSWER)
        except TimeoutError:
            return self.failed("late")
        except UpstreamError as error:
            return self.failed(error.kind)
        finally:
            call.abort()  # does nothing to an answer that was read to its end
        if 200 <= response.status < 300:
            return None
        told = response.headers.get(b"retry-after", b"")
        self.failed(f"status {response.status}")
        return float(told) if told.isdigit() and len(told) < 6 else 0.0

    def failed(self, why: str) -> float:
        self.counts[why] += 1
        return 0.0

    def signature(self, body: bytes) -> bytes:
        """`t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`, so that an old post cannot be sent again by somebody else."""
        now = b"%d" % time.time()
        digest = hmac.digest(self.config.secret.reveal().encode(), now + b"." + body, "sha256")
        return b"t=" + now + b",v1=" + digest.hex().encode()

    def status(self) -> dict[str, int]:
        return {**self.counts, "waiting": len(self.waiting), "spilled_bytes": self.spill.pending}


async def within(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, or so many seconds are over."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


plugin = Plugin(api=1, config=Config, create=WebhookSink)
