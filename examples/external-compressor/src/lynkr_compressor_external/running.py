"""The two ways to reach a compressor: a command for each text, or a service that is there already. Both are ended when they are cancelled."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from msgspec import Struct

from lynkr_core.upstream import Endpoint, Transport


class Body(Struct):
    """What a service is sent, and what it answers."""

    text: str


_body = msgspec.json.Decoder(Body)


class Command:
    """A program: text at its standard input, shorter text at its output, status 0. What it writes to its standard error is dropped."""

    def __init__(self, command: list[str]) -> None:
        self.command = command

    async def __call__(self, text: str, most: int) -> str:
        """Raises `OSError` when it cannot be started, `ValueError` when it fails or says too much."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, stderr=nothing)
        try:
            said, _ = await process.communicate(text.encode("utf-8", "replace"))
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0 or len(said) > most:
            raise ValueError(f"ended with status {process.returncode} and {len(said)} bytes")
        return said.decode()


class Service:
    """One POST for each text."""

    def __init__(self, url: str, transport: Transport) -> None:
        """Raises `ValueError` for a URL that is none."""
        self.endpoint = Endpoint(url, ((b"content-type", b"application/json"),))
        self.transport = transport

    async def __call__(self, text: str, most: int) -> str:
        """Raises `UpstreamError`, `ValueError` for another status than 200, `MsgspecError` for another answer."""
        call = self.transport.send(self.endpoint, (), msgspec.json.encode(Body(text)))
        try:
            response = await call.response()
            said = await response.read(most)
        except asyncio.CancelledError:
            call.abort()
            raise
        if response.status != 200:
            raise ValueError(f"answered with status {response.status}")
        return _body.decode(said).text
