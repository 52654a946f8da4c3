"""Remembers what users say of themselves and their projects, and tells it to the model again when it matters."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate, Exchange, Key, Outcome
from lynkr_core.plugins import Context, Plugin
from lynkr_core.remarks import save
from lynkr_core.request import Request
from lynkr_core.routes import Route
from lynkr_core.sessions import PLACES, Session, named, session_of
from lynkr_core.stores.guarded import Watch
from lynkr_extension_memory.asking import Asking
from lynkr_extension_memory.commands import Commands
from lynkr_extension_memory.desk import Desk
from lynkr_extension_memory.extraction import Finding, found
from lynkr_extension_memory.hearing import Heard
from lynkr_extension_memory.keeping import SCANNED, Keeper, Said
from lynkr_extension_memory.owners import is_known, name_of, owner_of, room_of, talk_of
from lynkr_extension_memory.placing import Ask, asks, beginning, block, line, placed, places
from lynkr_extension_memory.recall import rank
from lynkr_extension_memory.rows import MOST_TURNS, Line, Record, Turn
from lynkr_extension_memory.shelf import Shelf

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["Config", "Memory", "plugin"]

log = logging.getLogger("lynkr.memory")
DAY = 86_400.0
OFF = b"x-lynkr-memory"
"""The header with which a caller goes without: `x-lynkr-memory: off`."""


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.memory]`"""

    scope: Annotated[
        Literal["session", "user"],
        Meta(
            description="Whether each session has its own memory, or all sessions of a user, or of a key without one, have one."
        ),
    ] = "session"
    anonymous: Annotated[
        bool,
        Meta(description="Whether callers whom nobody knows have one, too: all of them the same, for a machine of one's own."),
    ] = False
    store: Annotated[str | None, Meta(description="Name of the store for values; the first one when left out.")] = None
    days: Annotated[float, Meta(gt=0, le=3650, description="Days for which a memory is kept after it was said last.")] = 90.0
    talk_days: Annotated[
        float,
        Meta(
            gt=0, le=365, description="Days without a turn after which a conversation's recalled memories are no longer repeated."
        ),
    ] = 7.0
    most: Annotated[int, Meta(ge=1, le=1000, description="Memories of one session or user; beyond it those worth least go.")] = (
        200
    )
    surprise: Annotated[
        float, Meta(ge=0, le=1, description="Share of its words, and pairs of them, that must be new against each known memory.")
    ] = 0.35
    answers: Annotated[bool, Meta(description="Whether decisions and project facts in the model's answers are kept, too.")] = True
    recall: Annotated[int, Meta(ge=1, le=50, description="Memories that are recalled at one turn, at most.")] = 6
    turn_tokens: Annotated[int, Meta(ge=50, le=10_000, description="Tokens that they may have.")] = 400
    talk_tokens: Annotated[int, Meta(ge=50, le=100_000, description="Tokens of all that is recalled in one conversation.")] = (
        4_000
    )
    deadline: Annotated[
        float, Meta(gt=0, le=4, description="Seconds after which a store that has not answered is done without.")
    ] = 1.0
    model: Annotated[
        str | None,
        Meta(description="A tier, or `provider/model`, that looks for memories beside the rules; none: no model is asked."),
    ] = None
    model_usd: Annotated[
        float, Meta(ge=0, description="USD that this model may cost in a day (UTC), for all callers together.")
    ] = 0.1


class Here(Struct, frozen=True, kw_only=True):
    """What is known of an exchange. `texts`: what is recalled, by turn. `fresh`: the turn that is new with this request."""

    owner: str
    room: str
    who: str
    session: str
    asks: Sequence[Ask] = ()
    texts: dict[bytes, str] = {}
    fresh: Ask | None = None
    heard: Heard | None = None


NOBODY = Here(owner="", room="", who="", session="")


class Memory:
    """Adds to the request; what it has once added it adds again in every later turn. Acts before `compressor.cache-guard`, which watches."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a store, a tier or a model that is not there."""
        self.config = config
        self.id = f"{context.kind}.{context.name}"
        self.tokens = context.tokens
        self.by_user = config.scope == "user"
        try:
            values = context.stores.key_value(config.store)
        except KeyError:
            raise PluginError(f"$.store: there is no [store.{config.store}]") from None
        watch = None if values is context.stores.memory else Watch(self.id, config.deadline)
        self.shelf = Shelf(values, self.id, config.days * DAY, config.talk_days * DAY, watch)
        self.keeper = Keeper(self.shelf, config.surprise, config.most)
        self.asking = Asking(config.model, config.model_usd, context) if config.model else None
        self.commands = Commands(self.shelf, values)
        self.desk = Desk(self.shelf, self.by_user, config.anonymous)
        self.here: Key[Here] = Key(f"{self.id}.here")
        self.recalled = self.failed = 0
        self.frame = self.tokens.count(block(()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.asking is not None:
            await self.asking.stop()

    async def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        here = exchange.get(self.here)
        if here is None:
            here = await self.begin(exchange, request)
            exchange.set(self.here, here)
        if not here.texts:
            return None
        wanted = [ask for ask in here.asks if ask.anchor in here.texts]
        where = places(exchange.request.messages, request.messages, wanted)
        if not where:
            return None
        save(exchange, self.id, -self.tokens.count(*[here.texts[ask.anchor] for ask in where.values()]))
        return placed(request, where, here.texts)

    async def begin(self, exchange: Exchange, request: Request) -> Here:
        """What was recalled in this conversation, and what is at this turn. Without a store there is nothing."""
        session = self.session(exchange)
        if session is None:
            return NOBODY
        messages, who = exchange.request.messages, exchange.principal
        told = asks(messages, beginning(exchange.envelope.fields, PLACES.elsewhere))
        if not told:
            return NOBODY
        owner, room, talk = owner_of(who, self.by_user), room_of(exchange, session, self.by_user), talk_of(exchange, session)
        fresh = told[-1] if told[-1].place == len(messages) - 1 else None
        record = Record()
        try:
            record = await self.shelf.record(owner, talk)
            if fresh is not None and record.find(fresh.anchor) is None and len(record.turns) < MOST_TURNS:
                record = await self.turn(exchange, request, (owner, room, talk), record, told)
        except OSError as error:
            self.fail(error)
        heard = Heard() if self.config.answers else None
        if heard is not None:
            exchange.observe(heard)
        texts = {turn.anchor: block(turn.lines) for turn in record.turns if turn.lines}
        name = name_of(who, self.by_user)
        return Here(
            owner=owner, room=room, who=name, session=session.id, asks=told, texts=texts, fresh=fresh, heard=heard,
        )  # fmt: skip

    def session(self, exchange: Exchange) -> Session | None:
        """None where nothing is remembered. By how it begins, no session can be told from another one that begins so."""
        if exchange.operation != "chat" or not (self.config.anonymous or is_known(exchange.principal)):
            return None
        if exchange.headers.get(OFF, b"").lower() == b"off":
            return None
        return session_of(exchange) if self.by_user or named(exchange) is not None else None

    async def turn(
        self, exchange: Exchange, request: Request, keys: tuple[str, str, str], record: Record, told: Sequence[Ask]
    ) -> Record:
        """The record with this turn, and what is recalled at it: nothing that is in the conversation already."""
        owner, room, talk = keys
        seen = {ask.anchor for ask in places(exchange.request.messages, request.messages, told).values()}
        before, session = record.ids(), session_of(exchange)
        rows = [
            row
            for row in await self.shelf.rows(owner, room, SCANNED)
            if row.id not in before
            and not (row.origin in seen and (row.by != "answer" or (session and row.session == session.id)))
        ]
        ranked = rank(told[-1].text, rows, exchange.created, self.config.recall, standing=not before) if rows else []
        lines, tokens = self.fitting([line(row) for row in ranked], self.config.talk_tokens - record.tokens)
        self.recalled += len(lines)
        turns = [*record.turns, Turn(told[-1].anchor, lines)]
        return await self.shelf.keep(owner, talk, Record(record.tokens + tokens, turns))

    def fitting(self, lines: Sequence[Line], left: int) -> tuple[list[Line], int]:
        """The first lines, so far as there is room for them, and their tokens with the frame."""
        room, kept, used = min(self.config.turn_tokens, left), list[Line](), self.frame
        for one in lines:
            size = self.tokens.count(one.text) + 1
            if used + size <= room:
                kept.append(one)
                used += size
        return kept, used if kept else 0

    async def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        here = exchange.get(self.here)
        if here is None or here is NOBODY or outcome.status != "ok" or not here.asks:
            return
        origin = here.asks[-1].anchor
        answer = here.heard.text if here.heard is not None else ""
        try:
            if here.fresh is not None:
                await self.keep(exchange, here, origin, "user", found(here.fresh.text))
            if answer:
                await self.keep(exchange, here, origin, "answer", found(answer, answer=True))
            if self.asking is not None and here.fresh is not None and self.asking.may(exchange, here.fresh.text):
                findings = await self.asking.ask(exchange.id, here.fresh.text)
                await self.keep(exchange, here, origin, "model", findings)
        except OSError as error:
            self.fail(error)

    async def keep(self, exchange: Exchange, here: Here, origin: bytes, by: str, findings: Sequence[Finding]) -> None:
        if findings:
            said = Said(
                id=exchange.id, who=here.who, session=here.session, origin=origin, at=exchange.created, by=by,
            )  # fmt: skip
            await self.keeper.keep(here.owner, here.room, said, findings)

    def fail(self, error: OSError) -> None:
        """Requests go on without a memory."""
        self.failed += 1
        if self.failed == 1 or self.shelf.is_up:
            log.warning("%s goes on without its store: %s", self.id, type(error).__name__)

    def register_routes(self) -> Sequence[Route]:
        return self.desk.routes()

    def register_commands(self, cli: App) -> None:
        self.commands.add_to(cli)

    def status(self) -> dict[str, Any]:
        """Counts of this process; nobody's words."""
        keeper = self.keeper
        told = {"recalled": self.recalled, "kept": keeper.kept, "known_already": keeper.known, "replaced": keeper.replaced}
        store = {"failed": self.failed, "store": "ok" if self.shelf.is_up else "down"}
        return {**told, **store, **(self.asking.status() if self.asking else {})}


plugin = Plugin(api=1, config=Config, create=Memory, rank=-2)
