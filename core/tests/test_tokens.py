"""The estimate of tokens. The counts beside the texts are o200k's, taken with bpe-openai 0.1.4."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.request import Blob, Generic, Message, Request, Text, Tool, ToolCall, ToolCallResponse
from lynkr_core.tokens import FRAME, MEDIA, Tokens, estimate, estimate_text

PROSE = "The quick brown fox jumps over the lazy dog, and then it does so again because nobody was looking. " * 5
CODE = "def f(x: int) -> str:\n    return [str(i * 2) for i in range(x) if i % 3 == 0]\n\n" * 8
JSON = '{"id": 12345, "name": "alpha", "tags": ["a", "b"], "price": 19.99, "active": true}\n' * 10
LISTING = "-rw-r--r-- 1 root root 4096 2026-11-21 10:02 core/src/lynkr_core/dialects/anthropic_messages/blocks.py\n" * 10


@pytest.mark.parametrize(("text", "count"), [(PROSE, 106), (CODE, 264), (JSON, 350), (LISTING, 410)])
def test_it_is_near_the_real_count(text: str, count: int):
    assert estimate_text(text) == pytest.approx(count, rel=0.3)


def test_nothing_is_no_token_and_anything_is_one():
    assert estimate_text("") == 0
    assert estimate_text("a") == 1


@given(st.text())
def test_any_text_has_a_count(text: str):
    assert 0 <= estimate_text(text) <= 2 * len(text.encode("utf-8", "replace"))


@given(st.integers(min_value=1, max_value=30))
def test_more_text_is_more_tokens(times: int):
    assert estimate_text(PROSE * (times + 1)) > estimate_text(PROSE * times)


def test_a_long_text_is_sampled_well():
    whole, piece = estimate_text(CODE * 100), estimate_text(CODE)
    assert whole == pytest.approx(100 * piece, rel=0.05)


def test_every_piece_of_a_request_counts():
    result = ToolCallResponse(id="c", content=(Text(text=CODE), Blob(modality="image", mime_type="image/png", data="A" * 90000)))
    parts = (
        Text(text=PROSE),
        ToolCall(id="c", name="f", arguments=JSON),
        result,
        Generic(type="x", native=Raw(b'{"a":"' + b"b" * 99 + b'"}')),
    )
    tool = Tool(name="f", description=PROSE, parameters=Raw(JSON.encode()))
    full = Request(
        dialect="d", model="m", messages=(Message(role="user", parts=parts),), system=(Text(text=PROSE),), tools=(tool,)
    )
    texts = [PROSE, CODE, JSON, "b" * 99, PROSE, JSON, PROSE]
    assert estimate(full) == pytest.approx(sum(map(estimate_text, texts)) + MEDIA + 4 * FRAME, rel=0.03)


def test_an_empty_request_is_not_free():
    assert estimate(Request(dialect="d", model="m")) == 1


def test_counts_are_asked_for_once_and_all_new_texts_together():
    asked: list[list[str]] = []
    tokens = Tokens()
    assert tokens.count("a b", "c") == estimate_text("a b") + estimate_text("c")

    def counted(texts: Sequence[str]) -> list[int]:
        asked.append(list(texts))
        return [100 for _ in texts]

    tokens.use(counted)
    assert tokens.count("a b", "c") == 200
    assert tokens.count("c", "d", "a b") == 300
    assert asked == [["a b", "c"], ["d"]]
