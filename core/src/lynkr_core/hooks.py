"""The compiled hooks: for each one a tuple of calls in their order, and the three ways of calling them.

`first`: the first answer wins. `collect`: all answers. `fold`: each plugin gets the last one's result.

A plugin that raises is logged, counted and skipped; five errors in a row switch that call off for half a minute. Plugins of the kinds in
`FAIL_CLOSED` are never skipped: their error refuses the request. A `GatewayError` is not a fault but an answer to the caller.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any

from lynkr_core.errors import ClientGone, GatewayError, Unavailable
from lynkr_core.exchange import Exchange
from lynkr_core.order import FAIL_CLOSED
from lynkr_core.stalls import bounded, in_steps

log = logging.getLogger("lynkr.hooks")
MAX_FAILURES = 5
OFF_SECONDS = 30.0
SETTLE_SECONDS = 10.0
"""How long plugins may take to settle after the caller has its answer."""
STAGE_SECONDS = 5.0
"""How long the asynchronous plugins of one stage may take together."""
SPARED = 63
"""Of a synchronous plugin's calls the 1st, 2nd, 4th, … 64th and each 64th after it are timed; each stands for those since the last."""


class Call:
    """One plugin's implementation of one hook. Counts its calls, errors and seconds; `timed`: the calls that `seconds` stands for, `due`:
    the next one to be looked at, which is each while they fail.
    """

    __slots__ = ("calls", "closed", "due", "errors", "failures", "function", "hook", "is_async", "off_until", "plugin", "seconds", "timed",
                 "wait")  # fmt: skip

    def __init__(self, hook: str, kind: str, plugin: str, function: Callable[..., Any], parameters: Sequence[str]) -> None:
        # seconds for which it may wait for the answer to somebody else's request, beside those of its stage
        self.wait: float = getattr(getattr(function, "__self__", None), "patience", 0.0)
        self.hook = hook
        self.plugin = plugin
        self.closed = kind in FAIL_CLOSED
        self.is_async = inspect.iscoroutinefunction(function)
        call = adapted(function, parameters)
        self.function: Callable[..., Any] = call if hook != "score" else in_steps(call) if self.is_async else bounded(call)
        self.calls = self.due = self.errors = self.failures = self.timed = 0
        self.seconds = self.off_until = 0.0

    @property
    def off(self) -> bool:
        """Switched off for a while after errors in a row."""
        return self.failures >= MAX_FAILURES and not self.closed and time.monotonic() < self.off_until

    def told(self) -> dict[str, Any]:
        """JSON values. `state`: `failing` while errors come in a row, then `off` for `left` seconds, then on `trial`, else `on`."""
        off = self.failures >= MAX_FAILURES and not self.closed
        left = round(max(self.off_until - time.monotonic(), 0.0), 1) if off else 0.0
        state = ("off" if left else "trial") if off else "failing" if self.failures else "on"
        mean = round(self.seconds / self.timed * 1e6, 1) if self.timed else None
        return {"calls": self.calls, "errors": self.errors, "mean_us": mean, "state": state, "left": left}

    def now(self, args: tuple[Any, ...]) -> Any:
        """A synchronous plugin's answer, an asynchronous one's coroutine; None while it is off, and after an error that is skipped."""
        self.calls = calls = self.calls + 1
        try:
            return self.function(*args) if calls < self.due else self.seen(args)
        except Exception as error:
            return self.caught(error, args)

    def seen(self, args: tuple[Any, ...]) -> Any:
        """The answer of a call that is looked at: how long it takes, and that it does not fail any more."""
        if self.failures and self.off:
            self.calls -= 1
            return self.skipped(args, "is off after errors in a row")
        if self.is_async:
            return self.function(*args)
        began = time.perf_counter()
        try:
            value = self.function(*args)
        finally:
            self.seconds += (time.perf_counter() - began) * (self.calls - self.timed)
            self.timed = calls = self.calls
        self.failures = 0
        self.due = 1 << calls.bit_length() if calls <= SPARED else (calls | SPARED) + 1
        return value

    async def later(self, args: tuple[Any, ...], until: float, begun: CoroutineType[Any, Any, Any] | None = None) -> Any:
        """The answer to be waited for until `until` on the monotonic clock. `begun`: what `now` has given; else it is called here."""
        if begun is None and self.failures and self.off:
            return self.skipped(args, "is off after errors in a row")
        began = time.perf_counter()
        self.calls += begun is None
        try:
            async with asyncio.timeout(max(until - time.monotonic(), 0.0) + self.wait):
                value = await (self.function(*args) if begun is None else begun)
        except Exception as error:
            return self.caught(error, args)
        finally:
            self.seconds += time.perf_counter() - began
            self.timed += self.is_async
        self.failures = 0
        return value

    def caught(self, error: Exception, args: tuple[Any, ...]) -> None:
        """An answer to the caller goes on to it; anything else is a fault of the plugin's."""
        if isinstance(error, (GatewayError, ClientGone)):
            raise error
        self.failed(error)
        self.skipped(args, f"failed: {type(error).__name__}")

    def skipped(self, args: tuple[Any, ...], why: str) -> None:
        """The exchange remembers what went on without this plugin. Never the error's words, which may quote the caller's."""
        if args and isinstance(args[0], Exchange):
            args[0].skipped += (f"{self.plugin} {why} in {self.hook}",)

    def note(self, error: Exception) -> None:
        """Counts and logs an error, and switches the call off after too many in a row."""
        self.errors += 1
        self.failures += 1
        self.due = 0
        log.error("plugin %s failed in %s: %s: %s", self.plugin, self.hook, type(error).__name__, error)
        if self.failures >= MAX_FAILURES and not self.closed:
            self.off_until = time.monotonic() + OFF_SECONDS
            log.error(
                "plugin %s is off for %.0f s in %s after %d errors in a row", self.plugin, OFF_SECONDS, self.hook, self.failures
            )

    def failed(self, error: Exception) -> None:
        """As `note`. Raises `Unavailable` when this plugin must not be skipped."""
        self.note(error)
        if self.closed:
            raise Unavailable(f"plugin {self.plugin} failed; the request was refused because it must not be skipped") from error


def adapted(function: Callable[..., Any], spec: Sequence[str]) -> Callable[..., Any]:
    """The function, callable with all the hook's arguments whatever subset of them it takes, in whatever order."""
    own = list(inspect.signature(function).parameters)
    if own == list(spec):
        return function
    if own == list(spec[: len(own)]):
        count, left = len(own), len(spec) - len(own)
        if (count, left) == (1, 1):  # `score(exchange)`, which most scorers are; the general way costs more
            return lambda *args: function(args[0])
        return lambda *args: function(*args[:count])
    places = [list(spec).index(name) for name in own]
    return lambda *args: function(*[args[place] for place in places])


class Hook:
    """All calls of one hook. An empty one is skipped by the truth test of `calls`."""

    __slots__ = ("_after", "calls", "deadline", "is_sync", "name")

    def __init__(self, name: str, calls: Sequence[Call] = (), deadline: float = STAGE_SECONDS) -> None:
        self.name = name
        self.calls = tuple(calls)
        self.deadline = deadline
        self.is_sync = not any(call.is_async for call in self.calls)
        self._after: dict[str, Hook] = {}

    def after(self, plugin: str) -> Hook:
        """The calls that come after this plugin's."""
        if plugin not in self._after:
            places = [place for place, call in enumerate(self.calls, 1) if call.plugin == plugin]
            self._after[plugin] = Hook(self.name, self.calls[places[-1] :], self.deadline)
        return self._after[plugin]

    def first_now(self, *args: Any) -> tuple[Any, str] | Coroutine[Any, Any, tuple[Any, str]]:
        """As `first`; a coroutine only where somebody has to be waited for."""
        for call in self.calls:
            value = call.now(args)
            if value is not None:
                waits = value.__class__ is CoroutineType
                return self._first(args, self.calls.index(call), value) if waits else (value, call.plugin)
        return None, ""

    def collect_now(self, *args: Any) -> list[tuple[Any, str]]:
        """As `collect`, where no plugin is asynchronous."""
        return [(value, call.plugin) for call in self.calls if (value := call.now(args)) is not None]

    async def first(self, *args: Any) -> tuple[Any, str]:
        """The first answer and its plugin's name, or `(None, "")`."""
        return await self._first(args, 0)

    async def _first(self, args: tuple[Any, ...], place: int, value: Any = None) -> tuple[Any, str]:
        """From this place on, where a call may have given `value`: the coroutine of a plain function that must ask somebody this time."""
        until = time.monotonic() + self.deadline
        for call in self.calls[place:]:  # a loop in each of the three: an async generator left early costs 7 µs
            if value is None:
                value = call.now(args)
            if value.__class__ is CoroutineType:
                value = await call.later(args, until, value)
            if value is not None:
                return value, call.plugin
            if call.wait:  # what it has waited is not taken from those that come after it
                until = max(until, time.monotonic() + self.deadline)
        return None, ""

    async def collect(self, *args: Any) -> list[tuple[Any, str]]:
        """Every answer with its plugin's name."""
        until = time.monotonic() + self.deadline
        found: list[tuple[Any, str]] = []
        for call in self.calls:
            value = await call.later(args, until) if call.is_async else call.now(args)
            if value is not None:
                found.append((value, call.plugin))
        return found

    async def fold(self, exchange: Any, value: Any, *rest: Any) -> Any:
        """`value` after every plugin has had its turn."""
        until = time.monotonic() + self.deadline
        for call in self.calls:
            changed = await run(call, (exchange, value, *rest), until)
            value = value if changed is None else changed
        return value


def notify(call: Call, args: tuple[Any, ...]) -> None:
    """Calls a synchronous plugin whose answer nobody waits for; it can raise nothing."""
    if call.failures and call.off:
        return
    call.calls = calls = call.calls + 1
    try:
        call.function(*args) if calls < call.due else call.seen(args)
    except Exception as error:
        call.note(error)


async def run(call: Call, args: tuple[Any, ...], until: float) -> Any:
    """One call's answer, whichever kind it is."""
    value = call.now(args)
    return await call.later(args, until, value) if value.__class__ is CoroutineType else value


class Background:
    """Calls of plugins whose answers nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, call: Call, args: tuple[Any, ...]) -> None:
        if call.is_async:
            task = asyncio.ensure_future(self._run(call, args))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            notify(call, args)

    async def _run(self, call: Call, args: tuple[Any, ...]) -> None:
        try:
            await run(call, args, time.monotonic() + SETTLE_SECONDS)
        except GatewayError as error:
            call.note(error)

    async def settle(self) -> None:
        """Waits for those that have begun, so long as they may take."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SETTLE_SECONDS)


class Hooks:
    """Every hook of `hookspecs.py`, compiled. Attribute names are the hooks' names."""

    def __init__(self, calls: Sequence[Call] = ()) -> None:
        by_name: dict[str, list[Call]] = {}
        for call in calls:
            by_name.setdefault(call.hook, []).append(call)
        self.all = tuple(calls)
        for name in HOOKS:
            setattr(self, name, Hook(name, by_name.get(name, ())))

    def told(self) -> dict[str, dict[str, Any]]:
        """What each call tells of itself, by plugin and hook."""
        plugins = dict.fromkeys([call.plugin for call in self.all])
        return {name: {call.hook: call.told() for call in self.all if call.plugin == name} for name in plugins}

    authenticate: Hook
    pre_route: Hook
    score: Hook
    select_provider: Hook
    revise_selection: Hook
    reserve: Hook
    transform_request: Hook
    attempt_failed: Hook
    transform_response: Hook
    transform_stream: Hook
    observe_event: Hook
    settle: Hook
    post_response: Hook
    register_routes: Hook
    register_commands: Hook


HOOKS = tuple(Hooks.__annotations__)
