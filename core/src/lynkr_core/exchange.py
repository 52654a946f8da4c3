"""What flows: one request and everything that happens to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import msgspec
from msgspec import Struct, field, structs

from lynkr_core.cards import ModelCard, Price
from lynkr_core.dialect import Dialect, Envelope, Headers
from lynkr_core.errors import ClientGone, GatewayError
from lynkr_core.events import Event, Examiner
from lynkr_core.request import Request, Response, Usage
from lynkr_core.waiting import Abortable, Pause
from lynkr_core.waiting import Attempt as Attempt  # plugins import it from here

if TYPE_CHECKING:
    from lynkr_core.inner import Inner
    from lynkr_core.provider import Provider
    from lynkr_core.remarks import Saving
    from lynkr_core.upstream import HeaderList

T = TypeVar("T")
Status = Literal["ok", "error", "refused", "cut", "cancelled"]
Route = Literal["auto", "tier", "alias", "exact"]
Cached = Literal["hit", "semantic", "miss", "off"]


class Key(Generic[T]):
    """A typed slot for data between plugins: `STARTED: Key[float] = Key("my-plugin.started")`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Principal(Struct, frozen=True, kw_only=True, cache_hash=True):
    """Who is calling, and what it may.

    `key`: the name of the key that was shown, never the key. `models`, `tiers`: patterns of the only candidates (`provider/model`, `*`
    for anything) and tiers that may serve it; empty for any. `local_only`: nothing of it may leave the operator's own machines.
    """

    id: str = "anonymous"
    key: str | None = None
    user: str | None = None
    team: str | None = None
    agent: str | None = None
    principal_class: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    local_only: bool = False


ANONYMOUS = Principal()


class Candidate(Struct, frozen=True, kw_only=True, eq=False):
    """A provider and one of its models that could serve. Windows are in tokens; None is unknown. `card`: what a catalogue has of it."""

    provider: Provider
    model: str
    price: Price | None = None
    context_window: int | None = None
    max_output: int | None = None
    card: ModelCard | None = None
    id: str = ""  # `provider/model`, which it sets itself

    def __post_init__(self) -> None:
        structs.force_setattr(self, "id", f"{self.provider.name}/{self.model}")


class Score(Struct, frozen=True, kw_only=True):
    """How demanding a request is, 0 (trivial) to 100 (hardest), and why.

    `candidate`: the score speaks of this candidate only. `signals`: what was measured, by name. `points`: what each of them, or
    anything else, added to the value. `gates`: rules that decided at once.
    `weight`: how much it counts beside other scorers. `ask`: the text that was scored. `plugin` is filled in by the kernel.
    """

    value: float
    reason: str = ""
    signals: dict[str, float] = {}
    points: dict[str, float] = {}
    gates: tuple[str, ...] = ()
    ask: str | None = None
    candidate: str | None = None
    weight: float = 1.0
    plugin: str = ""


class Removal(Struct, frozen=True):
    """A candidate that was taken out, by whom and why."""

    candidate: str
    reason: str
    plugin: str = ""


class Selection(Struct, frozen=True, kw_only=True, gc=False):
    """The try order. `reason` in a few words; `removed`: what was taken out and why.

    `peers`: so many at the front are as good as each other, and selectors after this one may order them; without peers the order stands.
    `notes`: said to the caller as `x-lynkr-NAME` and written in the journal; names in lower case.
    """

    order: tuple[Candidate, ...]
    reason: str = ""
    tier: str | None = None
    removed: tuple[Removal, ...] = ()
    peers: int = 0
    notes: Mapping[str, str] = {}


class Reply(Struct, frozen=True, kw_only=True):
    """An answer given without a provider: the body in the caller's dialect, or any route's answer."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    reason: str = ""
    cache: Cached = "off"


class Reject(Struct, frozen=True):
    """A refusal. From `reserve` it moves on to the next candidate; elsewhere it ends the exchange."""

    error: GatewayError


class Reservation(Struct, frozen=True, kw_only=True, eq=False):
    """Something set aside for one attempt by one plugin; `data` is the plugin's own. Settled exactly once."""

    data: Any = None
    plugin: str = ""


class Verdict(Struct, frozen=True):
    """What to do after a failed attempt; `delay` in seconds before a retry."""

    action: Literal["retry", "next", "fail"]
    delay: float = 0.0


class Outcome(Struct, frozen=True, kw_only=True, eq=False):
    """How an exchange, or one attempt of it, ended. Times in seconds; `cost` in USD, None when the price is unknown.

    `resumed`: how often a cut stream was continued by another attempt.
    """

    status: Status
    http_status: int
    candidate: Candidate | None = None
    usage: Usage | None = None
    cost: float | None = None
    error: str | None = None
    duration: float = 0.0
    first_token: float | None = None
    attempts: Sequence[Attempt] = ()
    resumed: int = 0


def new_id() -> str:
    """Sorts by time: 11 hex digits of milliseconds, then 12 random ones."""
    return "req_" + (time.time_ns() // 1_000_000 << 48 | getrandbits(48)).to_bytes(12, "big").hex()[1:]


class Exchange(Struct, eq=False, weakref=True):
    """One request and all that happens to it. Plugins read it, and keep their own data in typed slots (`get`, `set`).

    `created` is in seconds since 1970, `started` on the monotonic clock.
    """

    dialect: Dialect
    path: str
    headers: Headers
    body: bytes = b""
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)
    attempts: list[Attempt] = []
    query: bytes = b""
    client: tuple[str, int] | None = None  # the other end of the connection: the caller, or what stands before lynkr
    config: str = ""
    envelope: Envelope = cast("Envelope", None)
    principal: Principal = ANONYMOUS
    route: Route = "auto"
    tier: str | None = None
    local_only: str = ""
    """Why only models on machines of the operator's own may serve this; for `pre_route`. Empty: any may."""
    instead: str = ""
    """A name that is resolved in the place of the one asked for; for `pre_route`, and for a `reserve` that refuses: see `failover.py`."""
    candidates: tuple[Candidate, ...] = ()
    removed: tuple[Removal, ...] = ()
    scores: tuple[Score, ...] = ()
    score: float | None = None
    selection: Selection | None = None
    selected_by: str = ""
    chosen: Candidate | None = None
    changes: tuple[str, ...] = ()  # what a `pre_route` has changed of the request, as `field: why`: among each attempt's losses
    losses: Sequence[str] = ()
    saved_tokens: int = 0
    savings: tuple[Saving, ...] = ()
    queued: float = 0.0  # seconds in queues of lynkr's
    cache: Cached = "off"  # `miss`: a cache has looked for an answer and found none
    reply: Reply | None = None
    dry_run: bool = False
    gone: bool = False
    until: float = math.inf  # when the caller gives up, on the monotonic clock: `x-lynkr-deadline-ms`
    waiting: Abortable | None = None  # what is waited for beside upstreams; aborted when the caller leaves
    resumed: int = 0  # how often a cut stream was continued by another attempt
    observers: tuple[Callable[[Event | Response], None], ...] = ()
    """Called with the whole answer, or each event of a stream, of this exchange; must neither raise nor wait. See `observe`."""
    taps: tuple[Callable[[bytes], None], ...] = ()
    examine: Callable[[Candidate], Examiner | None] | None = None  # who sees an attempt's answer first; set before attempts
    onward: Mapping[Candidate, HeaderList] = {}  # headers that a `reserve` adds to a call: which trace it belongs to
    inner: Inner | None = None  # lynkr's own tools that were offered
    closed: bool = False  # none can be: what wraps a stream must see one stream from beginning to end
    skipped: tuple[str, ...] = ()  # plugins that failed or were off, with the hook and why: what was decided without them
    parsed: Request | None = None  # `request`, once it was read; a stream that flows lets it go
    _slots: dict[Key[Any], Any] | None = None
    __repr__ = object.__repr__  # never what is in it

    @property
    def target(self) -> str:
        """The path with its query."""
        return f"{self.path}?{self.query.decode('latin-1')}" if self.query else self.path

    @property
    def operation(self) -> str:
        return self.dialect.operation

    @property
    def request(self) -> Request:
        """The request in the internal model, built when first read. Raises `InvalidRequest`."""
        if self.parsed is None:
            self.parsed = self.dialect.decode_request(self.envelope)
        return self.parsed

    @property
    def asked(self) -> str:
        """The name that is asked for: a tier by header, else the body's model."""
        tier = self.headers.get(b"x-lynkr-tier")
        return tier.decode("latin-1") if tier else self.envelope.model

    def header(self, name: bytes, default: str = "") -> str:
        """A request header as text."""
        value = self.headers.get(name)
        return default if value is None else value.decode("latin-1")

    def get(self, key: Key[T], default: T | None = None) -> T | None:
        return default if self._slots is None else self._slots.get(key, default)

    def set(self, key: Key[T], value: T) -> None:
        if self._slots is None:
            self._slots = {}
        self._slots[key] = value

    def observe(self, callback: Callable[[Event | Response], None]) -> None:
        """For a plugin that wants to see the answer of this exchange and of no other: to be called before the attempts."""
        self.observers = (*self.observers, callback)

    def tap(self, callback: Callable[[bytes], None]) -> None:
        """As `observe`, for the bytes that the caller is sent: the body, or each piece of a stream, wherever it is cut."""
        self.taps = (*self.taps, callback)

    def rewrite(self, fields: Mapping[str, Any]) -> None:
        """Puts another body, by its top-level keys, in the place of the caller's; for `pre_route`. Raises `InvalidRequest`."""
        self.body = msgspec.json.encode(fields)
        self.envelope = self.dialect.peek(self.body, self.path)
        self.parsed = None

    def abort(self) -> None:
        """The caller has left: what is waited for, and every upstream call, is ended at once."""
        self.gone = True
        for attempt in self.attempts:
            attempt.abort()
        if self.waiting is not None:
            self.waiting.abort()

    async def pause(self, seconds: float) -> None:
        """Waits so long, or until the caller leaves."""
        self.waiting = pause = Pause(seconds)
        try:
            await pause.wait()
        finally:
            self.waiting = None

    def check(self) -> None:
        """Raises `ClientGone` when the caller has left."""
        if self.gone:
            raise ClientGone
