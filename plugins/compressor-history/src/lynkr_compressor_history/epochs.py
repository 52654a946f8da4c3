"""What has been left out of each conversation, by principal and session: it stays left out until there is reason to leave out more."""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct

from lynkr_compressor_history.turns import begin, digest
from lynkr_core.exchange import Exchange
from lynkr_core.request import Message
from lynkr_core.sessions import digest as short_digest
from lynkr_core.sessions import session_of
from lynkr_core.stores import KeyValue

log = logging.getLogger("lynkr.history")


class Epoch(Struct, frozen=True, kw_only=True, array_like=True):
    """The messages before `cut`, prompts at the front apart, are `text` now. `of`: a digest of them; `saved`: tokens a turn.

    `usd`: what its summary cost. `new`: the turn that begins it has not been sent.
    """

    cut: int
    of: bytes
    text: str
    saved: int
    usd: float = 0.0
    new: bool = True

    def fits(self, messages: tuple[Message, ...]) -> bool:
        """Whether this is the same conversation, at least as long as it was."""
        return len(messages) > self.cut and digest(messages[begin(messages) : self.cut]) == self.of


encode = msgspec.msgpack.Encoder().encode
_epoch = msgspec.msgpack.Decoder(Epoch)


class Epochs:
    """In a store of values. What cannot be read or written is told once in the log and taken for nothing."""

    def __init__(self, store: KeyValue, name: str, keep: float) -> None:
        self._store = store
        self._name = name
        self._keep = keep

    def key(self, exchange: Exchange) -> str | None:
        """Never the session's name alone: callers choose names."""
        session = session_of(exchange)
        if session is None:
            return None
        return f"{self._name}:{short_digest(chr(0).join((exchange.principal.id, session.id, session.thread)))}"

    async def find(self, key: str, messages: tuple[Message, ...]) -> Epoch | None:
        try:
            data = await self._store.get(key)
            epoch = None if data is None else _epoch.decode(data)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("what was left out of a conversation cannot be read: %s", type(error).__name__)
            return None
        return epoch if epoch is not None and epoch.fits(messages) else None

    async def put(self, key: str, epoch: Epoch) -> bool:
        """False when it could not be kept: then it must not be used either, or the next turn would differ."""
        try:
            await self._store.set(key, encode(epoch), self._keep)
        except OSError as error:
            log.warning("what is left out of a conversation cannot be kept: %s", type(error).__name__)
            return False
        return True
