"""Commands that work on the stores themselves: the gateway need not run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from lynkr_core.errors import GatewayError, LynkrError, PluginError
from lynkr_core.stores import MemoryStore

T = TypeVar("T")


def run(work: Callable[[], Awaitable[T]], *stores: Any, hidden: str) -> T:
    """What `work` gives while the stores are open, each of them once.

    Raises `PluginError`, which says `hidden`, for a store that this process alone sees, and `LynkrError` for what could not be done.
    """
    if any(isinstance(store, MemoryStore) for store in stores):
        raise PluginError(hidden)
    try:
        return asyncio.run(_run(work, stores))
    except GatewayError as error:
        raise LynkrError(error.message) from None
    except OSError as error:
        raise LynkrError(f"the store does not answer: {error.strerror or type(error).__name__}") from None


async def _run(work: Callable[[], Awaitable[T]], stores: tuple[Any, ...]) -> T:
    async with AsyncExitStack() as stack:
        for store in {id(store): store for store in stores}.values():
            await opened(stack, store)
        return await work()


async def opened(stack: AsyncExitStack, instance: Any) -> Any:
    """The instance, entered where it is a context manager."""
    return await stack.enter_async_context(instance) if hasattr(instance, "__aenter__") else instance
