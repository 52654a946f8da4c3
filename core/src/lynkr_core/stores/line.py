"""The line to a store that is asked over the network: with a deadline, and cut for a second once it has failed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger("lynkr.stores")
T = TypeVar("T")
RETRY_SECONDS = 1.0


class Line:
    """Nobody waits for a store that is down: one call a second tries it again, the others fail at once.

    `broken` are the driver's errors that say it is down, `refused` those of a store that is there and will not do it.
    """

    def __init__(
        self, name: str, deadline: float, broken: tuple[type[Exception], ...], refused: tuple[type[Exception], ...]
    ) -> None:
        self._name = name
        self._deadline = deadline
        self._broken = (*broken, OSError)
        self._refused = refused
        self._error = ""
        self._retry_at = 0.0

    @property
    def is_up(self) -> bool:
        return not self._error

    async def ask(self, call: Coroutine[Any, Any, T]) -> T:
        """What the call gives. Raises `OSError` when the store did not answer in time, is down, or refused."""
        if self._error:
            if time.monotonic() < self._retry_at:
                call.close()
                raise OSError(f"store.{self._name} is down: {self._error}")
            self._retry_at = time.monotonic() + max(RETRY_SECONDS, self._deadline)
        try:
            async with asyncio.timeout(self._deadline):
                told = await call
        except TimeoutError:
            raise self._down(f"no answer within {self._deadline:g} s") from None
        except self._broken as error:
            raise self._down(str(error) or type(error).__name__) from None
        except self._refused as error:
            self._up()
            raise OSError(f"store.{self._name} refused: {error}") from None
        self._up()
        return told

    def _down(self, error: str) -> OSError:
        if not self._error:
            log.error("store.%s is down: %s", self._name, error)
        self._error = error
        self._retry_at = time.monotonic() + RETRY_SECONDS
        return OSError(f"store.{self._name} is down: {error}")

    def _up(self) -> None:
        if self._error:
            log.warning("store.%s is up again", self._name)
            self._error = ""
