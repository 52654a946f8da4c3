"""A limit for plugins that have to be quick: a call, or an asynchronous one's step, that does not come back is broken off.

By the alarm signal, which interrupts sleeping, loops and regular expressions alike. It can be had in the main thread of Unix
systems, where the server runs, and is left to whoever uses it already: elsewhere such a call takes as long as it takes.
"""

from __future__ import annotations

import atexit
import signal
import time
from collections.abc import Callable, Coroutine, Generator
from threading import current_thread, get_ident, main_thread
from typing import Any

STALL_SECONDS = 2.0
"""As long as nobody is served. A thousand times what a scorer should take, so that a busy machine is no reason."""


class Alarm:
    """The process's one alarm. It is set once in a while instead of for every call, which would cost two system calls each."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.is_set = False
        self.thread = 0

    def taken(self) -> bool:
        """Takes the signal for the main thread, if nobody else has it."""
        if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
            return False
        if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
            signal.signal(signal.SIGALRM, self.rings)
            atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # after its end nobody is left to hear it, and it would kill
        if signal.getsignal(signal.SIGALRM) != self.rings:
            return False
        self.thread = get_ident()
        return True

    def set(self, seconds: float) -> None:
        self.is_set = True
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def rings(self, signum: int, frame: object) -> None:
        """Raises `TimeoutError`, wherever the running call stands, when that has had its time."""
        self.is_set = False
        if self.began is None:
            return
        left = self.began + STALL_SECONDS - time.monotonic()
        if left > 0:
            self.set(left)
            return
        self.began = None
        raise TimeoutError(f"gave no answer within {STALL_SECONDS:g} s")


ALARM = Alarm()


def bounded(function: Callable[..., Any], alarm: Alarm = ALARM) -> Callable[..., Any]:
    """The function, which raises `TimeoutError` after `STALL_SECONDS`."""

    def call(*args: Any) -> Any:
        if get_ident() != alarm.thread and not alarm.taken():
            return function(*args)
        alarm.began = time.monotonic()
        if not alarm.is_set:
            alarm.set(STALL_SECONDS)
        try:
            return function(*args)
        finally:
            alarm.began = None

    return call


def in_steps(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The function, whose coroutine raises `TimeoutError` after `STALL_SECONDS` without an `await`: it would stop everybody's requests."""

    async def call(*args: Any) -> Any:
        return await Steps(function(*args))

    return call


class Steps:
    """A coroutine that is waited for, each of its steps bounded."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        send, throw = bounded(self.coroutine.send), bounded(self.coroutine.throw)
        step, value = send, None
        while True:
            try:
                awaited = step(value)
            except StopIteration as end:
                return end.value
            try:
                step, value = send, (yield awaited)
            except GeneratorExit:
                self.coroutine.close()
                raise
            except BaseException as error:
                step, value = throw, error
