"""examples/claude-code-tiers with Claude Code itself, by the one command of its README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lynkr_core.testing.canned import TEXT

pytestmark = pytest.mark.anyio
TOML = (Path(__file__).parent.parent.parent / "examples/claude-code-tiers/lynkr.toml").read_text()
HARD = "Think hard: prove that the lock in lock.go cannot deadlock under concurrent failover, interleaving by interleaving."


def asked(upstream) -> list[str]:
    """The models of the agent's own requests; a tool's titles and topics bring no tools."""
    return [body["model"] for body in [request.json() for request in upstream.requests] if body.get("tools")]


async def test_each_ask_has_its_model_and_a_session_that_is_continued_keeps_it(wrap, upstream, tmp_path):
    moved = TOML.replace("[provider.anthropic]", f'[provider.anthropic]\nbase_url = "{upstream.url}"\nlocal = false')
    (tmp_path / "work" / "lynkr.toml").write_text(moved)
    for prompt, model in (
        (["What does this folder have in it?"], "claude-haiku-5-5"),
        ([HARD], "claude-opus-5-5"),
        (["--continue", "thanks"], "claude-opus-5-5"),
    ):
        upstream.reset()
        done = await wrap("claude", "-p", *prompt, ANTHROPIC_API_KEY="sk-ant-test-of-examples")
        assert (done.status, done.out) == (0, f"{TEXT}\n"), done
        assert asked(upstream) == [model], (prompt, done)
        assert {request.headers["x-api-key"] for request in upstream.requests} == {"sk-ant-test-of-examples"}
        assert re.search(r"^lynkr: \d+ requests?, .* out, \$", done.err, re.MULTILINE)
    assert '"cache_control"' in upstream.last.body.decode()
