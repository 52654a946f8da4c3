"""Finds secrets and personal data in requests, tool results and answers, and blocks them, masks them, keeps them local or warns."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, Struct, field, structs
from phonenumbers import SUPPORTED_REGIONS

from lynkr_core.errors import Forbidden, PluginError
from lynkr_core.events import Event
from lynkr_core.exchange import Candidate, Exchange, Outcome, Reject
from lynkr_core.plugins import Context, Plugin
from lynkr_core.request import Request, Response
from lynkr_core.secret import Secret
from lynkr_core.sessions import session_of
from lynkr_policy_guardrails.acting import Action, actions_of, of_rules
from lynkr_policy_guardrails.answers import Reader
from lynkr_policy_guardrails.detecting import Detector, Hit, detectors
from lynkr_policy_guardrails.engine import Pattern, compiled
from lynkr_policy_guardrails.injection import Injections
from lynkr_policy_guardrails.looking import LOOK, Look, Means
from lynkr_policy_guardrails.masking import Values, Vault, key_of
from lynkr_policy_guardrails.rules import OwnRule, Ready, built_in, opening, own, ready
from lynkr_policy_guardrails.scanning import Scanner

__all__ = ["Config", "Detector", "Guardrails", "Hit", "plugin"]

THREADED = 200_000
"""Bytes of a body from which on it is looked through in a thread."""


def masks() -> dict[str, Action]:
    return {"secret": "mask", "personal": "mask"}


def warnings() -> dict[str, Action]:
    return {"secret": "warn"}


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[policy.guardrails]`"""

    requests: Annotated[
        dict[str, Action],
        Meta(description="What is done about what callers send, by rule or group: `off`, `warn`, `mask`, `local`, `block`."),
    ] = field(default_factory=masks)
    tools: Annotated[dict[str, Action], Meta(description="The same for results of tools.")] = field(default_factory=masks)
    answers: Annotated[dict[str, Action], Meta(description="The same for what models say; nothing of it is `local`.")] = field(
        default_factory=warnings
    )
    injection: Annotated[
        Literal["off", "warn", "wrap", "block"],
        Meta(description="What is done about results of tools that give the model orders."),
    ] = "warn"
    threshold: Annotated[int, Meta(ge=1, description="Points from which on a result counts as such.")] = 10
    rule: Annotated[list[OwnRule], Meta(description="`[[policy.guardrails.rule]]`, beside those built in.")] = []
    allow: Annotated[list[str], Meta(description="Patterns (RE2) of values that are none.")] = []
    languages: Annotated[list[str], Meta(description="Of whose words the ones near a number are taken, as `en`; none: all.")] = []
    regions: Annotated[tuple[str, ...], Meta(description="Whose national forms of phone numbers are known, beside international ones.")] = (
        "US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "PL", "SE", "PT", "BR", "MX", "IN", "AU", "JP", "KR", "CN",
    )  # fmt: skip
    detector: Annotated[
        dict[str, dict[str, Any]],
        Meta(description="`[policy.guardrails.detector.NAME]`: tables of detectors that are installed."),
    ] = {}
    key: Annotated[
        Secret | None,
        Meta(description="Secret that masks depend on; left out, one is made and kept in the first store, or while it runs."),
    ] = None
    ttl: Annotated[
        float, Meta(gt=0, description="Seconds for which masks of a conversation can be restored without being sent again.")
    ] = 3600.0
    memory: Annotated[int, Meta(ge=0, description="Bytes of masked values kept for that.")] = 16 * 1024 * 1024
    budget: Annotated[
        int, Meta(ge=1000, description="Places that are looked at in one request; with more of them it is refused.")
    ] = 400_000


class Guardrails:
    """Looks through what callers send before there are candidates, and again through what plugins have added to it."""

    def __init__(self, config: Config, context: Context) -> None:
        """Raises `PluginError` for a rule, pattern, detector or action that cannot be."""
        self.config = config
        self.counts: Counter[str] = Counter()
        self.vault = Vault(config.ttl, config.memory)
        self._values = context.stores.key_value()
        self._kept = f"policy-{context.name}/key"
        self._secret = config.key.reveal().encode() if config.key else secrets.token_bytes(32)
        rules = (*built_in(), *map(own, config.rule))
        spoken = {language for rule in rules for language in rule.near} - {"own"}
        expect("languages", config.languages, spoken)
        expect("regions", config.regions, SUPPORTED_REGIONS)
        kinds = ready(rules, config.languages)
        self.means = self._means(kinds, detectors(config.detector))
        self._closes = bool(config.injection in ("wrap", "block") or set(self.means.actions["tools"].values()) - {"warn"})
        changing = [one.rule for one in kinds if self.means.actions["answers"].get(one.name) in ("mask", "block")]
        self._opening: Pattern | None = opening(changing)

    def _means(self, kinds: Sequence[Ready], found: Sequence[Detector]) -> Means:
        config = self.config
        groups = {one.name: one.rule.group for one in kinds} | {name: group for one in found for name, group in one.rules.items()}
        try:
            allow = [compiled(pattern) for pattern in config.allow]
        except ValueError as error:
            raise PluginError(f"$.allow: {error}") from None
        actions: dict[str, Mapping[str, Action]] = {
            direction: actions_of(direction, getattr(config, direction), groups) for direction in ("requests", "tools", "answers")
        }
        wanted = {**actions, "answers": altering(actions["answers"], True), "warned": altering(actions["answers"], False)}
        scanners = {name: scanner(of_rules(kinds, wanted[name]), allow, config.regions) for name in wanted}
        injections = Injections(config.threshold) if config.injection != "off" else None
        return Means(actions, scanners, found, injections, config.injection, config.budget)

    async def __aenter__(self) -> Self:
        if not self.config.key:
            self._secret = await self._own_secret()
        return self

    async def __aexit__(self, *error: object) -> None: ...

    async def _own_secret(self) -> bytes:
        """One for all processes that share the store: who writes last has it, and everybody reads it again."""
        kept = await self._values.get(self._kept)
        if kept is None:
            await self._values.set(self._kept, self._secret, math.inf)
            await asyncio.sleep(0.1)
            kept = await self._values.get(self._kept)
        return kept or self._secret

    def pre_route(self, exchange: Exchange) -> Reject | Coroutine[Any, Any, Reject | None] | None:
        """A coroutine for bodies that take long. Raises `InvalidRequest` for a body that cannot be read."""
        look = self._look(exchange)
        exchange.set(LOOK, look)
        if self._closes:
            exchange.closed = True  # what lynkr's own tools say would go back to the model without being looked at
        if len(exchange.body) > THREADED or self.means.detectors:
            return self._in_thread(exchange, look)
        return self._judged(exchange, look, self._through(exchange, look))

    async def _in_thread(self, exchange: Exchange, look: Look) -> Reject | None:
        return self._judged(exchange, look, await asyncio.to_thread(self._through, exchange, look))

    def _look(self, exchange: Exchange) -> Look:
        session = session_of(exchange)
        conversation = (exchange.principal.id, session.id) if session is not None else None
        return Look(self.means, Values(key_of(self._secret, exchange.principal.id)), conversation)

    def _through(self, exchange: Exchange, look: Look) -> Request | None:
        """The request with masks; None where there is nothing to be changed."""
        if exchange.operation == "passthrough":
            look.unchanging(exchange.body.decode("utf-8", "replace"))
            return None
        request = exchange.request
        masked = look.through(request)
        return masked if masked is not request else None

    def _judged(self, exchange: Exchange, look: Look, masked: Request | None) -> Reject | None:
        if look.refusal is not None:
            self._count(look)
            return Reject(look.refusal)
        if look.local and not exchange.local_only:
            exchange.local_only = look.local
        if masked is not None:
            exchange.rewrite(exchange.dialect.encode_request(masked, []))
            exchange.changes += (f"{exchange.dialect.conversation}: guardrails",)
        tell(exchange, look)
        return None

    def revise_selection(self, exchange: Exchange) -> None:
        """Orders nothing: it is the first place where something can be noted for the answer's headers and the journal."""
        if (look := exchange.get(LOOK)) is not None:
            tell(exchange, look)

    def transform_request(self, exchange: Exchange, request: Request, candidate: Candidate) -> Request | None:
        """What plugins have put in since. Raises `GatewayError` for what must not go to this candidate."""
        look = exchange.get(LOOK)
        if look is None:
            look = self._look(exchange)
            exchange.set(LOOK, look)
        masked = look.through(request)
        if look.refusal is not None:
            raise look.refusal
        if look.local and not candidate.provider.is_local(candidate.model):
            raise Forbidden(f"only local models may serve this: {look.local}", code="local_only")
        return masked if masked is not request else None

    def post_response(self, exchange: Exchange, outcome: Outcome) -> None:
        look = exchange.get(LOOK)
        if look is not None and look.refusal is None:
            self._count(look)

    def _count(self, look: Look) -> None:
        for (rule, action, direction), count in look.counts.items():
            self.counts[f"{direction} {rule} {action}"] += count

    def status(self) -> Mapping[str, Any]:
        return {"conversations": len(self.vault), **self.counts}


class Restoring(Guardrails):
    """And changes answers: masks back to values, and what the rules for answers say."""

    def transform_response(self, exchange: Exchange, response: Response) -> Response | None:
        reader = self._reader(exchange)
        if reader is None:
            return None
        after = reader.whole(response)
        tell(exchange, reader.look)
        return after if after is not response else None

    def transform_stream(self, exchange: Exchange, events: AsyncIterator[Event]) -> AsyncIterator[Event] | None:
        reader = self._reader(exchange)
        return None if reader is None else self._streamed(exchange, reader, events)

    async def _streamed(self, exchange: Exchange, reader: Reader, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        try:
            async for event in reader.stream(events):
                yield event
        finally:
            tell(exchange, reader.look)

    def _reader(self, exchange: Exchange) -> Reader | None:
        """None where nothing is to be done: no masks, no rules for answers."""
        look = exchange.get(LOOK)
        if look is None or exchange.operation != "chat":
            return None
        of = look.conversation
        if of is not None and look.values.known:
            self.vault.keep(of, look.values.known)
        if not (look.values.known or self.means.actions["answers"] or (of is not None and self.vault.holds(of))):
            return None
        return Reader(
            look, self.means.scanners["answers"], self._opening, lambda digest: self.vault.find(of, digest) if of else None
        )


def expect(key: str, told: Iterable[str], known: Collection[str]) -> None:
    """Raises `PluginError` for what is not known: without its words and forms nothing would be found, silently."""
    for one in told:
        if one not in known:
            raise PluginError(f"$.{key}: there is no {one!r}; known: {', '.join(sorted(known))}")


def tell(exchange: Exchange, look: Look) -> None:
    """Notes what was found."""
    if look.counts and exchange.selection is not None:
        exchange.selection = structs.replace(exchange.selection, notes={**exchange.selection.notes, "guardrails": look.told()})


def altering(actions: Mapping[str, Action], wanted: bool) -> dict[str, Action]:
    """Those that change an answer, or those that do not."""
    return {rule: action for rule, action in actions.items() if (action in ("mask", "block")) is wanted}


def scanner(rules: Sequence[Ready], allow: Sequence[Pattern], regions: Sequence[str]) -> Scanner | None:
    return Scanner(rules, allow, regions) if rules else None


def create(config: Config, context: Context) -> Guardrails:
    """Streams are only taken apart where there may be something to change in them."""
    made = Guardrails(config, context)
    changes = made.means.actions["answers"] or any("mask" in made.means.actions[name].values() for name in ("requests", "tools"))
    return Restoring(config, context) if changes else made


AFTER_EXTENSIONS = 57
"""Behind every plugin that may put something into the request, and behind those that keep it local for other reasons."""
plugin = Plugin(api=1, config=Config, create=create, rank=AFTER_EXTENSIONS)
