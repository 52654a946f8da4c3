"""One configured server: what it offers, its sessions, and calls that always come back with a text."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR

from lynkr_compressor_mcp.bounds import pool
from lynkr_compressor_mcp.config import Remote
from lynkr_compressor_mcp.session import Session
from lynkr_compressor_mcp.telling import Offer, clean, given, offers
from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import ToolCall

log = logging.getLogger("lynkr.mcp")
LIST_SECONDS, RETRY = 20.0, 30.0
"""How long a list of tools may take, and after how many seconds it is asked for again when it did not come."""
MOST_TOOLS = 500
FAILURES, REST = 3, 30.0
"""After so many failures in a row nobody asks for so many seconds."""
SESSIONS = 100
"""Connections that are open at once, each for one conversation."""
_arguments = msgspec.json.Decoder(dict[str, Any])
Whose = tuple[str, ...] | None
"""Principal, session and thread; None for a conversation that cannot be known again: its session ends with the call."""


class Server:
    """Serves while entered."""

    def __init__(self, name: str, remote: Remote, headers: Mapping[str, str]) -> None:
        self.name = name
        self.remote = remote
        self.offers: tuple[Offer, ...] = ()
        self.listed = asyncio.Event()  # or failed to be
        self._headers = headers
        self._sessions: OrderedDict[Whose, Session] = OrderedDict()
        self._room = asyncio.Semaphore(remote.concurrency)
        self._failures = 0
        self._rests_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> str:
        return "unreachable" if self._failures else "ok" if self.listed.is_set() else "starting"

    def open(self) -> None:
        self._pool = pool(2 * SESSIONS)
        self._spawn(self._look())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*[session.close() for session in self._sessions.values()])
        self._sessions.clear()
        await self._pool.aclose()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        """Asks for the tools again and again. What was listed stands while the server cannot be asked: who is calling is told then."""
        while True:
            ok = await self._list()
            self.listed.set()
            self._sweep()
            await asyncio.sleep(self.remote.refresh if ok else min(RETRY, self.remote.refresh))

    async def _list(self) -> bool:
        session = self._session()
        try:
            async with asyncio.timeout(LIST_SECONDS):
                listed = await session.tools(MOST_TOOLS)
        except Exception as error:
            self._failed("does not list its tools", error)
            return False
        finally:
            self._spawn(session.close())
        self._well()
        self.offers = tuple(offers(self.name, listed, self.remote.tools))
        if len(self.offers) < len(listed):
            log.info("MCP server %s: %d of %d tools are offered", self.name, len(self.offers), len(listed))
        return True

    async def answer(self, offer: Offer, whose: Whose, call: ToolCall) -> str:
        """What the tool gave, or what is wrong, for the model. Never raises but when it is cancelled."""
        try:
            arguments = _arguments.decode(call.arguments.encode() or b"{}")
        except UNREADABLE as error:
            return f"Not called: the arguments are no JSON object: {error}"
        if time.monotonic() < self._rests_until:
            return f"Not called: the server {self.name} did not answer the last calls. Go on without it for now."
        try:
            async with asyncio.timeout(self.remote.timeout), self._room:
                return await self._call(offer, whose, arguments)
        except TimeoutError:  # a slow tool, or a caller with many calls, is no reason to leave the others without the server
            return f"The server {self.name} gave no answer within {self.remote.timeout:g} seconds. Go on without it."
        except Exception as error:
            self._failed("does not answer", error)
            return f"The server {self.name} cannot be reached. Go on without it."

    async def _call(self, offer: Offer, whose: Whose, arguments: dict[str, Any]) -> str:
        for again in (False, True):
            known = self._sessions.get(whose) if whose else None
            fresh = known is None or known.over
            session = self._session() if known is None or known.over else known
            if fresh and whose:
                self._keep(whose, session)
            try:
                result = await session.call(offer.name, arguments)
            except BaseException as error:
                if not (isinstance(error, MCPError) and error.code == INVALID_PARAMS):
                    self._drop(whose, session)
                if session.exceeded:
                    self._well()
                    return f"The server {self.name} answered with over {self.remote.max_bytes} bytes, which is more than is read."
                if not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED:
                    raise
                if fresh or again or error.code != INVALID_REQUEST:  # a session may be forgotten by its server
                    return self._refused(error)
            else:
                self._well()
                if whose is None:
                    self._drop(whose, session)
                return given(result, self.remote.max_text)
        raise AssertionError("the second time ends it")

    def _refused(self, error: MCPError) -> str:
        self._well()
        if error.code == PARSE_ERROR:
            return f"The server {self.name} gave an answer that cannot be read."
        return f"The server {self.name} refused the call: {clean(error.message)[:500]}"

    def _session(self) -> Session:
        remote = self.remote
        return Session(remote.url, self._headers, self._pool, remote.max_bytes, remote.timeout)

    def _keep(self, whose: Whose, session: Session) -> None:
        """For the conversation's next call; those used longest ago go."""
        self._sessions[whose] = session
        self._sweep()
        while len(self._sessions) > SESSIONS:
            self._drop(*next(((key, one) for key, one in self._sessions.items() if not one.calls), (whose, session)))

    def _sweep(self) -> None:
        """Ends sessions that nobody has used for a while."""
        before = time.monotonic() - self.remote.keep
        for key, session in list(self._sessions.items()):
            if session.over or (not session.calls and session.used < before):
                self._drop(key, session)

    def _drop(self, whose: Whose, session: Session) -> None:
        if self._sessions.get(whose) is session:
            del self._sessions[whose]
        self._spawn(session.close())

    def _failed(self, what: str, error: Exception) -> None:
        """Told once, until it answers again."""
        if not self._failures:
            log.warning("MCP server %s %s: %s", self.name, what, type(error).__name__)
        self._failures += 1
        if self._failures >= FAILURES:
            self._rests_until = time.monotonic() + REST

    def _well(self) -> None:
        if self._failures:
            log.info("MCP server %s answers again", self.name)
        self._failures, self._rests_until = 0, 0.0
