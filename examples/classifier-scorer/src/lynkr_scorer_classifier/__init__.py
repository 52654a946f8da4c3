"""Asks a classifier over HTTP how demanding a request is, and never lets a request wait long for it."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct

from lynkr_core import Context, Exchange, Key, Plugin, PluginError, Score, Secret, UpstreamError
from lynkr_core.provider import is_private
from lynkr_core.routes import Route
from lynkr_core.upstream import Endpoint, Timeouts

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

ANSWER = 16 * 1024
"""Bytes of an answer that are read at most."""
PATIENCE = 3
"""Failures in a row after which nobody is asked for a while."""
Points = Annotated[float, Meta(ge=0, le=100)]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    url: Annotated[str, Meta(description='Where `{"text": …}` is posted, and `{"label": …}` answered.')]
    api_key: Annotated[Secret | None, Meta(description="Sent as a bearer token.")] = None
    labels: Annotated[dict[str, Points], Meta(min_length=1, description="The score of each label, 0 to 100.")]
    deadline: Annotated[float, Meta(gt=0, le=4, description="Seconds for which a request waits for the label.")] = 0.3
    rest: Annotated[float, Meta(ge=0, description="Seconds for which nobody is asked after three failures in a row.")] = 10.0
    remember: Annotated[int, Meta(gt=0, description="Labels that are remembered; those used longest ago go first.")] = 10_000
    longest: Annotated[int, Meta(gt=0, description="Characters of a text that are sent, its last ones.")] = 4000


class Labelled(Struct):
    """What the classifier answers."""

    label: str


decode = msgspec.json.Decoder(Labelled).decode


class ClassifierScorer:
    """Asks in `pre_route`, which may wait, and scores by what it got there: `score` itself must not call anybody.

    Whatever goes wrong, the request goes on without a score of this scorer's.
    """

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a URL that is none."""
        self.config = config
        self.transport = context.transport
        self.local = is_private(config.url)
        self.found: Key[Score] = Key(f"scorer.{context.name}.found")
        self.known: OrderedDict[bytes, Score] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self.failures = 0
        self.resting_until = 0.0
        self.kernel: Kernel | None = None
        headers = [(b"content-type", b"application/json")]
        if config.api_key:
            headers.append((b"authorization", b"Bearer " + config.api_key.reveal().encode()))
        try:
            self.endpoint = Endpoint(
                config.url, tuple(headers), timeouts=Timeouts(connect=config.deadline, silence=config.deadline)
            )
        except ValueError as error:
            raise PluginError(f"$.url: {error}") from None

    def register_routes(self, kernel: "Kernel") -> Sequence[Route]:
        """No routes; but this is where a plugin meets the kernel, whose catalogue knows what a name stands for."""
        self.kernel = kernel
        return ()

    async def pre_route(self, exchange: Exchange) -> None:
        if not self.is_of_use(exchange):
            return
        text = asked(exchange)[-self.config.longest :]
        key = blake2b(f"{exchange.principal.id}\0{text}".encode("utf-8", "replace"), digest_size=16).digest()
        score = self.known.get(key)
        if score is None and text.strip() and time.monotonic() >= self.resting_until:
            score = await self.classified(text)
            if score is not None:
                self.known[key] = score
                if len(self.known) > self.config.remember:
                    self.known.popitem(last=False)
        if score is not None and key in self.known:
            self.known.move_to_end(key)
            exchange.set(self.found, score)

    def score(self, exchange: Exchange) -> Score | None:
        return exchange.get(self.found)

    def is_of_use(self, exchange: Exchange) -> bool:
        """Whether a score decides where this request goes, and its text may leave the house."""
        if exchange.operation != "chat" or (exchange.local_only and not self.local):
            return False
        target = self.kernel.catalog.resolve(exchange.instead or exchange.asked) if self.kernel else None
        return target is not None and target.route == "auto"

    async def classified(self, text: str) -> Score | None:
        """The score of a text's label; None when none came in time."""
        call = self.transport.send(self.endpoint, (), msgspec.json.encode({"text": text}))
        try:
            async with asyncio.timeout(self.config.deadline):
                response = await call.response()
                body = await response.read(ANSWER)
            if response.status != 200:
                return self.failed(f"status {response.status}")
            label = decode(body).label
        except TimeoutError:
            return self.failed("late")
        except UpstreamError as error:
            return self.failed(error.kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self.failed("garbage")
        finally:
            call.abort()  # does nothing to an answer that was read to its end
        if label not in self.config.labels:
            return self.failed("unknown label")
        self.failures = 0
        self.counts["asked"] += 1
        return Score(value=self.config.labels[label], reason=f"the classifier says {label!r}")

    def failed(self, why: str) -> None:
        self.counts[why] += 1
        self.failures += 1
        if self.failures >= PATIENCE:
            self.failures = 0
            self.resting_until = time.monotonic() + self.config.rest

    def status(self) -> dict[str, int]:
        return {**self.counts, "remembered": len(self.known)}


def asked(exchange: Exchange) -> str:
    """What a user said last."""
    said = [message.text for message in exchange.request.messages if message.role == "user"]
    return said[-1] if said else ""


plugin = Plugin(api=1, config=Config, create=ClassifierScorer)
