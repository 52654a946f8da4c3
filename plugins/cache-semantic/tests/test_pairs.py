"""Questions that only look alike never share an answer: with the guard, not without it."""

from __future__ import annotations

import pytest

from lynkr_cache_semantic.guard import signature
from lynkr_cache_semantic.local import MiniLM, Static

THRESHOLD = 0.92


@pytest.fixture(scope="module")
def embedders():
    return {"minilm": MiniLM(), "static": Static()}


def agree(pair) -> bool:
    one = signature(pair.one)
    return one is not None and one == signature(pair.other)


@pytest.mark.parametrize("half", ["dev", "test"])
def test_no_wrong_hit_of_any_kind(half, families_of):
    """By the guard alone, so that no embedder can do wrong; of what was written, and of all that follows from it."""
    families = families_of(half)
    wrong = [pair for family in families for pair in [*family.pairs(), *family.crossed()] if not pair.same and agree(pair)]
    assert wrong == []


def test_there_are_enough_pairs(families_of):
    pairs = [pair for half in ("dev", "test") for family in families_of(half) for pair in family.pairs()]
    assert len(pairs) >= 500
    kinds = {pair.kind for pair in pairs}
    assert kinds >= {"=", "number", "unit", "negation", "name", "direction", "language", "code", "order", "quote", "scope"}


@pytest.mark.parametrize(("half", "least"), [("dev", 0.75), ("test", 0.9)])
def test_true_hits(half, least, families_of, embedders):
    same = [pair for family in families_of(half) for pair in family.pairs() if pair.same and agree(pair)]
    of = embedders["minilm"].of
    hits = [pair for pair in same if float(of(pair.one) @ of(pair.other)) >= THRESHOLD]
    asked = [pair for family in families_of(half) for pair in family.pairs() if pair.same]
    assert len(hits) / len(asked) >= least


def test_likeness_alone_would_be_wrong(families_of, embedders):
    for embedder in embedders.values():
        near = [
            p
            for f in families_of("test")
            for p in f.pairs()
            if not p.same and float(embedder.of(p.one) @ embedder.of(p.other)) >= 0.92
        ]
        assert len(near) > 20


@pytest.mark.parametrize("text", ["", "Hello!", "```x```", "if (a) { b; }", "a\n\nb", "1\n2\n3\n4\n5"])
def test_what_is_never_compared(text):
    assert signature(text) is None
