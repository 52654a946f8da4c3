"""Requests and answers in any installed dialect, and a gateway with the probes in it."""

from contextlib import asynccontextmanager
from functools import cache

import msgspec

from lynkr_core.app import Application
from lynkr_core.assembly import load_dialects
from lynkr_core.candidates import Catalog, Tiers
from lynkr_core.config import parse
from lynkr_core.events import Delta
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, compiled, installed
from lynkr_core.provider import HTTPConfig, HTTPProvider
from lynkr_core.request import Text
from lynkr_core.stores import Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, TEXT, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.saying import saying
from lynkr_core.upstream.http1 import Http1Transport

from .probes import Gate, Probe, Waiting

MODEL = {"chat": "openai.chat", "embeddings": "openai.embeddings", "count_tokens": "anthropic.count_tokens"}
"""For each operation the dialect that requests of all others are made from."""
OTHER = {"chat": "anthropic.messages", "embeddings": "ollama.embeddings", "count_tokens": "gemini.count_tokens"}
"""And another one, so that each front can be translated."""
ONLY_IN_FRONT = {"ollama.generate": {"prompt": "Hello"}}
"""Dialects that no provider is asked in, and what is asked in them."""
CONFIG = """
[server]
allow_anonymous = true
admin_key = "operators-key"
[routing]
retries = 0
"""
ORDER = {"extension.plain": 5, "extension.waiting": 6, "extension.stalls": 7, "extension.fails": 7, "policy.fails": 7}
"""As in `[order]`: before all plugins of the core."""


class Up(HTTPProvider):
    """A provider with one dialect."""

    def __init__(self, name, url, transport, dialect):
        self.paths, self.stream_paths = {dialect: "/asked"}, {dialect: "/asked/stream"}
        config = HTTPConfig(base_url=url, models=["m"], timeout=60.0, connect_timeout=60.0)
        super().__init__(config, factories.context(name, "provider", transport=transport))


@cache
def dialects():
    """Every installed dialect by its name."""
    found = [factories.find_dialect(name) for name in installed("dialect")]
    return {dialect.name: dialect for dialect in found}


def fronts():
    """Every route of the API with its dialect: those of plugins too."""
    return [(path, dialect) for dialect in dialects().values() for path in dialect.routes]


def manners(path, dialect):
    """Whether it is asked for a stream: both, or what the route or the operation says."""
    if "{model}" in path:
        return [path.endswith("streamGenerateContent")]
    return [False, True] if dialect.operation == "chat" else [False]


def spoken_to(dialect):
    """The dialects in which a provider is asked: the caller's own, and another one."""
    if dialect.name in ONLY_IN_FRONT:
        return [MODEL[dialect.operation]]
    other = OTHER[dialect.operation] if dialect.name == MODEL[dialect.operation] else MODEL[dialect.operation]
    return [dialect.name, other]


def request(dialect, stream=False):
    """A small request in the internal model."""
    asked = {"input": "Hello"} if dialect.operation == "embeddings" else {"messages": [{"role": "user", "content": "Hello"}]}
    limit = {"max_tokens": 100} if dialect.operation != "embeddings" else {}
    streamed = {"stream": True} if stream else {}
    return factories.exchange({"model": "chain", **asked, **limit, **streamed}, dialect=MODEL[dialect.operation]).request


def body(dialect, stream=False, model="chain"):
    """The same in this dialect, as bytes."""
    fields = ONLY_IN_FRONT.get(dialect.name) or dialect.encode_request(request(dialect, stream), [])
    named = {dialect.model_key: model} if dialect.model_key else {}
    streamed = {"stream": stream} if named and dialect.operation == "chat" else {}
    fields = {**fields, **named, **streamed}
    return msgspec.json.encode(fields)


@cache
def answer(name):
    """A good answer of this dialect, its stream in two pieces: the content begins in the first and ends in the second."""
    dialect = dialects()[name]
    if dialect.operation == "chat":
        whole = CANNED[name] if name in CANNED else saying(name, Text(text=TEXT))
        return whole.but(events=halves(dialect, whole.events))
    if name in CANNED:
        return CANNED[name]
    model = MODEL[dialect.operation]
    said = dialects()[model].decode_response(CANNED[model].body)
    return Script(body=dialect.encode_response(said, request(dialect)))


def halves(dialect, events):
    decoder = dialect.decoder()
    first = next(place for place, event in enumerate(events, 1) if any(isinstance(e, Delta) for e in decoder.feed(event)))
    return b"".join(events[:first]), b"".join(events[first:])


class Gateway:
    """`client` talks to it, `probes` count what it calls, `provider` is who it asks."""

    def __init__(self, kernel, client, provider, probes):
        self.kernel, self.client, self.provider, self.probes = kernel, client, provider, probes

    def reset(self, script):
        """As if nothing had been asked."""
        self.provider.reset().always(script)
        for probe in self.probes:
            probe.reset()

    async def over(self):
        """Nothing is under way any more: what is counted now is all there will be."""
        await self.kernel.background.settle()
        assert self.kernel.watch._watched == {}


@asynccontextmanager
async def gateway(provider, name, config=CONFIG, probes=None, more=()):
    """Two providers `up1` and `up2` that speak the dialect of this name; the model `chain` has both."""
    probes = probes or (Probe(), Waiting())
    kernel = kernel_of(provider, name, config, probes, more)
    async with Client(Application(kernel)) as client:
        yield Gateway(kernel, client, provider, probes)


def kernel_of(provider, name, config, probes, more=()):
    """The kernel over the real transport, with the probes and the gate in it, and `more` plugins: kind, name, instance."""
    transport = Http1Transport()
    providers = {f"up{n}": Up(f"up{n}", provider.url, transport, name) for n in (1, 2)}
    settings, mistakes = parse(config, {}), []
    plugins = [("extension", "plain", probes[0]), ("extension", "waiting", probes[1]), ("policy", "gate", Gate()), *more]
    loaded = [Loaded(kind=kind, name=own, use=own, instance=instance) for kind, own, instance in plugins]
    hooks = compiled(loaded, ORDER, "lynkr.toml", mistakes)
    known = load_dialects(providers, "lynkr.toml", mistakes) | dialects()
    assert mistakes == []
    catalog = Catalog(providers, Tiers(), models={"chain": ["up1/m", "up2/m"], "alone": ["up1/m"]}, tier_models={}, prices={})
    return Kernel(settings, plugins=loaded, hooks=hooks, dialects=known, catalog=catalog, stores=Stores(), transport=transport)
