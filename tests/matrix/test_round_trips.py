"""Thinking that its vendor wants back: through the caller, who keeps what its own API has a place for, and to the vendor again."""

from __future__ import annotations

import pytest

from lynkr_core.testing.canned import encoded

from .asking import CHAT, Asking
from .cells import COLUMNS, FRONTS
from .features import THOUGHT

pytestmark = pytest.mark.anyio
PAIRS = [(front, column) for front in FRONTS for column in COLUMNS]


@pytest.mark.parametrize(("front", "column"), PAIRS, ids=[f"{front.title} and {column.title}" for front, column in PAIRS])
async def test_what_a_vendor_signed_comes_back_to_it(ask: Asking, front, column):
    script = column.answers["thinking, text and calls in order"]
    answer = (await ask(front.name, column.name, script)).answer.json()
    asked = await ask(front.name, column.name, **front.replay(answer))
    assert asked.answer.status == 200
    if front.name == column.name:
        assert asked.told == ""
    elif column.signed is not None and front.keeps:
        assert column.signed(asked.sent)
    else:
        assert "reasoning" in asked.told or encoded(THOUGHT) in encoded(asked.sent), (
            "it goes back as text, or that it does not is told"
        )


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.title)
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.title)
async def test_what_one_vendor_signed_never_goes_to_another(ask: Asking, front, column):
    script = column.answers["thinking, text and calls in order"]
    answer = (await ask(front.name, column.name, script)).answer.json()
    for other in COLUMNS:
        if front.name == other.name == CHAT:
            continue  # what the caller itself kept goes on byte for byte: Google's own layer of this API wants it
        if other.name != column.name and other.name not in column.kin and column.name not in other.kin:
            asked = await ask(front.name, other.name, **front.replay(answer))
            assert asked.answer.status == 200
            assert not any(sign in str(asked.sent) for sign in ("c2ln", "gAAAA", "lynkr-AAAA", "lynkr:")), other.name
