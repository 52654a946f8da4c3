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
from pydantic import ValidationError

from lynkr_compressor_mcp.bounds import pool
from lynkr_compressor_mcp.config import Remote
from lynkr_compressor_mcp.session import Session
from lynkr_compressor_mcp.telling import Offer, clean, given, offers
from lynkr_core.dialect import UNREADABLE
from lynkr_core.request import ToolCall
from lynkr_core.waiting import stopped

log = logging.getLogger("lynkr.mcp")
LIST_SECONDS, RETRY = 20.0, 30.0
"""How long a list of tools may take, and after how many seconds it is asked for again when it did not come."""
MOST_TOOLS = 500
FAILURES, REST = 3, 30.0
"""After so many failures in a row nobody asks for so many seconds."""
SESSIONS = 100
"""Sessions that are open, each for one conversation; more only while more are being used."""
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
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        await stopped(self._looking)
        for whose, session in list(self._sessions.items()):
            self._drop(whose, session)
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
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
            return f"Not called: the server {self.name} did not answer the last calls. Go on without it."
        try:
            async with asyncio.timeout(self.remote.timeout), self._room:
                return await self._call(offer, whose, arguments)
        except TimeoutError:  # a slow tool, or a caller with many calls, is no reason to leave the others without the server
            return f"The server {self.name} gave no answer within {self.remote.timeout:g} seconds. Go on without it."
        except Exception as error:
            self._failed("does not answer", error)
            return f"The server {self.name} cannot be reached. Go on without it."

    async def _call(self, offer: Offer, whose: Whose, arguments: dict[str, Any], again: bool = False) -> str:
        """In the conversation's session. One that its server has forgotten is made anew, once."""
        known = self._known(whose)
        session = known or self._kept(whose, self._session())
        try:
            result = await session.call(offer.name, arguments)
        except BaseException as error:
            code = error.code if isinstance(error, MCPError) else None
            if code == INVALID_REQUEST or (not session.calls and code != INVALID_PARAMS):
                self._drop(whose, session)
            if known and not again and code == INVALID_REQUEST:
                return await self._call(offer, whose, arguments, True)
            return self._why(session, error)
        self._well()
        if whose is None:
            self._drop(whose, session)
        return given(result, self.remote.max_text)

    def _why(self, session: Session, error: BaseException) -> str:
        """What is wrong, where the server has answered; else the error is raised again."""
        if session.exceeded:
            told = f"answered with over {self.remote.max_bytes} bytes, which is more than is read."
        elif isinstance(error, ValidationError) or (isinstance(error, MCPError) and error.code == PARSE_ERROR):
            told = "gave an answer that cannot be read."
        elif isinstance(error, MCPError) and error.code != CONNECTION_CLOSED:
            told = f"refused the call: {clean(error.message)[:500]}"
        else:
            raise error
        self._well()
        return f"The server {self.name} {told}"

    def _session(self) -> Session:
        remote = self.remote
        return Session(remote.url, self._headers, self._pool, remote.max_bytes, remote.timeout)

    def _known(self, whose: Whose) -> Session | None:
        session = self._sessions.get(whose) if whose else None
        if session is None or session.over:
            return None
        self._sessions.move_to_end(whose)
        return session

    def _kept(self, whose: Whose, session: Session) -> Session:
        """For the conversation's next call, if it can be known again; those used longest ago go."""
        if whose is None:
            return session
        self._sessions[whose] = session
        self._sweep()
        idle = [(key, one) for key, one in self._sessions.items() if not one.calls and one is not session]
        for key, one in idle[: max(len(self._sessions) - SESSIONS, 0)]:
            self._drop(key, one)
        return session

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
