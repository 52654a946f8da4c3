"""Several processes behind one address, and the one that watches over them (ADR 7).

The workers accept on one inherited socket: when one dies, the connections that nobody had accepted yet wait for the others. A dead
one is started again. All take up a new configuration together, or none does.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Sequence

import msgspec

from lynkr_core.cli.channel import Ask, Channel, Failed, Listening, Message, Settle, Take, Taken, Told
from lynkr_core.cli.reloading import Source, hangups, tell_refused
from lynkr_core.cli.server import BACKLOG, CLOSE_SECONDS, listener
from lynkr_core.cli.serving import greet
from lynkr_core.cli.watching import changes
from lynkr_core.config import Config, read
from lynkr_core.errors import ConfigError
from lynkr_core.hooks import SETTLE_SECONDS
from lynkr_core.process import Reloaded

log = logging.getLogger("lynkr.workers")
LONG_ENOUGH = 10.0
"""Seconds that a worker must have lived for the next one to start at once."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


ANSWER_SECONDS = 60.0
"""How long a worker may take to build a configuration."""


class Gone(Exception):
    """The worker has ended."""


class Worker:
    """One process, as the supervisor sees it. `config`: the hash of what it serves with; empty until it listens."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.process = process
        self.channel = channel
        self.config = ""
        self.began = time.monotonic()
        self._answer: asyncio.Future[Reloaded] | None = None
        self._gone = False

    async def do(self, message: Take | Settle) -> Reloaded:
        """Raises `Gone`."""
        if self._gone:  # between two messages: nobody would ever answer this one
            raise Gone
        self._answer = asyncio.get_running_loop().create_future()
        self.channel.send(message)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                done = await self._answer
        except TimeoutError:
            log.error("worker %d does not answer and is killed", self.process.pid)
            self.process.kill()
            raise Gone from None
        self.config = done.config if isinstance(message, Settle) else self.config
        return done

    def answered(self, reloaded: Reloaded) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(reloaded)

    def gone(self) -> None:
        self.config, self._gone = "", True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Gone())


class Supervisor:
    """Starts `settings.server.workers` workers and keeps them. `text` is the newest good configuration."""

    def __init__(self, source: Source, text: str, settings: Config, bound: socket.socket) -> None:
        self._source = source
        self._text = text
        self._settings = settings
        self._bound = bound
        self._workers: set[Worker] = set()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: Sequence[str] = ()
        self._mistakes: Sequence[str] = ()
        self._greeted = False

    async def run(self) -> None:
        """Serves until SIGINT or SIGTERM. Raises `ConfigError` when the workers cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        with hangups(self.reload):
            slots = [asyncio.ensure_future(self._keep()) for _ in range(self._settings.server.workers)]
            watching = asyncio.ensure_future(self._watch())
            await self._stopping.wait()
            watching.cancel()
            self._bound.close()  # the workers have theirs; when they close it, nobody accepts any more
            server = self._settings.server
            _, late = await asyncio.wait(slots, timeout=server.notice + server.drain + 2 * CLOSE_SECONDS + SETTLE_SECONDS)
            for worker in self._workers if late else ():
                log.error("worker %d does not end and is killed", worker.process.pid)
                worker.process.kill()
            await asyncio.gather(*slots, watching, return_exceptions=True)
        if self._failure:
            raise ConfigError(self._failure)

    def _stop(self, number: int) -> None:
        """Each worker drains by itself; SIGINT for the second time ends them at once."""
        again = self._stopping.is_set()
        self._stopping.set()
        for worker in self._workers:
            signalled(worker.process, signal.SIGINT if again and number == signal.SIGINT else signal.SIGTERM)

    async def _keep(self) -> None:
        """One place: whenever its worker ends, another starts, more slowly when they do not last."""
        pause = 0.0
        while not self._stopping.is_set():
            worker = await self._start()
            while (message := await worker.channel.receive()) is not None:
                self._heard(worker, message)
            worker.gone()
            status = await worker.process.wait()
            self._workers.discard(worker)
            worker.channel.close()
            if self._stopping.is_set():
                return
            lasted = time.monotonic() - worker.began > LONG_ENOUGH
            pause = 0.0 if lasted else min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
            log.error("worker %d has ended with status %d; another one starts", worker.process.pid, status)
            await asyncio.sleep(pause)

    async def _start(self) -> Worker:
        own, other = socket.socketpair()
        with other:
            command = [msgspec.json.encode(self._source).decode(), str(self._bound.fileno()), str(other.fileno())]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "lynkr_core.cli.worker", *command, pass_fds=(self._bound.fileno(), other.fileno()),
                process_group=0,  # Ctrl-C is for the supervisor, which tells them
            )  # fmt: skip
        worker = Worker(process, await Channel.over(own))
        self._workers.add(worker)
        worker.channel.send(Take(self._text))
        if self._stopping.is_set():
            signalled(process, signal.SIGTERM)
        return worker

    def _heard(self, worker: Worker, message: Message) -> None:
        if isinstance(message, Taken):
            worker.answered(message.reloaded)
        elif isinstance(message, Listening):
            self._spawn(self._listens(worker, message))
        elif isinstance(message, Ask):
            self._spawn(self._asked(worker))
        elif isinstance(message, Failed):
            self._failed(message.mistakes)

    def _failed(self, mistakes: Sequence[str]) -> None:
        """Before all have listened once, nothing serves; afterwards it is one worker's trouble."""
        if self._greeted:
            log.error("a worker cannot start:\n  %s", "\n  ".join(mistakes))
        elif not self._stopping.is_set():
            self._failure = mistakes
            self._stop(signal.SIGTERM)

    async def _listens(self, worker: Worker, message: Listening) -> None:
        """A worker that started while the others took up another configuration takes it up too."""
        async with self._one_at_a_time:
            worker.config = message.config
            if message.config != self._settings.hash:
                await self._settle([worker], await self._take([worker], self._text))
            if self._mistakes:
                await self._settle([worker], self._mistakes)
        if not self._greeted and sum(bool(worker.config) for worker in self._workers) >= self._settings.server.workers:
            self._greeted = True
            greet(self._settings, message.providers, message.address)

    async def _watch(self) -> None:
        if self._settings.server.watch:
            async for _ in changes(self._source.path):
                await self.reload()

    async def _asked(self, worker: Worker) -> None:
        worker.channel.send(Told(await self.reload()))

    async def reload(self) -> Reloaded:
        """All workers take the file up, or none."""
        async with self._one_at_a_time:
            workers = [worker for worker in self._workers if worker.config]
            try:
                text = read(self._source.path)
                settings = self._source.parse(text)
                mistakes = await self._take(workers, text) or settings.mistakes
            except ConfigError as error:
                mistakes = error.mistakes
            else:
                if not mistakes:
                    self._text, self._settings = text, settings
            self._mistakes = mistakes
            if mistakes:
                tell_refused(self._settings.hash, mistakes)
            return await self._settle(workers, mistakes)

    async def _take(self, workers: Sequence[Worker], text: str) -> Sequence[str]:
        """Has them build a configuration; why one of them cannot."""
        told = await self._each(workers, Take(text))
        return next((reloaded.mistakes for reloaded in told if reloaded.mistakes), ())

    async def _settle(self, workers: Sequence[Worker], mistakes: Sequence[str]) -> Reloaded:
        told = await self._each(workers, Settle(mistakes))
        restart = told[0].restart if told else ()
        return Reloaded(config=self._settings.hash, mistakes=mistakes, restart=restart, workers=len(told))

    async def _each(self, workers: Sequence[Worker], message: Take | Settle) -> list[Reloaded]:
        """The answers of those that are still there."""
        answers = await asyncio.gather(*[worker.do(message) for worker in workers], return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, Reloaded)]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def signalled(process: asyncio.subprocess.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:
        pass  # it has ended by itself


def supervise(source: Source, text: str, settings: Config) -> None:
    """Serves with several processes until SIGINT or SIGTERM.

    Raises `LynkrError` for an address that cannot be had, and `ConfigError` when the workers cannot start.
    """
    with listener(settings.server.host, settings.server.port) as bound:
        bound.listen(BACKLOG)
        asyncio.run(Supervisor(source, text, settings, bound).run())
