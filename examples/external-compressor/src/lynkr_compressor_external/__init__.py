"""Lets a command or an HTTP service shorten the results of tools: within a deadline, each once, and not at all when it fails."""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from lynkr_compressor_external.running import Command, Service
from lynkr_core.errors import LynkrError, PluginError
from lynkr_core.exchange import Exchange
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Message, Part, Request, Text, ToolCallResponse

log = logging.getLogger("lynkr.external")
LEAVE = b""
"""Kept in the place of a shorter text, where there is none: later turns must not send it otherwise than the first one has."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[compressor.external]`: a `command` or a `url`."""

    command: Annotated[
        list[str], Meta(description="Program and arguments: a text at its input, a shorter one at its output.")
    ] = []
    url: Annotated[str | None, Meta(description='Answers a POST of `{"text": …}` with `{"text": …}`.')] = None
    seconds: Annotated[float, Meta(gt=0, le=4, description="Within which all new results of a request must be shortened.")] = 2.0
    min_bytes: Annotated[int, Meta(ge=1, description="Shorter results are left alone.")] = 2_000
    max_bytes: Annotated[int, Meta(ge=1, le=8_388_608, description="And longer ones.")] = 1_048_576
    at_once: Annotated[int, Meta(ge=1, le=64, description="Texts that are shortened at one time, for all callers.")] = 4
    keep: Annotated[float, Meta(gt=0, description="Seconds for which a text's shorter one is remembered.")] = 86_400.0


class External:
    """What is said of a text is remembered by principal, and said again at every later turn: a provider's prompt cache holds."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` unless there is either a command or a URL."""
        if bool(config.command) == bool(config.url):
            raise PluginError("$: give either command or url")
        self.config = config
        self.id = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        self.store = context.stores.key_value()
        self.run = Service(config.url, context.transport) if config.url else Command(config.command)
        self.places = asyncio.Semaphore(config.at_once)
        how = msgspec.json.encode((config.command, config.url))
        self.salt = blake2b(how, digest_size=16).digest()

    async def transform_request(self, exchange: Exchange, request: Request) -> Request | None:
        if len(exchange.body) < self.config.min_bytes:
            return None
        texts = {text for message in request.messages for text in self.results(message)}
        if not texts:
            return None
        keys = {text: self.key(exchange, text) for text in texts}
        known = {text: await self.store.get(key) for text, key in keys.items()}
        new = [text for text, found in known.items() if found is None]
        if new:
            known |= await self.shorten(new)
            for text in new:
                await self.store.set(keys[text], known[text] or LEAVE, self.config.keep)
        shorter = {text: found.decode() for text, found in known.items() if found}
        if not shorter:
            return None
        changed = request.edit(messages=tuple([self.changed(message, shorter) for message in request.messages]))
        save(exchange, self.id, self.tokens.count(*shorter) - self.tokens.count(*shorter.values()))
        return changed

    def key(self, exchange: Exchange, text: str) -> str:
        name = f"{exchange.principal.id}\0{text}".encode("utf-8", "surrogatepass")
        return f"{self.id}:{blake2b(name, digest_size=20, key=self.salt).hexdigest()}"

    def results(self, message: Message) -> list[str]:
        """Texts of a message that may be shortened: results of tools that did not fail."""
        found = [part for part in message.parts if isinstance(part, ToolCallResponse) and not part.is_error]
        return [inner.text for part in found for inner in part.content if isinstance(inner, Text) and self.fits(inner.text)]

    def fits(self, text: str) -> bool:
        return self.config.min_bytes <= len(text) <= self.config.max_bytes

    async def shorten(self, texts: list[str]) -> dict[str, bytes | None]:
        """The shorter text of each that has one in time."""
        tasks = {text: asyncio.create_task(self.one(text)) for text in texts}
        await asyncio.wait(tasks.values(), timeout=self.config.seconds)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {text: None if task.cancelled() else task.result() for text, task in tasks.items()}

    async def one(self, text: str) -> bytes | None:
        try:
            async with self.places:
                shorter = await self.run(text, self.config.max_bytes)
        except (LynkrError, OSError, ValueError, msgspec.MsgspecError) as error:
            log.warning("a result was left as it is: %s", type(error).__name__)
            return None
        is_shorter = bool(shorter) and self.tokens.count(shorter) < self.tokens.count(text)
        return shorter.encode("utf-8", "replace") if is_shorter else None

    def changed(self, message: Message, shorter: dict[str, str]) -> Message:
        parts = [self.replaced(part, shorter) if isinstance(part, ToolCallResponse) else part for part in message.parts]
        same = all(new is old for new, old in zip(parts, message.parts, strict=True))
        return message if same else message.edit(parts=tuple(parts))

    def replaced(self, part: ToolCallResponse, shorter: dict[str, str]) -> Part:
        if part.is_error or not any(isinstance(inner, Text) and inner.text in shorter for inner in part.content):
            return part
        content = [
            inner.edit(text=shorter[inner.text]) if isinstance(inner, Text) and inner.text in shorter else inner
            for inner in part.content
        ]
        return part.edit(content=tuple(content))


plugin = Plugin(api=1, config=Config, create=External)
