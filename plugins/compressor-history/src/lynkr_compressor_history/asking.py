"""A summary by a model: one request to a provider that is enabled, beside the conversation's own, which does not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property

import msgspec
from msgspec import Struct

from lynkr_core.candidates import Tiers
from lynkr_core.dialect import Dialect, Envelope
from lynkr_core.errors import PluginError, UpstreamError
from lynkr_core.exchange import Candidate, Exchange
from lynkr_core.plugins import create, manifest
from lynkr_core.pricing import cost
from lynkr_core.provider import Provider
from lynkr_core.request import Message, Request, Text, Usage

ASK = (
    "Summarise this conversation of a user with an assistant that calls tools, so that the assistant can go on without it. Keep: what the "
    "user wants, every decision and constraint, files, names, ids, numbers and commands exactly, what was tried and how it ended, what is "
    "still to be done. Leave out greetings and repetitions. Answer with the summary only, in the language of the user."
)
MOST_BODY = 1_048_576


class Answer(Struct, frozen=True):
    """What the model wrote, and USD; None where its price is unknown."""

    text: str
    usd: float | None = None


class Model:
    """Raises `PluginError` for a name that is no `provider/model` of an enabled provider."""

    def __init__(self, name: str, providers: Mapping[str, Provider], tiers: Tiers) -> None:
        provider, _, model = name.partition("/")
        if provider not in providers or not model:
            raise PluginError(f"$.model: {name!r} is no provider/model of an enabled provider")
        self._name, self._tiers = name, tiers
        self._plain = Candidate(provider=providers[provider], model=model)
        self.dialect = self.spoken()

    @cached_property
    def candidate(self) -> Candidate:
        """With its price, where it is in a tier; tiers are filled after plugins are made."""
        served = [candidate for tier in self._tiers.names for candidate in self._tiers.candidates(tier)]
        return next((candidate for candidate in served if candidate.id == self._name), self._plain)

    def spoken(self) -> Dialect:
        for name in self._plain.provider.dialects_of(self._plain.model):
            plugin = manifest("dialect", name)
            dialect: Dialect = create(plugin, plugin.config(), None)
            if dialect.operation == "chat":
                return dialect
        raise PluginError(f"$.model: {self._name} cannot be talked to")

    @property
    def is_local(self) -> bool:
        return self._plain.provider.is_local(self._plain.model)

    async def ask(self, conversation: str, most: int, seconds: float) -> Answer:
        """Raises `UpstreamError` or `TimeoutError`."""
        said = Message(role="user", parts=(Text(text=f"{ASK}\n\n<conversation>\n{conversation}\n</conversation>"),))
        request = Request(dialect="", model=self.candidate.model, messages=(said,), max_tokens=most)
        fields = self.dialect.encode_request(request, [])
        if self.dialect.model_key:
            fields[self.dialect.model_key] = self.candidate.model
        self.candidate.provider.adapt(fields, self.candidate, self.dialect, [])
        body = msgspec.json.encode(fields)
        exchange = Exchange(self.dialect, "/", {}, body)
        exchange.envelope = self.envelope(body)
        async with asyncio.timeout(seconds):
            call = self.candidate.provider.send(exchange, self.candidate, self.dialect, body)
            response = await call.response()
            read = await response.read(MOST_BODY)
        if response.status != 200:
            raise UpstreamError("server", f"{self.candidate.id} answered with status {response.status}", status=response.status)
        answer = self.dialect.decode_response(read)
        parts = answer.choices[0].parts if answer.choices else ()
        text = "\n".join([part.text for part in parts if isinstance(part, Text) and not part.refusal]).strip()
        return Answer(text, self.paid(answer.usage))

    def envelope(self, body: bytes) -> Envelope:
        return Envelope(fields=msgspec.json.decode(body, type=dict[str, msgspec.Raw]), model=self.candidate.model)

    def paid(self, usage: Usage | None) -> float | None:
        return cost(usage, self.candidate.price)
