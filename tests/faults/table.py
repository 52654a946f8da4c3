"""The rows of the table: what goes wrong, and what has to come of it on which route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from lynkr_core.testing.canned import GARBAGE, HTML, IN_200, Script
from lynkr_core.testing.faults import Fault

from .routes import RAW, ROUTES, Route
from .verdicts import (
    Bench,
    counted,
    failed,
    left_reading,
    left_waiting,
    moved,
    passed,
    told,
    torn,
    undone,
    untouched,
    visible,
    whole,
)

Verdict = Callable[[Bench], Awaitable[None]]
Scripting = Callable[[Route], Script]
HEAD_END = b"\r\n\r\n"


def good(route: Route) -> Script:
    return route.good


class Row(Struct, frozen=True, kw_only=True):
    """A fault of the connection, or another answer than a good one. `stream` when a stream deserves another verdict, and so on.

    `raw`: of what is passed through. `only` leaves the routes out to which it cannot happen.
    """

    name: str
    plain: Verdict
    stream: Verdict | None = None
    same_stream: Verdict | None = None
    raw: Verdict = untouched
    fault: Callable[[Route], Fault] = lambda route: Fault()
    script: Scripting = good
    only: Callable[[Route], bool] = lambda route: True
    patience: float = 60.0
    """Seconds of silence that are allowed: few where silence is what goes wrong."""
    alone: bool = False
    """Whether it is a fault that ends in an error when nobody else could answer."""

    def verdict(self, route: Route) -> Verdict | None:
        """None where it cannot happen."""
        if not self.only(route):
            return None
        if route.raw:
            return self.raw
        if not route.stream:
            return self.plain
        return (None if route.translated else self.same_stream) or self.stream or self.plain


def error(status: int, message: str = "boom", **headers: str) -> Scripting:
    body = b'{"error":{"message":"%b","type":"server_error","code":null}}' % message.encode()
    return lambda route: Script(status=status, body=body, headers=headers)


def streams(route: Route) -> bool:
    return route.stream


def breaks(route: Route, place: int, *events: bytes) -> Script:
    """The stream up to its event at this place, then these instead of it."""
    kept = route.good.events
    return route.good.but(events=(*kept[:place], *events, *kept[place + 1 :]))


def told_inside(route: Route, place: int) -> Script:
    told = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    script = breaks(route, place, b"event: error\ndata: " + told + b"\n\n")
    return script.but(events=script.events[: place + 1])


def end_broken(route: Route) -> Script:
    """Of the kind that lynkr reads in every stream, its own dialect's too."""
    broken = {
        "openai.chat": b'data: {"usage":{\n\n',
        "openai.responses": b'event: response.completed\ndata: {"type":"response.completed"\n\n',
    }
    return breaks(
        route, route.content_at + 1, broken.get(route.spoken, b'event: message_delta\ndata: {"type":"message_delta"\n\n')
    ).but(pause=0.01)


def ends_early(route: Route) -> Script:
    return route.good.but(events=route.good.events[: route.content_at + 1])


CONNECTION = [
    Row(name="the provider closes without an answer", plain=moved, alone=True, raw=undone, fault=lambda r: Fault(ends="close")),
    Row(name="the provider resets without an answer", plain=moved, alone=True, raw=undone, fault=lambda r: Fault(ends="reset")),
    Row(
        name="the provider never answers",
        plain=moved,
        alone=True,
        raw=undone,
        patience=0.15,
        fault=lambda r: Fault(ends="silence"),
    ),
    Row(name="closed inside the head", plain=moved, alone=True, raw=undone, fault=lambda r: Fault(after=20, ends="close")),
    Row(
        name="silent inside the head",
        plain=moved,
        alone=True,
        raw=undone,
        patience=0.15,
        fault=lambda r: Fault(after=20, ends="silence"),
    ),
    Row(
        name="closed before any content", plain=moved, alone=True, raw=undone, fault=lambda r: Fault(after=HEAD_END, ends="close")
    ),
    Row(
        name="reset before any content", plain=moved, alone=True, raw=undone, fault=lambda r: Fault(after=HEAD_END, ends="reset")
    ),
    Row(
        name="silent before any content",
        plain=moved,
        alone=True,
        raw=undone,
        patience=0.15,
        fault=lambda r: Fault(after=HEAD_END, ends="silence"),
    ),
    Row(
        name="closed after some content", plain=moved, stream=told, raw=torn, fault=lambda r: Fault(after=r.content, ends="close")
    ),
    Row(
        name="reset after some content", plain=moved, stream=told, raw=torn, fault=lambda r: Fault(after=r.content, ends="reset")
    ),
    Row(
        name="silent after some content",
        plain=moved,
        stream=told,
        raw=torn,
        patience=1.5,
        fault=lambda r: Fault(after=r.content, ends="silence"),
    ),
    Row(name="late, but within the limit", plain=whole, patience=5, fault=lambda r: Fault(delay=0.1)),
    Row(name="a byte at a time", plain=whole, fault=lambda r: Fault(split=1)),
    Row(name="a slow line", plain=whole, fault=lambda r: Fault(split=64, rate=20_000)),
]
ANSWERS = [
    Row(name="401, a bad key of ours", plain=moved, alone=True, script=error(401)),
    Row(name="403", plain=moved, alone=True, script=error(403)),
    Row(name="404, no such model", plain=moved, alone=True, script=error(404)),
    Row(name="408", plain=moved, alone=True, script=error(408)),
    Row(name="429 with Retry-After", plain=moved, alone=True, script=error(429, **{"retry-after": "30"})),
    Row(name="500", plain=moved, alone=True, script=error(500)),
    Row(name="502, a page", plain=moved, alone=True, script=lambda r: HTML.but(status=502)),
    Row(name="503", plain=moved, alone=True, script=error(503)),
    Row(name="504", plain=moved, alone=True, script=error(504)),
    Row(name="529", plain=moved, alone=True, script=error(529)),
    Row(name="the context is too long", plain=moved, script=error(400, "prompt is too long: 9000 tokens > 8000 maximum")),
    Row(name="400", plain=passed, script=error(400, "bad tool schema")),
    Row(name="422", plain=passed, script=error(422, "bad tool schema")),
    Row(name="an error with status 200", plain=moved, alone=True, script=lambda r: IN_200),
    Row(name="a page with status 200", plain=moved, alone=True, script=lambda r: HTML),
    Row(name="bytes that mean nothing", plain=moved, alone=True, script=lambda r: GARBAGE),
    Row(name="an empty answer", plain=moved, alone=True, script=lambda r: Script(body=b"", events=(b"",))),
    Row(
        name="half of the body, cleanly ended",
        plain=moved,
        script=lambda r: r.good.but(body=r.good.body[: len(r.good.body) // 2]),
        only=lambda r: not r.stream,
    ),
]
STREAMS = [
    Row(name="the stream says an error before any content", plain=moved, alone=True, script=lambda r: told_inside(r, 0), only=streams),
    Row(name="the stream says an error after some content", plain=told, script=lambda r: told_inside(r, r.content_at + 1), only=streams),
    Row(name="an event about the end that is not JSON", plain=told, script=end_broken, only=streams),
    Row(name="the stream ends cleanly before its terminator", plain=told, script=ends_early, only=streams),
    Row(
        name="an event that is not JSON after some content", plain=told, same_stream=visible, only=streams,
        script=lambda r: breaks(r, r.content_at + 1, b"data: {broken\n\n"),
    ),
]  # fmt: skip
LEAVING = [
    Row(name="the caller leaves before the answer", plain=left_waiting, raw=left_waiting, script=lambda r: r.good.but(delay=60)),
    Row(
        name="the caller leaves within the answer", plain=left_reading, raw=left_reading,
        fault=lambda r: Fault(after=r.content, ends="silence"),
        script=lambda r: r.good,
    ),
]  # fmt: skip
ROWS = [*CONNECTION, *ANSWERS, *STREAMS, *LEAVING]
CELLS = [(row, route, verdict) for row in ROWS for route in (*ROUTES, *RAW) if (verdict := row.verdict(route))]
ALONE = [
    (row, route, counted if route.kind == "count_tokens" else failed)
    for row in ROWS
    for route in ROUTES
    if row.alone and row.only(route)
]
