"""Requests to one provider's own API, `/v1/{provider}/…`: the same journey, and nothing of the request or the answer changed.

The path and query go under the provider's base URL. Routing, scores and translation do not apply; who is calling, policies,
reservations, time limits and the outcome do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Iterable
from urllib.parse import unquote

from lynkr_core.attempts import MAX_ERROR_BODY, Refused, reserve, timed_out
from lynkr_core.caller import Caller, HeaderItems, Receive, Scope, Send, caller_of, client_key, presented_key
from lynkr_core.capabilities import confine, permitted
from lynkr_core.consumed import Amount
from lynkr_core.dialect import UNREADABLE, Dialect, Headers
from lynkr_core.errors import AllFailed, Forbidden, InvalidRequest, LynkrError, UpstreamError
from lynkr_core.events import Start, UsageEvent
from lynkr_core.exchange import Attempt, Candidate, Exchange, Selection
from lynkr_core.failover import course_of
from lynkr_core.headers import common
from lynkr_core.kernel import Ended, Kernel
from lynkr_core.provider import Provider
from lynkr_core.relay import IDLE
from lynkr_core.request import Usage
from lynkr_core.upstream import FRAMING, HeaderList, Take, UpstreamResponse

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
PREFIX = "/v1/"
PRIVATE = re.compile(
    rb"key|token|secret|auth|cookie|credential|signature|session|account|organi[sz]ation|project|forward|real-ip|lynkr"
    rb"|^(?:x-amz|cf|sec)-|^(?:via|origin|referer|accept-encoding)$"
)
"""In names of request headers that stay here: they speak of the caller, of what stands before lynkr, or of whom the provider bills."""
PUBLIC = b"idempotency-key"
KEYS = re.compile(r"(?:^|&)(?:key|api[-_]?key|access_token)=[^&]*", re.IGNORECASE)
SHOWN = (
    b"content-type", b"content-disposition", b"content-encoding", b"content-language", b"content-range", b"accept-ranges",
    b"etag", b"last-modified", b"retry-after",
)  # fmt: skip
"""Of an answer's headers. The others may be the provider's cookies, or tell of the account."""
MAX_METERED = 4 * 1024 * 1024
"""Bytes of an answer, or of those lines of a stream that have it, that are kept to find usage; in larger ones nobody looks."""


class Passing:
    """An answer on its way of which only the bytes are known: where it stands (`waiting.Pulse`), and what may tell its usage."""

    __slots__ = (
        "_idle", "_rest", "_size", "amount", "begun", "billed", "blocked", "committed", "heard", "kept", "pieces", "streamed", "thinking",
    )  # fmt: skip

    def __init__(self, content_type: bytes, idle: tuple[bytes, ...]) -> None:
        self.begun = self.committed = self.heard = True
        self.blocked = self.thinking = False
        self.pieces = self._size = 0
        self.amount, self.billed = Amount(), False
        self.streamed = content_type.startswith(b"text/event-stream")
        self.kept: list[bytes] | None = [] if self.streamed or b"json" in content_type else None
        self._idle = idle
        self._rest = b""

    def note(self, piece: bytes) -> None:
        """Of a stream the lines that tell usage are kept; in other answers every byte is content."""
        self.pieces += self.streamed
        if self.streamed:
            self.amount.add(piece)
        self.heard |= not self.streamed or any(part and not part.startswith(self._idle) for part in piece.split(b"\n\n"))
        if self.kept is None:
            return
        told = self._told(piece) if self.streamed else [piece]
        self._size += sum(map(len, told))
        self.kept.extend(told)
        if self._size + len(self._rest) > MAX_METERED:
            self.kept, self._rest = None, b""

    def giving(self, caller: Caller) -> Take:
        """What passes a piece on to the caller, who may be slow."""

        def give(piece: bytes) -> Awaitable[object] | None:
            self.note(piece)
            full = caller.put(piece)
            return None if full is None else self._unblocked(full)

        return give

    async def _unblocked(self, full: Awaitable[object]) -> None:
        self.blocked = True
        try:
            await full
        finally:
            self.blocked = False

    def _told(self, piece: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [line + b"\n\n" for line in lines if b'"usage"' in line]


class Passthrough:
    """An ASGI app for what it `finds`. `taken`: first parts of paths that belong to routes of lynkr's own."""

    def __init__(self, kernel: Kernel, taken: Iterable[str]) -> None:
        self._kernel = kernel
        self._idle = tuple({*IDLE, *[one.ping.partition(b"\n")[0] for one in kernel.dialects.values()]} - {b""})
        self.providers = {name: one for name, one in kernel.catalog.providers.items() if name not in set(taken)}

    def finds(self, scope: Scope) -> bool:
        name, slash, _ = scope["path"].removeprefix(PREFIX).partition("/")
        return bool(slash) and name in self.providers and scope["path"].startswith(PREFIX) and scope["method"] in METHODS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._kernel.exchange(self._kernel.dialects["raw"], scope)
        provider = self.providers[scope["path"].split("/")[2]]

        async def serve(exchange: Exchange, caller: Caller) -> Ended:
            path = address(scope, provider.name)
            exchange.envelope = exchange.dialect.peek(exchange.body, exchange.path)
            candidate = self._candidate(provider, exchange.envelope.model)
            exchange.route, exchange.candidates = "exact", (candidate,)
            exchange.selection = Selection(order=(candidate,), reason="passed on")
            await self._kernel.admit(exchange)
            if exchange.reply is not None:
                return await self._kernel.reply(exchange, caller)
            # what goes through unread may name any model, wherever
            if not permitted(exchange.principal, self._kernel.catalog.tiers, [f"{provider.name}/"]):
                raise Forbidden(f"{provider.name}'s own API is for those who may use {provider.name}/*", code="model_not_allowed")
            if exchange.local_only:
                confine(exchange)
            return await self._attempt(exchange, candidate, scope["method"], path, caller)

        await self._kernel.journey(exchange, serve, caller_of(scope, receive, send), receive)

    def _candidate(self, provider: Provider, model: str) -> Candidate:
        """With its price, for a model that is named."""
        target = self._kernel.catalog.resolve(f"{provider.name}/{model}") if model else None
        found = target.candidates if target else ()
        return next((one for one in found if one.provider is provider), Candidate(provider=provider, model=model))

    async def _attempt(self, exchange: Exchange, candidate: Candidate, method: str, path: str, caller: Caller) -> Ended:
        """The one attempt: nothing is tried again, since nobody here knows what the request does."""
        attempt, limits = Attempt(candidate), self._kernel.limits(candidate.provider, exchange.envelope.stream)
        attempt.until = course_of(self._kernel, exchange, ()).until
        exchange.attempts.append(attempt)
        self._kernel.watch.add(attempt, limits)
        try:
            await reserve(self._kernel, exchange, attempt)
            if attempt.expired:
                raise UpstreamError("timeout", attempt.expired)
            served = candidate.provider.serving(exchange)
            call = attempt.upstream = served.raw(method, path, forwarded(exchange.headers), exchange.body)
            response = attempt.upstream = await call.response()
            exchange.chosen = candidate
            if response.status >= 400 or method == "HEAD" or response.status in (204, 304):
                return await self._whole(exchange, attempt, response, caller)
            return await self._stream(exchange, attempt, limits.total, response, caller)
        except Refused as refused:
            raise refused.error from None
        except UpstreamError as cause:
            attempt.error = error = timed_out(attempt, cause)
            exchange.check()
            if caller.status is not None:
                # no end is written: the server breaks the connection off, or half would pass for whole
                return "cut", error.message
            await self._kernel.hooks.attempt_failed.first(exchange, candidate, error)  # to be known; nothing is tried again here
            raise AllFailed(error, [attempt.describe()]) from None
        finally:
            attempt.ended = time.monotonic()
            self._kernel.watch.discard(attempt)
            attempt.abort()  # does nothing to a response that was read to its end

    async def _whole(self, exchange: Exchange, attempt: Attempt, response: UpstreamResponse, caller: Caller) -> Ended:
        """An error, or an answer that has no body."""
        provider, told = attempt.candidate.provider.serving(exchange), await response.read(MAX_ERROR_BODY)
        if response.status >= 400:
            attempt.error = exchange.dialect.decode_error(response.status, response.headers, told)
            await self._kernel.hooks.attempt_failed.first(exchange, attempt.candidate, attempt.error)
        text = provider.redacted(told.decode("utf-8", "surrogateescape"))
        await caller.whole(response.status, shown(exchange, response), text.encode("utf-8", "surrogateescape"))
        return ("ok", None) if response.status < 400 else ("error", f"the provider answered with status {response.status}")

    async def _stream(
        self, exchange: Exchange, attempt: Attempt, total: float, response: UpstreamResponse, caller: Caller
    ) -> Ended:
        piece = await response.next()  # before the head: until then an error can be told as one
        attempt.stream = passing = Passing(response.headers.get(b"content-type", b""), self._idle)
        attempt.until = min(attempt.started + total, exchange.until)
        attempt.first_token = time.monotonic()
        try:
            await caller.begin(response.status, shown(exchange, response))
            if piece:
                passing.note(piece)
                await caller.piece(piece)
                await response.pump(passing.giving(caller))
        except UpstreamError:
            attempt.usage = self._usage(attempt.candidate, passing) or roughly(exchange, passing)
            raise
        attempt.usage = self._usage(attempt.candidate, passing)
        await caller.end()
        return "ok", None

    def _usage(self, candidate: Candidate, passing: Passing) -> Usage | None:
        """What the first of the provider's dialects finds that can read it."""
        body = b"".join(passing.kept or ())
        if b'"usage"' not in body:
            return None
        spoken = candidate.provider.dialects_of(candidate.model)
        known = [self._kernel.dialects[name] for name in spoken if name in self._kernel.dialects]
        return next((usage for dialect in known if (usage := usage_of(dialect, passing.streamed, body))), None)


def roughly(exchange: Exchange, passing: Passing) -> Usage | None:
    """Of an answer that was broken off and has not told: where a model was named, what bytes and pieces let guess."""
    if not exchange.envelope.model or not exchange.body.startswith(b"{"):
        return None
    return Usage(input_tokens=len(exchange.body) // 4, output_tokens=passing.amount.tokens, estimated=True)


def usage_of(dialect: Dialect, streamed: bool, body: bytes) -> Usage | None:
    """None where the body is another dialect's, which may have other names for what it counts."""
    try:
        if streamed:
            told = [event.usage for event in dialect.decoder().feed(body) if isinstance(event, (Start, UsageEvent))]
            usage = next((usage for usage in reversed(told) if usage), None)
        else:
            usage = dialect.usage(body)
    except (*UNREADABLE, LynkrError):
        return None
    return usage if usage and (usage.input_tokens or usage.output_tokens) else None


def shown(exchange: Exchange, response: UpstreamResponse) -> HeaderItems:
    """The headers of an answer."""
    return [*((name, response.headers[name]) for name in SHOWN if name in response.headers), *common(exchange)]


def address(scope: Scope, name: str) -> str:
    """Path and query under the provider's base URL, spelt as they came. Raises `InvalidRequest` for a path that leads elsewhere."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").removeprefix(PREFIX + name)
    plain, before = path, ""
    while plain != before:  # what is quoted twice may be unquoted twice
        plain, before = unquote(plain), plain
    parts = re.split(r"[/\\]", plain)
    odd = any(not "!" <= character <= "~" for character in path) or any(character < " " for character in plain)
    if odd or not path.startswith("/") or "" in parts[1:-1] or any(part.strip() in (".", "..") for part in parts):
        raise InvalidRequest("the path has parts that lead elsewhere, or characters that no path has", param="path")
    query = KEYS.sub("", scope["query_string"].decode("latin-1")).lstrip("&")
    return f"{path}?{query}" if query else path


def forwarded(headers: Headers) -> HeaderList:
    """The caller's headers that go to the provider: none that says who is calling, or holds the key."""
    keys = {key.encode("latin-1") for key in (presented_key(headers), client_key(headers)) if key}
    public = [pair for pair in headers.items() if pair[0] == PUBLIC or not (PRIVATE.search(pair[0]) or pair[0] in FRAMING)]
    return tuple([pair for pair in public if not any(key in pair[1] for key in keys)])
