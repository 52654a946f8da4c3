"""Starts and stops an ASGI app as a server does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from lynkr_core.testing.waiting import PATIENCE


class Lifespan:
    """One app's lifespan. `start` and `stop` raise what the app raised, or `RuntimeError` with the message of its failure."""

    def __init__(self, app: Any, state: dict[str, Any]) -> None:
        self._app = app
        self._scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
        self._stopping = anyio.Event()
        self._asked = False
        self._told = {"startup": anyio.Event(), "shutdown": anyio.Event()}
        self._failed: str | None = None
        self._error: Exception | None = None

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # raised again by `_phase`, in the test's own task
            self._error = error
        finally:
            for told in self._told.values():
                told.set()

    async def _receive(self) -> dict[str, str]:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Any) -> None:
        _, phase, result = message["type"].split(".")
        if result == "failed":
            self._failed = f"{phase} failed: {message.get('message', '')}"
        self._told[phase].set()

    async def start(self) -> None:
        await self._phase("startup")

    async def stop(self) -> None:
        self._stopping.set()
        await self._phase("shutdown")

    async def _phase(self, name: str) -> None:
        await self._told[name].wait()
        if self._error is not None:
            raise self._error
        if self._failed is not None:
            raise RuntimeError(self._failed)


@asynccontextmanager
async def lifespan(app: Any, state: dict[str, Any], patience: float = PATIENCE) -> AsyncGenerator[None]:
    """Runs the app's lifespan around the block. Raises `TimeoutError` when starting or stopping takes over `patience` seconds."""
    running = Lifespan(app, state)
    failure: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(running.run)
        try:
            with anyio.fail_after(patience):
                await running.start()
            yield
            with anyio.fail_after(patience):
                await running.stop()
        except BaseException as error:  # raised again below, because the group would wrap it
            failure.append(error)
            tasks.cancel_scope.cancel()
    if failure:
        raise failure[0]
