from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lynkr_core.errors import ConfigError
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.tokens import TokensContract
from lynkr_core.tokens import estimate_text
from lynkr_tokens import count
from lynkr_tokens import plugin as entry

RECORDED = json.loads((Path(__file__).parent / "counts.json").read_text())
"""Counts of another implementation, bpe-openai 0.1.4: `[text, o200k_base, cl100k_base]`."""


class TestTokens(TokensContract):
    plugin = entry


@pytest.mark.parametrize(("encoding", "place"), [("o200k_base", 1), ("cl100k_base", 2)])
def test_it_counts_as_another_implementation(encoding, place):
    found = count([row[0] for row in RECORDED], encoding)
    assert [row[0] for row, tokens in zip(RECORDED, found, strict=True) if row[place] != tokens] == []
    assert len(RECORDED) > 300


@pytest.mark.anyio
async def test_while_it_runs_every_plugin_counts_exactly():
    context = factories.context("default", "tokens")
    text = "def supercalifragilistic(): return [1, 2, 3]\n" * 9
    assert context.tokens.count(text) == estimate_text(text)
    async with factories.running(factories.build(entry, {}, context)) as counting:
        assert context.tokens.count(text, "hi") == sum(count([text, "hi"])) != estimate_text(text) + estimate_text("hi")
        assert counting.status()["exact"] is True


@pytest.mark.anyio
async def test_new_texts_are_counted_in_one_call_and_old_ones_not_again(monkeypatch):
    context = factories.context("default", "tokens")
    asked = []
    async with factories.running(factories.build(entry, {}, context)) as counting:
        context.tokens.use(lambda texts: asked.append(list(texts)) or counting.count(texts))
        context.tokens.count("one", "two")
        context.tokens.count("one", "two", "three")
    assert asked == [["one", "two"], ["three"]]


@pytest.mark.anyio
async def test_what_cannot_be_loaded_leaves_the_estimate(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "toktok", None)
    context = factories.context("default", "tokens")
    async with factories.running(factories.build(entry, {}, context)) as counting:
        assert context.tokens.count("some words here") == estimate_text("some words here")
        assert counting.status()["exact"] is False
    assert "tokens are estimated" in caplog.text


def test_odd_texts_count_something():
    assert count(["", "\ud800", "a\udfffb", "<|endoftext|>"]) == [0, *count(["?", "a?b"]), 7]


def test_an_unknown_vocabulary_is_a_mistake():
    with pytest.raises(ConfigError, match="encoding"):
        factories.configure(entry, {"encoding": "claude"})


def test_a_gateway_without_it_does_not_load_it():
    source = "import sys, lynkr_core, lynkr_core.app, lynkr_tokens; print('toktok' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout == "False\n"
