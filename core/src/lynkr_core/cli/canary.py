"""Another configuration that has to prove itself: decided with first, then served with, and taken back when more goes wrong than before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct, structs

from lynkr_core.app import Application
from lynkr_core.cli.redeciding import permitted
from lynkr_core.config import read
from lynkr_core.errors import ConfigError, GatewayError
from lynkr_core.exchange import Exchange, Outcome, Reply
from lynkr_core.hooks import Call
from lynkr_core.kernel import Kernel
from lynkr_core.process import MAX_TOLD
from lynkr_core.routes import Route, RouteRequest
from lynkr_core.waiting import stopped

if TYPE_CHECKING:
    from lynkr_core.cli.reloading import Generations

log = logging.getLogger("lynkr.canary")
Phase = Literal["waiting", "shadowing", "serving", "accepted", "refused", "rolled back", "given up"]
UNDER_WAY = ("shadowing", "serving")
AT_ONCE = 4
"""Decisions that are compared at once; requests beyond that are not looked at."""
LEAST = 10
"""Requests without which a share of failures says nothing."""
DECISION_SECONDS = 10.0
LONGEST_REASON = 200


class Plan(Struct, frozen=True, kw_only=True):
    """`requests`: how many are decided before it serves, and how many it has to serve well. `errors`: the share of failures, beyond that
    of the configuration before it, with which it is taken back.
    """

    file: Path
    requests: int = 100
    errors: float = 0.05


class Standing(Struct, kw_only=True):
    """Where it stands. `before`: how many exchanges of the old configuration ended, and how many of them badly; `after` of the new one."""

    phase: Phase = "waiting"
    config: str = ""
    compared: int = 0
    moved: int = 0
    refused: int = 0
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)
    why: Sequence[str] = ()


class Canary:
    """One at a time. Everything happens on the server's loop."""

    def __init__(self, generations: Generations, plan: Plan) -> None:
        self._generations = generations
        self._plan = plan
        self._task: asyncio.Task[None] | None = None
        self.standing = Standing()

    def routes(self) -> Sequence[Route]:
        return [
            Route(method="GET", path="/v1/admin/canary", endpoint=self._tell, admin=True),
            Route(method="POST", path="/v1/admin/canary", endpoint=self._again, admin=True),
        ]

    async def _tell(self, query: RouteRequest) -> Reply:
        return Reply(body=msgspec.json.encode(self.standing))

    async def _again(self, query: RouteRequest) -> Reply:
        """Begins anew with the file as it is now; 409 while it is under way."""
        if self.standing.phase in UNDER_WAY:
            return Reply(status=409, body=msgspec.json.encode(self.standing))
        self.begin()
        return Reply(status=202, body=msgspec.json.encode(self.standing))

    def begin(self) -> None:
        self.standing = Standing(phase="shadowing")
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        await stopped(self._task)

    async def _run(self) -> None:
        try:
            source = structs.replace(self._generations.source, file=str(self._plan.file))
            made = await self._generations.prepare(read(self._plan.file), source)
        except ConfigError as error:
            self._end("refused", *error.mistakes[:MAX_TOLD])
            return
        self.standing.config = made.kernel.config.hash
        log.info("%s is decided with beside the configuration that serves: %s", self._plan.file, made.kernel.config.hash)
        before, serves = self._generations.current, False
        try:
            serves = await self._shadow(before, made) and self._swap(before, made)
        finally:
            if not serves:
                await self._generations.discard(made)
        if serves:
            await self._serve(made)

    async def _shadow(self, before: Application, made: Application) -> bool:
        """Whether the new one would have served as many."""
        shadow = Shadow(before.kernel, made.kernel, self.standing)
        await shadow.until(lambda: self._generations.current is not before or self.standing.compared >= self._plan.requests)
        if self.standing.refused > self._plan.errors * self.standing.compared:
            told = sorted(shadow.reasons, key=lambda reason: -shadow.reasons[reason])[:MAX_TOLD]
            self._end("refused", f"it would have refused {self.standing.refused} of {self.standing.compared} requests", *told)
            return False
        return True

    def _swap(self, before: Application, made: Application) -> bool:
        if self._generations.current is not before:
            self._end("given up", "another configuration was taken up meanwhile")
            return False
        self.standing.phase = "serving"
        self._generations.commit(made, keep=True)
        return True

    async def _serve(self, made: Application) -> None:
        """Until it has served enough, or too much of that badly."""
        trial = Trial(made.kernel, self.standing)
        total, bad = self.standing.before
        allowed = (bad / total if total else 0.0) + self._plan.errors

        def over() -> bool:
            served, failed = self.standing.after
            gone = self._generations.current is not made
            return gone or served >= self._plan.requests or (served >= LEAST and failed > allowed * served)

        await trial.until(over)
        served, failed = self.standing.after
        if self._generations.current is not made:
            self._end("given up", "another configuration was taken up meanwhile")
        elif failed > allowed * served:
            self._generations.back()
            self._end("rolled back", f"{failed} of {served} requests went wrong, {bad} of {total} before", *trial.reasons)
        else:
            self._generations.keep()
            self._end(
                "accepted", f"it serves until the next start; put it in the place of {self._generations.source.file} to keep it"
            )

    def _end(self, phase: Phase, *why: str) -> None:
        self.standing.phase, self.standing.why = phase, why
        log.log(logging.INFO if phase == "accepted" else logging.ERROR, "%s: %s: %s", self._plan.file, phase, "\n  ".join(why))


class Ending:
    """Sees exchanges end in a kernel, as a sink does, until that is enough."""

    def __init__(self, kernel: Kernel, standing: Standing) -> None:
        self._hook = kernel.hooks.post_response
        self._call = Call("post_response", "extension", "canary", self.post_response, ("exchange", "outcome"))
        self._changed = asyncio.Event()
        self.standing = standing
        self.reasons: dict[str, int] = {}

    async def until(self, enough: Callable[[], bool]) -> None:
        self._hook.calls += (self._call,)
        try:
            while not enough():
                self._changed.clear()
                try:
                    async with asyncio.timeout(1.0):  # a reload ends it, of which nobody tells
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self._hook.calls = tuple([call for call in self._hook.calls if call is not self._call])
            await self.close()

    async def close(self) -> None:
        """Nothing is under way."""

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        raise NotImplementedError

    def changed(self) -> None:
        self._changed.set()

    def because(self, reason: str) -> None:
        if reason in self.reasons or len(self.reasons) < MAX_TOLD:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Shadow(Ending):
    """Decides each request once more with another configuration, when it is over and nobody waits for it."""

    def __init__(self, kernel: Kernel, other: Kernel, standing: Standing) -> None:
        super().__init__(kernel, standing)
        self._other = other
        self._tasks: set[asyncio.Task[None]] = set()

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        if outcome.status == "cancelled" or exchange.operation == "passthrough":
            return
        total, bad = self.standing.before
        self.standing.before = total + 1, bad + went_wrong(outcome)
        if len(self._tasks) < AT_ONCE:
            task = asyncio.ensure_future(self._compare(exchange, outcome))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _compare(self, exchange: Exchange, outcome: Outcome) -> None:
        chosen = exchange.selection.order[:1] if exchange.selection else ()
        reason, other = await self._decided(exchange)
        self.standing.compared += 1
        if reason and outcome.status != "refused":
            self.standing.refused += 1
            self.because(reason)
        elif chosen and other:  # nobody is chosen where a cache answers
            self.standing.moved += chosen[0].id != other[0].id
        self.changed()

    async def _decided(self, exchange: Exchange) -> tuple[str, Sequence[Any]]:
        """Why it would have been refused, or who would have been asked first."""
        dialect = self._other.dialects.get(exchange.dialect.name)
        if dialect is None:
            return f"nobody speaks {exchange.dialect.name}", ()
        again = Exchange(dialect, exchange.path, exchange.headers, exchange.body)
        again.dry_run, again.query, again.client = True, exchange.query, exchange.client
        try:
            async with asyncio.timeout(DECISION_SECONDS):
                await self._other.decide(again)
                order = await permitted(self._other, again)
        except GatewayError as error:
            return printable(error.message), ()
        except Exception as error:  # whatever it is, it would have been an error for the caller
            return type(error).__name__, ()
        return "", order[:1]

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)


class Trial(Ending):
    """Counts what goes wrong while it serves."""

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        if outcome.status == "cancelled":
            return
        total, bad = self.standing.after
        self.standing.after = total + 1, bad + went_wrong(outcome)
        if went_wrong(outcome):
            self.because(outcome.attempts[-1].kind or outcome.status if outcome.attempts else outcome.status)
        self.changed()


def printable(text: str) -> str:
    """Callers choose some of the words."""
    return "".join([letter if letter.isprintable() else "?" for letter in text[:LONGEST_REASON]])


def went_wrong(outcome: Outcome) -> bool:
    return outcome.status in ("error", "cut", "refused")
