"""One call of the kernel's: submitted, asked for until it is done, and its answer."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lynkr_core import Headers, UpstreamError
from lynkr_core.upstream import Call, UpstreamResponse
from lynkr_provider_jobs.answer import Written
from lynkr_provider_jobs.xml import Job, failed, read_job

if TYPE_CHECKING:
    from lynkr_provider_jobs import JobsProvider

LARGEST = 16 * 1024 * 1024
"""Bytes of XML that are read at most."""


class Ready(UpstreamResponse):
    """An answer whose body is all there."""

    def __init__(self, status: int, headers: Headers, pieces: Sequence[bytes]) -> None:
        self.status, self.headers = status, headers
        self._pieces = list(pieces)

    async def read(self, limit: int = LARGEST) -> bytes:
        body, self._pieces = b"".join(self._pieces), []
        return body

    async def next(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def abort(self) -> None:
        self._pieces.clear()


class JobCall:
    """`abort` may come at any time: while the form is sent, between two questions, or in the middle of one."""

    def __init__(self, provider: "JobsProvider", submitted: Call, write: Callable[[Job], Written]) -> None:
        self._provider = provider
        self._under_way = submitted
        self._write = write
        self._job: Job | None = None
        self._aborted = asyncio.Event()

    async def response(self) -> UpstreamResponse:
        """Raises `UpstreamError`, also for a job that failed: that was reported in an answer with status 200."""
        while self._job is None or self._job.state == "waiting":
            if self._job is not None:
                await self._pause()
                self._under_way = self._provider.asked_for(self._job)
            response = await self._under_way.response()
            body = await response.read(LARGEST)
            if response.status >= 400:
                return Ready(response.status, response.headers, [body])
            job = read_job(body)
            self._job = job if self._job is None else job._replace(id=self._job.id)
            self._check()
        job, self._job = self._job, None  # it is over: there is nothing left to cancel
        if job.state == "failed":
            raise failed(job, self._provider.name)
        headers, pieces = self._write(job)
        return Ready(200, headers, pieces)

    def abort(self) -> None:
        self._under_way.abort()
        if not self._aborted.is_set() and self._job is not None:
            self._provider.cancel(self._job)
        self._aborted.set()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._aborted.wait(), self._provider.poll)
        except TimeoutError:
            return
        self._check()

    def _check(self) -> None:
        if self._aborted.is_set():
            raise UpstreamError("cut", "the call was aborted")
