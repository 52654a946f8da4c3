"""Models behind an API of jobs: a form is submitted, the job is asked for until it is done, and its answer is XML."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Self
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from lynkr_core import Candidate, Context, Dialect, Exchange, Fields, Headers, HTTPConfig, HTTPProvider, Plugin, UpstreamError
from lynkr_core.upstream import Endpoint, HeaderList
from lynkr_provider_jobs.answer import answered, streamed
from lynkr_provider_jobs.call import JobCall
from lynkr_provider_jobs.form import form_of
from lynkr_provider_jobs.xml import Job, failure, read

CANCELLING = 100
"""Jobs that are being cancelled at once, at most; what is beyond runs to its end at the provider."""


class Config(HTTPConfig, forbid_unknown_fields=True, kw_only=True):
    base_url: Annotated[str, Meta(description="Where it listens.")] = "http://127.0.0.1:8000"
    poll: Annotated[float, Meta(gt=0, le=60, description="Seconds between two questions whether a job is done.")] = 0.5


class JobsProvider(HTTPProvider):
    """To lynkr it speaks Chat Completions: `adapt` makes the form of such a request, and `JobCall` such an answer of the XML."""

    paths = {"openai.chat": "/jobs"}

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, context)
        self.poll = config.poll
        self._cancelling: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=5.0)

    def auth(self) -> HeaderList:
        key = self.config.api_key
        return ((b"x-job-token", key.reveal().encode()),) if key else ()

    def endpoint(self, path: str, method: str = "POST") -> Endpoint:
        made = super().endpoint(path, method)
        made.headers = tuple(
            [(name, b"application/x-www-form-urlencoded" if name == b"content-type" else value) for name, value in made.headers]
        )
        return made

    def adapt(self, fields: Fields, candidate: Candidate, dialect: Dialect, losses: list[str]) -> bool:
        """The form, in the place of the request. What it cannot say is told in `x-lynkr-losses`."""
        form = form_of(fields, losses)
        fields.clear()
        fields.update(form)
        return True

    def send(self, exchange: Exchange, candidate: Candidate, dialect: Dialect, body: bytes) -> JobCall:
        form: dict[str, Any] = msgspec.json.decode(body)
        write = streamed if form.pop("stream", False) else answered
        submitted = self._transport.send(self.endpoint("/jobs"), exchange.onward.get(candidate, ()), urlencode(form).encode())
        return JobCall(self, submitted, lambda job: write(job, candidate.model))

    def classify(self, dialect: Dialect, status: int, headers: Headers, body: bytes) -> UpstreamError:
        return failure(status, headers, self.redacted(body.decode("utf-8", "replace")), self.name)

    async def list_models(self) -> Sequence[str]:
        response = await self._transport.send(self.endpoint("/models", "GET"), (), b"").response()
        body = await response.read()
        if response.status != 200:
            raise failure(response.status, response.headers, self.redacted(body.decode("utf-8", "replace")), self.name)
        return [model.get("name", "") for model in read(body).iter("model")]

    def asked_for(self, job: Job) -> Any:
        """The call that asks how a job is getting on."""
        return self._transport.send(self.endpoint(f"/jobs/{quote(job.id, safe='')}", "GET"), (), b"")

    def cancel(self, job: Job) -> None:
        """Nobody waits for this job any more: so that it costs nothing further, it is cancelled, in the background."""
        if len(self._cancelling) < CANCELLING:
            task = asyncio.ensure_future(self._cancel(job))
            self._cancelling.add(task)
            task.add_done_callback(self._cancelling.discard)

    async def _cancel(self, job: Job) -> None:
        try:
            call = self._transport.send(self.endpoint(f"/jobs/{quote(job.id, safe='')}", "DELETE"), (), b"")
            await (await call.response()).read()
        except UpstreamError:
            return  # it may be over already, and nobody is there to be told


plugin = Plugin(api=1, config=Config, create=JobsProvider)
