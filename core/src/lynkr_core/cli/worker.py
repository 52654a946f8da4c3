"""One of several processes that serve: `python -m lynkr_core.cli.worker SOURCE LISTENER CONTROL`, started by the supervisor only.

LISTENER and CONTROL are the numbers of inherited sockets: the one that all workers accept on, and the way to the supervisor.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Self

import msgspec

from lynkr_core.app import Application
from lynkr_core.cli.channel import Ask, Channel, Failed, Listening, Settle, Take, Taken, Told, framed, receive
from lynkr_core.cli.logs import log_lines
from lynkr_core.cli.reloading import Generations, Source, hangups
from lynkr_core.cli.server import Server, run
from lynkr_core.errors import ConfigError, LynkrError
from lynkr_core.process import Reloaded


class Worker:
    """The worker's side of the channel, and the configurations that it serves with. Entered, it can be told what to do."""

    def __init__(self, generations: Generations, control: socket.socket) -> None:
        self._generations = generations
        self._generations.process.reload = self.ask
        self._control = control
        self._made: Application | None = None
        self._asking: list[asyncio.Future[Reloaded]] = []

    async def __aenter__(self) -> Self:
        await self._generations.__aenter__()
        self._channel = await Channel.over(self._control)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._generations.__aexit__(*error)
        self._channel.close()

    def ready(self, address: str) -> None:
        """Called by the server once it listens."""
        kernel = self._generations.current.kernel
        self._channel.send(Listening(address, kernel.config.hash, sorted(kernel.catalog.providers)))

    async def ask(self) -> Reloaded:
        """Has all workers take the file up again."""
        asking: asyncio.Future[Reloaded] = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self._channel.send(Ask())
        return await asking

    async def obey(self, server: Server) -> None:
        """Does what the supervisor says; stops when it is gone."""
        self._generations.attach(server)
        with hangups(self.ask):
            while (message := await self._channel.receive()) is not None:
                if isinstance(message, Told):
                    self._asking.pop(0).set_result(message.reloaded)
                elif isinstance(message, Take):
                    self._channel.send(Taken(await self._take(message.text)))
                elif isinstance(message, Settle):
                    self._channel.send(Taken(await self._settle(message.mistakes)))
        server.should_exit = True

    async def _take(self, text: str) -> Reloaded:
        try:
            self._made = await self._generations.prepare(text)
        except ConfigError as error:
            return self._generations.refused(error.mistakes)
        return Reloaded(config=self._made.kernel.config.hash)

    async def _settle(self, mistakes: Sequence[str]) -> Reloaded:
        made, self._made = self._made, None
        if not mistakes and made is not None:
            return self._generations.commit(made)
        if made is not None:
            await self._generations.discard(made)
        return self._generations.refused(mistakes)


def main(source: str, bound: str, control: str) -> None:
    """Ends with status 2 for a configuration that cannot be served, which the supervisor is told."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the server is there to hear it
    log_lines()
    accepting, end = socket.socket(fileno=int(bound)), socket.socket(fileno=int(control))
    first = receive(end)
    assert isinstance(first, Take)
    try:
        generations = Generations(msgspec.json.decode(source, type=Source), first.text)
        worker = Worker(generations, end)
        settings = generations.current.kernel.config.server
        log_lines(settings.log)
        run(
            generations.dispatch, accepting, settings, ready=worker.ready, process=generations.process, around=worker,
            beside=worker.obey,
        )  # fmt: skip
    except LynkrError as error:
        end.setblocking(True)
        end.sendall(framed(Failed(error.mistakes if isinstance(error, ConfigError) else [str(error)])))
        sys.exit(2)


if __name__ == "__main__":
    main(*sys.argv[1:])
