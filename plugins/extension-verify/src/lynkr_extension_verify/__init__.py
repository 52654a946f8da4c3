"""Checks an answer before the caller gets it, and asks the next dearer tier when it is no good."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from lynkr_core.errors import Unavailable, UpstreamError
from lynkr_core.exchange import Candidate, Exchange, Key, Reject, Selection
from lynkr_core.plugins import Context, Plugin
from lynkr_core.sessions import SETTLED
from lynkr_extension_verify.checks import CHECKS, Answer, fault
from lynkr_extension_verify.examiner import Examiner

__all__ = ["Config", "Verifier", "plugin"]

log = logging.getLogger("lynkr.verify")
Name = Literal["empty", "truncated", "tool_call", "structure", "repetition", "language", "refusal"]


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[extension.verify]`"""

    checks: Annotated[tuple[Name, ...], Meta(description="What is looked for, in this order.")] = (
        "empty", "truncated", "tool_call", "structure", "repetition", "language", "refusal",
    )  # fmt: skip
    climbs: Annotated[int, Meta(ge=0, le=3, description="How often one request may climb by a tier.")] = 1
    below: Annotated[
        int, Meta(ge=0, le=3, description="Tiers under the score's that a new conversation is tried with first.")
    ] = 0
    hold: Annotated[
        int, Meta(ge=0, description="Characters of a stream that are held back for the checks; 0: streams are not checked.")
    ] = 8_000
    hold_seconds: Annotated[float, Meta(gt=0, description="Seconds for which a stream is held back at most.")] = 15.0


class Climbs(Struct):
    """What was refused in this exchange: candidates, and the dearest of their tiers."""

    refused: list[Candidate] = []
    level: int = -1


CLIMBS: Key[Climbs] = Key("extension-verify.climbs")


class Verifier:
    """Only for `auto`, where there is a dearer tier to climb to: a refused answer is worse than none only when another one comes."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self.tiers = context.tiers
        self.checks = tuple([name for name in config.checks if name in CHECKS])

    def revise_selection(self, exchange: Exchange, selection: Selection) -> Selection | None:
        if exchange.route != "auto" or exchange.operation != "chat" or not self.tiers:
            return None
        exchange.examine = lambda candidate: self.examiner(exchange, candidate)
        return self.lowered(exchange, selection) if self.config.below and not exchange.get(SETTLED) else None

    def lowered(self, exchange: Exchange, selection: Selection) -> Selection | None:
        """Cheap first, where no conversation has shown yet what it needs."""
        own = self.tiers.names.index(exchange.tier) if exchange.tier in self.tiers.names else -1
        name = self.tiers.names[max(own - self.config.below, 0)] if own > 0 else ""
        order = tuple([candidate for candidate in self.tiers.fallbacks(name) if candidate in selection.order])
        if not order or order[0] is selection.order[0]:
            return None
        rest = tuple([candidate for candidate in selection.order if candidate not in order])
        reason = f"{selection.reason}; {name} first, to be verified"
        return structs.replace(selection, order=(*order, *rest), reason=reason, tier=name, removed=())

    def level(self, candidate: Candidate) -> int:
        """The dearest tier that has it; -1 for none."""
        places = [place for place, name in enumerate(self.tiers.names) if candidate in self.tiers.candidates(name)]
        return max(places, default=-1)

    def higher(self, exchange: Exchange, level: int) -> Candidate | None:
        """Who is next in a dearer tier, and was not asked yet."""
        asked = [attempt.candidate for attempt in exchange.attempts]
        order = exchange.selection.order if exchange.selection else ()
        above = [(self.level(candidate), place, candidate) for place, candidate in enumerate(order)]
        above = [entry for entry in above if entry[0] > level and entry[2] not in asked]
        return min(above, key=lambda entry: entry[:2])[2] if above else None

    def examiner(self, exchange: Exchange, candidate: Candidate) -> Examiner | None:
        """None where there is nowhere to climb to."""
        climbs = exchange.get(CLIMBS) or Climbs()
        level = self.level(candidate)
        if (
            len(climbs.refused) >= self.config.climbs
            or candidate in climbs.refused
            or level < 0
            or not self.higher(exchange, level)
        ):
            return None
        return Examiner(lambda answer: self.judged(exchange, candidate, answer), self.config.hold, self.config.hold_seconds)

    def judged(self, exchange: Exchange, candidate: Candidate, answer: Answer) -> UpstreamError | None:
        """Notes a refusal, and that the exchange climbs. A check that fails is a check that found nothing."""
        try:
            name, found = fault(answer, exchange.request, self.ask(exchange), self.checks)
        except Exception as error:
            log.error("an answer of %s could not be checked: %s", candidate.id, type(error).__name__)
            return None
        if not name:
            return None
        level = self.level(candidate)
        exchange.set(CLIMBS, Climbs([*(exchange.get(CLIMBS) or Climbs()).refused, candidate], level))
        self.note(exchange, f"{candidate.id} {name}: climbs", level)
        return UpstreamError("rejected", f"the answer of {candidate.id} {found}", code=name)

    def note(self, exchange: Exchange, told: str, level: int) -> None:
        """In the answer's headers and the journal."""
        if exchange.selection is not None:
            before = exchange.selection.notes.get("verify")
            notes = {**exchange.selection.notes, "verify": f"{before}; {told}" if before else told}
            exchange.selection = structs.replace(exchange.selection, notes=notes)
        to = self.higher(exchange, level)
        names = [name for name in self.tiers.names[level + 1 :] if to in self.tiers.candidates(name)]
        exchange.tier = next(iter(names), exchange.tier)

    def ask(self, exchange: Exchange) -> str:
        """What a scorer has read; without one the last words of a user."""
        for score in exchange.scores:
            if score.ask:
                return score.ask
        said = (message.text for message in reversed(exchange.request.messages) if message.role == "user")
        return next((text for text in said if text.strip()), "")

    def reserve(self, exchange: Exchange, candidate: Candidate) -> Reject | None:
        """After a refusal nobody of that tier or a cheaper one is asked, but for whoever has answered already, when all others fail."""
        climbs = exchange.get(CLIMBS)
        if climbs is None or candidate in climbs.refused or self.level(candidate) > climbs.level:
            return None
        return Reject(Unavailable(f"{climbs.refused[-1].id} was refused, and this is no dearer"))


plugin = Plugin(api=1, config=Config, create=Verifier)
