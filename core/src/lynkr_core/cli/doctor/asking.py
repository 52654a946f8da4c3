"""What only asking can tell: whether each provider is reached, takes its key, has the models that are named, and agrees on the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from statistics import median
from urllib.parse import urlsplit

from msgspec import Struct

from lynkr_core.cli.doctor.finding import Finding, broken, good, warning
from lynkr_core.cli.doctor.models import named
from lynkr_core.config import suggestion
from lynkr_core.dialect import Headers
from lynkr_core.errors import InvalidRequest, Kind, UpstreamError
from lynkr_core.kernel import Kernel
from lynkr_core.models import ASK_SECONDS
from lynkr_core.provider import HTTPProvider, Provider
from lynkr_core.upstream import Call, Endpoint, HeaderList, Transport, UpstreamResponse

MAX_SKEW = 60.0
"""Seconds; signatures of requests and of tokens are refused when clocks differ by a few minutes, and a date has whole seconds."""
REASONS: Mapping[Kind, tuple[str, str]] = {
    "auth": ("refused the key", "see that {keys} holds a key of this provider that is still valid and may do this"),
    "unavailable": (
        "cannot be reached",
        "see that base_url is right, and that name resolution, firewall and proxy let it through",
    ),
    "timeout": ("does not answer", "see that base_url is right and the provider is up"),
    "not_found": ("has no such list of models", "see that base_url is right, with its version, such as /v1"),
    "rate_limited": ("says there were too many requests", "wait, and ask again"),
    "quota": ("says the quota is used up", "see to the account's balance or limits"),
    "invalid": ("answered what is no list of models", "see that base_url is right and no proxy answers in its place"),
}
OTHER = ("has a fault of its own", "ask again later; see the provider's status page")
MILD: frozenset[Kind] = frozenset({"rate_limited", "not_found"})
"""The provider is there and may serve all the same."""
LATEST = ":latest"
"""The tag that local servers put behind names without one."""


class Heard(Struct, frozen=True, kw_only=True):
    """The head of one answer. `seconds` until it was there; `skew`: by how many this machine's clock is ahead, if it has a date."""

    status: int
    seconds: float
    skew: float | None


current: ContextVar[list[Heard] | None] = ContextVar("current", default=None)
"""Where the answers to whoever is asking are noted."""


class Witness:
    """A transport that notes what providers answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, endpoint: Endpoint, headers: HeaderList, body: bytes) -> Call:
        return WitnessedCall(self._transport.send(endpoint, headers, body), current.get())

    async def aclose(self) -> None:
        await self._transport.aclose()


class WitnessedCall:
    def __init__(self, call: Call, heard: list[Heard] | None) -> None:
        self._call = call
        self._heard = heard
        self._began = time.monotonic()

    async def response(self) -> UpstreamResponse:
        response = await self._call.response()
        if self._heard is not None:
            seconds = time.monotonic() - self._began
            self._heard.append(Heard(status=response.status, seconds=seconds, skew=skew(response.headers, time.time())))
        return response

    def abort(self) -> None:
        self._call.abort()


def skew(headers: Headers, now: float) -> float | None:
    """Seconds that `now` is ahead of the answer's date; None without one. A cache says how old its answer is."""
    try:
        date = parsedate_to_datetime(headers[b"date"].decode("latin-1")).timestamp()
        return now - date - float(headers.get(b"age", b"0"))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


class Asked(Struct, kw_only=True):
    """What became of asking one provider."""

    provider: Provider
    heard: list[Heard]
    models: Sequence[str] | None = None
    error: Exception | None = None


async def check(kernel: Kernel, variables: Mapping[str, Sequence[str]]) -> list[Finding]:
    """All providers at once, each at most `ASK_SECONDS`. `variables`: those of each provider's keys."""
    asked = await asyncio.gather(*[ask(provider) for provider in kernel.catalog.providers.values()])
    findings = [one for answer in asked for one in told(answer, kernel, variables.get(answer.provider.name, ()))]
    return [*findings, *clock(asked)]


async def ask(provider: Provider) -> Asked:
    """Its list of models; what has none of its own is only knocked at."""
    asked = Asked(provider=provider, heard=[])
    token = current.set(asked.heard)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            asked.models = await provider.list_models()
            if not asked.heard and isinstance(provider, HTTPProvider):
                await knock(provider)
                asked.models = None
    except TimeoutError:
        asked.error = UpstreamError("timeout", f"no answer within {ASK_SECONDS:g} s")
    except Exception as error:
        asked.error = error
    finally:
        current.reset(token)
    return asked


async def knock(provider: HTTPProvider) -> None:
    """Whatever it answers, it is there."""
    try:
        call = provider.raw("GET", "/", (), b"")
    except InvalidRequest:
        return
    response = await call.response()
    response.abort()


def told(asked: Asked, kernel: Kernel, variables: Sequence[str]) -> list[Finding]:
    where = f"provider.{asked.provider.name}"
    if asked.error is not None:
        return [failure(asked, where, asked.error, variables)]
    if not asked.heard:
        return [good(where, "has nothing to ask over the network")]
    head = f"{host(asked.provider)} answers in {asked.heard[-1].seconds * 1000:.0f} ms"
    if asked.models is None:
        return [good(where, f"{head}; it lists no models, so only a request shows whether the key is good")]
    fine = good(where, f"{head}, does not refuse the key and lists {len(asked.models)} models")
    return [fine, *unlisted(asked.provider, asked.models, kernel)]


def failure(asked: Asked, where: str, error: Exception, variables: Sequence[str]) -> Finding:
    """In words, with what to do next."""
    if not isinstance(error, UpstreamError):
        return broken(where, f"asking for its models failed: {type(error).__name__}: {error}", "tell whoever made the plugin")
    what, do = REASONS.get(error.kind, OTHER)
    status = error.status or (asked.heard[-1].status if asked.heard else None)
    told = "" if status is None or str(status) in error.message else f" (status {status})"
    words = error.message if status is None else f"{host(asked.provider)} {what}{told}: {error.message}"
    make = warning if error.kind in MILD else broken
    return make(where, words, do.format(keys=", ".join(variables) or "api_key"))


def unlisted(provider: Provider, listed: Sequence[str], kernel: Kernel) -> list[Finding]:
    """The models that the file names and the provider does not."""
    known = set(listed)
    models = [candidate.model for candidate in named(kernel) if candidate.provider is provider]
    missing = [model for model in models if not known.intersection((model, model + LATEST))]
    return [
        warning(
            f"{provider.name}/{model}",
            f"is not among the {len(listed)} models that the provider lists{suggestion(model, listed)}",
            "see that the name is right and the account may use it; names that are only another one's alias are often not listed",
        )
        for model in missing
    ]


def clock(asked: Sequence[Asked]) -> list[Finding]:
    """This machine's clock against those of all who told their time; one who is wrong alone is named."""
    skews: dict[str, float] = {}
    for one in asked:
        if one.heard and (found := one.heard[-1].skew) is not None:
            skews[one.provider.name] = found
    if not skews:
        return []
    common = median(skews.values())
    if abs(common) > MAX_SKEW:
        told = f"this machine is {abs(common):.0f} s {'ahead of' if common > 0 else 'behind'} what providers say the time is"
        return [
            warning(
                "clock", f"{told}: signed requests and tokens will be refused", "set the clock; let NTP keep it (timedatectl)"
            )
        ]
    alone = [name for name, value in skews.items() if abs(value) > MAX_SKEW]
    agreed = good("clock", f"agrees with {len(skews) - len(alone)} of {len(skews)} providers to within {MAX_SKEW:g} s")
    do = "look whether a proxy or cache in between answers in its place"
    return [agreed, *[warning(f"provider.{name}", f"its clock differs by {abs(skews[name]):.0f} s", do) for name in alone]]


def host(provider: Provider) -> str:
    """Whom one asks: a host and its port, never what else stands in the URL."""
    if not isinstance(provider, HTTPProvider):
        return provider.name
    return urlsplit(provider.config.base_url).netloc.rpartition("@")[2] or provider.name
