"""The signals whose learned weights can be overruled in `lynkr.toml`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, structs

Weight = Annotated[float, Meta(ge=-100, le=100)]


class Weights(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a signal of 1 adds to a score, where 15 is about one tier. None: what was learned."""

    token_count: Annotated[Weight | None, Meta(description="Words on a log scale.")] = None
    prompt_complexity: Annotated[Weight | None, Meta(description="Things listed with commas or numbers.")] = None
    technical_depth: Annotated[Weight | None, Meta(description="Words of design and trade-offs.")] = None
    domain: Annotated[Weight | None, Meta(description="Words of law, medicine, finance and mathematics, or formulas.")] = None
    multi_step: Annotated[Weight | None, Meta(description="Wording of several steps.")] = None
    code_generation: Annotated[Weight | None, Meta(description="Code is to be made.")] = None
    analysis_depth: Annotated[Weight | None, Meta(description="Why, how, compare, analyse.")] = None
    ambiguity: Annotated[Weight | None, Meta(description="Words that only point at something said before.")] = None
    risk: Annotated[Weight | None, Meta(description="Words of outages, breaches and security reviews.")] = None
    agentic_pattern: Annotated[
        Weight | None, Meta(description="Distinct files named, beyond the first: work through a repository.")
    ] = None
    formal: Annotated[Weight | None, Meta(description="Words of proofs, algorithms and concurrency.")] = None
    make: Annotated[Weight | None, Meta(description="Something is to be written, built or fixed.")] = None
    code: Annotated[Weight | None, Meta(description="Code, identifiers or a stack trace.")] = None
    constraints: Annotated[Weight | None, Meta(description="Must, at most, without, numbers.")] = None
    quantity: Annotated[Weight | None, Meta(description="Numbers among the words, on a log scale.")] = None
    word_length: Annotated[Weight | None, Meta(description="The mean length of the first 200 words written in ASCII.")] = None
    brevity: Annotated[Weight | None, Meta(description="1 for no words, 0 from eight on.")] = None
    closed: Annotated[Weight | None, Meta(description="Yes or no, a label, a translation: an answer of a small form.")] = None
    lay: Annotated[
        Weight | None, Meta(description="Meant for laymen or an occasion: a recipe, a speech, a joke, for a child.")
    ] = None
    lookup: Annotated[Weight | None, Meta(description="The shape of a look-up.")] = None
    one_step: Annotated[Weight | None, Meta(description="The shape of one small step.")] = None
    bulk: Annotated[Weight | None, Meta(description="Words beyond 160, on a log scale.")] = None

    def changed(self) -> dict[str, float]:
        """What was set, by signal."""
        return {name: value for name, value in structs.asdict(self).items() if value is not None}
