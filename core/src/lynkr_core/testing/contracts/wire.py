"""One call to a provider, made as the kernel makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from lynkr_core.dialect import Dialect, Fields
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Event, Failure
from lynkr_core.exchange import Candidate
from lynkr_core.provider import Provider
from lynkr_core.testing import factories
from lynkr_core.upstream import Call, UpstreamResponse

FRONTS = {"chat": "openai.chat", "embeddings": "openai.embeddings"}
"""By operation, the dialect of a caller for providers whose own dialect is no caller's."""


class Wire(Struct, frozen=True, eq=False):
    """A provider, one of its dialects and a model."""

    provider: Provider
    dialect: Dialect
    model: str

    def call(self, body: Mapping[str, Any]) -> Call:
        """Sends the body of a caller who speaks the provider's dialect; OpenAI's when callers cannot."""
        front = self.dialect if self.dialect.routes else factories.find_dialect(FRONTS[self.dialect.operation])
        exchange = factories.exchange(body, dialect=front)
        candidate = Candidate(provider=self.provider, model=self.model)
        exchange.candidates, exchange.chosen = (candidate,), candidate
        fields = cast("Fields", dict(exchange.envelope.fields))
        if front is not self.dialect:
            fields = self.dialect.encode_request(exchange.request, [])
        if self.dialect.model_key in fields:
            fields[self.dialect.model_key] = self.model
        self.dialect.prepare(fields, exchange.envelope, True)
        self.provider.adapt(fields, candidate, self.dialect, [])
        return self.provider.send(exchange, candidate, self.dialect, msgspec.json.encode(fields))

    async def answer(self, body: Mapping[str, Any]) -> UpstreamResponse:
        """Raises `UpstreamError` for an answer that is an error."""
        response = await self.call(body).response()
        if response.status != 200:
            raise self.provider.classify(self.dialect, response.status, response.headers, await response.read())
        return response

    async def events(self, body: Mapping[str, Any]) -> list[Event]:
        """The whole stream, decoded; a transport's error becomes the last event."""
        response = await self.answer(body)
        decoder = self.dialect.decoder()
        found: list[Event] = []
        try:
            while piece := await response.next():
                found += decoder.feed(piece)
        except UpstreamError as error:
            return [*found, Failure(error)]
        return [*found, *decoder.close()]
