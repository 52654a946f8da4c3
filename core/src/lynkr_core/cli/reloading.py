"""One configuration after the other: each is built beside the one that serves, takes its place, and lets it finish (ADR 7)."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from msgspec import Struct

from lynkr_core.app import Application
from lynkr_core.caller import Receive, Scope, Send
from lynkr_core.cli.protocol import ServerState
from lynkr_core.cli.watching import changes
from lynkr_core.config import Config, parse, read
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.models import Live
from lynkr_core.naming import doubtful
from lynkr_core.process import Process, Reloaded
from lynkr_core.settings import Server

if TYPE_CHECKING:
    from lynkr_core.cli.canary import Canary, Plan

log = logging.getLogger("lynkr.reload")
AT_START = ("host", "port", "workers", "watch", "log")
"""Settings of `[server]` that are read once."""


class Serving(Protocol):
    """What is asked of the server."""

    server_state: ServerState

    def apply(self, settings: Server) -> None: ...


class Source(Struct, frozen=True, kw_only=True):
    """Where the configuration is, and what the command line puts in the place of the file's settings."""

    file: str
    host: str | None = None
    port: int | None = None
    workers: int | None = None

    @property
    def path(self) -> Path:
        return Path(self.file)

    def parse(self, text: str) -> Config:
        """Mistakes stand in the configuration: a kernel that is to be made of it tells them. Raises `ConfigError` for what is not TOML."""
        config = parse(text, os.environ, self.path.name, strict=False)
        for name, value in self.given():
            setattr(config.server, name, value)
        if reason := exposed(config):
            config.mistakes.append(reason)
        return config

    def given(self) -> list[tuple[str, Any]]:
        return [(name, value) for name in AT_START[:3] if (value := getattr(self, name)) is not None]


def exposed(config: Config) -> str | None:
    """Why this configuration must not be served at its address; None when it may."""
    host = config.server.host
    if doubtful(config, "server"):
        return None
    if config.server.allow_anonymous or is_loopback(host) or any(plugin.kind == "auth" for plugin in config.plugins):
        return None
    return (
        f"{config.file}: [server] $.host: {host!r} can be reached from other machines, and no auth plugin is enabled: anybody there "
        "could spend your keys; enable one, listen on 127.0.0.1, or set allow_anonymous = true"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; names other than localhost may be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def differing(before: Server, after: Server) -> list[str]:
    """What of `[server]` has changed and holds from the next start on only."""
    changed = [name for name in AT_START if getattr(before, name) != getattr(after, name)]
    return [f"[server] {name} = {getattr(after, name)!r} holds from the next start on" for name in changed]


class Generations:
    """Serves with the newest good configuration. `under_way`: the tasks of the requests that are being answered.

    An async context manager: the first configuration starts with it, and the last ones end.
    """

    def __init__(self, source: Source, text: str, plan: Plan | None = None) -> None:
        """`plan`: of another configuration, to be tried. Raises `ConfigError`."""
        self.source = source
        self.process = Process()
        self.process.reload = self.reload
        self.canary = self._canary(plan) if plan else None
        self.process.more = self.canary.routes() if self.canary else ()
        self.kept: Application | None = None
        self.current = self._build(text)
        self.under_way: Callable[[], Iterable[asyncio.Task[Any]]] = tuple
        self.taken_up: Callable[[Server], None] = ignore
        self._started = self.current.kernel.config.server
        self._one_at_a_time = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    def _canary(self, plan: Plan) -> Canary:
        from lynkr_core.cli.canary import Canary  # few start with one

        return Canary(self, plan)

    def dispatch(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self.current.dispatch(scope, receive, send)

    async def __aenter__(self) -> Self:
        await self.current.kernel.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            if self.canary is not None:
                await self.canary.stop()
            self.keep()
            if self._leaving:
                await asyncio.wait(self._leaving)
        finally:
            await self.current.kernel.__aexit__(None, None, None)

    def attach(self, server: Serving) -> None:
        """To be called before anything is taken up."""
        self.under_way = lambda: server.server_state.tasks
        self.taken_up = server.apply

    async def follow(self, server: Serving) -> None:
        """Takes the file up whenever it changes, and at each SIGHUP."""
        self.attach(server)
        if self.canary is not None:
            self.canary.begin()
        with hangups(self.reload):
            if not self._started.watch:
                await asyncio.Event().wait()
            async for _ in changes(self.source.path):
                await self.reload()

    async def reload(self) -> Reloaded:
        """Takes the file up again."""
        async with self._one_at_a_time:
            try:
                return self.commit(await self.prepare(read(self.source.path)))
            except ConfigError as error:
                tell_refused(self.current.kernel.config.hash, error.mistakes)
                return self.refused(error.mistakes)

    async def prepare(self, text: str, source: Source | None = None) -> Application:
        """One whose plugins have started; it must be committed or discarded. Raises `ConfigError`."""
        made = await asyncio.to_thread(
            self._build, text, self.current.kernel, source
        )  # importing may take long, and others go on
        try:
            await made.kernel.__aenter__()
        except BaseException as error:
            await made.kernel.transport.aclose()
            if isinstance(error, ConfigError) or not isinstance(error, Exception):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError([f"{(source or self.source).path.name}: a plugin could not start: {reason}"]) from error
        return made

    def commit(self, made: Application, keep: bool = False) -> Reloaded:
        """From here on every request is the new configuration's; those under way stay with theirs. `keep`: the one before does not end
        yet, so that it can come `back`.
        """
        self.keep()
        before, self.current = self.current, made
        self.process.mistakes = ()
        if keep:
            self.kept = before
        else:
            self._retire(before)
        config = made.kernel.config
        self.taken_up(config.server)
        done = Reloaded(config=config.hash, restart=differing(self._started, config.server))
        log.info("%s is taken up, configuration %s%s", config.file, config.hash, "".join(f"; {one}" for one in done.restart))
        return done

    def keep(self) -> None:
        """The configuration that serves is there to stay: the one that was kept beside it ends."""
        kept, self.kept = self.kept, None
        if kept is not None:
            self._retire(kept)

    def back(self) -> None:
        """The configuration that was kept serves again, and the one that serves ends."""
        assert self.kept is not None
        before, self.current, self.kept = self.current, self.kept, None
        self._retire(before)
        self.taken_up(self.current.kernel.config.server)

    def _retire(self, before: Application) -> None:
        leaving = asyncio.ensure_future(self._leave(before.kernel, set(self.under_way())))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def discard(self, made: Application) -> None:
        await made.kernel.__aexit__(None, None, None)

    def refused(self, mistakes: Sequence[str]) -> Reloaded:
        """The configuration that serves goes on; whoever asks for the process's health is told why."""
        self.process.mistakes = mistakes
        return Reloaded(config=self.current.kernel.config.hash, mistakes=mistakes)

    async def _leave(self, kernel: Kernel, tasks: set[asyncio.Task[Any]]) -> None:
        """Ends a configuration after its last exchange."""
        if tasks:
            await asyncio.wait(tasks)
        try:
            await kernel.__aexit__(None, None, None)
        except Exception:
            log.exception("a plugin of configuration %s could not end", kernel.config.hash)
        log.info("configuration %s has ended", kernel.config.hash)
        gc.unfreeze()  # what was there at the start is frozen, the old kernel's circles too
        gc.collect()
        gc.freeze()

    def _build(self, text: str, before: Kernel | None = None, source: Source | None = None) -> Application:
        config = (source or self.source).parse(text)
        kernel = Kernel.from_config(config, os.environ, before)
        if config.server.list_models:
            kernel.services.append(Live(kernel.catalog))
        return Application(kernel, self.process)


def tell_refused(running: str, mistakes: Sequence[str]) -> None:
    log.error("the configuration stays %s:\n  %s", running, "\n  ".join(mistakes))


@contextmanager
def hangups(action: Callable[[], Coroutine[Any, Any, Any]]) -> Generator[None]:
    """Runs `action` at each SIGHUP."""
    tasks: set[asyncio.Task[Any]] = set()

    def begin() -> None:
        task = asyncio.ensure_future(action())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, begin)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # while it stops nobody is killed by it either


def ignore(settings: Server) -> None:
    """Nobody wants to know."""
