"""Tries providers in the order they are written down: local first, then cheap, then smart, each up to the score it is trusted with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from lynkr_core.candidates import matching
from lynkr_core.exchange import Candidate, Exchange, Removal, Selection
from lynkr_core.plugins import Context, Plugin

__all__ = ["ChainSelector", "Config", "Step", "plugin"]

Target = Annotated[
    str,
    Meta(
        pattern=r"^[^/\s]+(/\S+)?$",
        description="`provider/model`, `provider` for all its models, a tier, or a name in `[models]`.",
        examples=["local", "local/llama3.2"],
    ),
]


class Step(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[selector.chain.step]]`"""

    to: Target
    max_score: Annotated[float, Meta(ge=0, le=100, description="Harder requests pass this step by.")] = 100.0


class Config(Struct, forbid_unknown_fields=True, kw_only=True):
    """`[selector.chain]`: either `order` or steps."""

    order: Annotated[list[Target], Meta(description="The steps, when none has a limit.")] = []
    step: Annotated[list[Step], Meta(description="The steps, each with its limit.")] = []

    def __post_init__(self) -> None:
        if bool(self.order) == bool(self.step):
            raise ValueError("give either `order` or `[[selector.chain.step]]` tables, with at least one entry")
        targets = [step.to for step in self.steps]
        if twice := sorted({target for target in targets if targets.count(target) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self.step) or tuple(Step(to=target) for target in self.order)


class ChainSelector:
    """Orders `auto` requests. The first step that admits the score leads, the steps after it are its fallbacks."""

    def __init__(self, config: Config, context: Context) -> None:
        self.steps = config.steps
        self.tiers = context.tiers
        self.targets = tuple([step.to for step in config.steps])

    def select_provider(self, exchange: Exchange, candidates: Sequence[Candidate]) -> Selection | None:
        """None when no step names any of `candidates`. When no step admits the score, the last one leads."""
        if exchange.route != "auto" or exchange.tier is not None:
            return None
        matched = [(step, matching(step.to, candidates, self.tiers)) for step in self.steps]
        present = [(step, found) for step, found in matched if found]
        if not present:
            return None
        lead = leading([step for step, _ in present], exchange.score)
        order = tuple(dict.fromkeys(candidate for _, found in present[lead:] for candidate in found))
        absent = [step.to for step, found in matched if not found]
        removed = left_out(candidates, order, present[:lead], exchange.score)
        step, peers = present[lead]
        return Selection(
            order=order,
            reason=reason_of(step, exchange.score, absent),
            removed=removed,
            peers=self.tiers.equal(step.to, len(peers)),
        )


def left_out(
    candidates: Sequence[Candidate],
    order: Sequence[Candidate],
    passed: Sequence[tuple[Step, Sequence[Candidate]]],
    score: float | None,
) -> tuple[Removal, ...]:
    """Why each candidate that is not in the order is not."""
    limits = {candidate: step.max_score for step, found in passed for candidate in found}
    removed: list[Removal] = []
    for candidate in candidates:
        if candidate in order:
            continue
        limit = limits.get(candidate)
        over = score is not None and limit is not None
        removed.append(Removal(candidate.id, f"score {score:.0f} over {limit:.0f}" if over else "not in the chain"))
    return tuple(removed)


def reason_of(step: Step, score: float | None, absent: Sequence[str]) -> str:
    """`score 60: cloud/mini (no candidates: local)`"""
    told = f"chain: {step.to}" if score is None else f"score {score:.0f}: {step.to}"
    return f"{told} (no candidates: {', '.join(absent)})" if absent else told


def leading(steps: Sequence[Step], score: float | None) -> int:
    """The index of the first step that admits the score, else of the last. Without a score the first one leads."""
    if score is None:
        return 0
    return next((index for index, step in enumerate(steps) if round(score) <= step.max_score), len(steps) - 1)


plugin = Plugin(api=1, config=Config, create=ChainSelector, rank=5)
