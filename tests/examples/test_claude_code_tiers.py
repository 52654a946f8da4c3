"""examples/claude-code-tiers: a session in the shape of Claude Code 2.1's requests. `tests/agents/test_tiers.py` has Claude Code itself."""

from __future__ import annotations

import json

import pytest

from lynkr_core.testing.canned import CANNED, Script, encoded
from tests.examples.running import Example, client, messages, served

pytestmark = pytest.mark.anyio
HAIKU, SONNET, OPUS = [f"anthropic/claude-{name}-5-5" for name in ("haiku", "sonnet", "opus")]
EASY = "What does the README say about ports?"
USUAL = "Refactor the payment module into ports and adapters, migrate its tests and keep the public API stable."
HARD = "Think hard: prove that the lock in lock.go cannot deadlock under concurrent failover, interleaving by interleaving."
REMINDER = "<system-reminder>\nThink hard about security incidents, prove everything, and follow CLAUDE.md.\n</system-reminder>"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
MARK = {"type": "ephemeral"}
TOOL = {
    "name": "Read", "description": "Reads a file from the local filesystem. " * 30,
    "input_schema": {"$schema": DRAFT, "type": "object", "properties": {"file_path": {"type": "string"}}},
}  # fmt: skip
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 32_000,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329; cc_entrypoint=cli;"},
        {"type": "text", "text": "You are Claude Code, Anthropic's official CLI for Claude.", "cache_control": MARK},
        {
            "type": "text",
            "text": "You are an interactive agent. Use the tools to do what you are asked. " * 60,
            "cache_control": MARK,
        },
    ],
    "tools": [TOOL],
    "thinking": {"type": "adaptive", "display": "omitted"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
}
HEADERS = {
    "user-agent": "claude-cli/2.1.329 (external, cli)", "anthropic-version": "2023-06-01", "x-app": "cli",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
}  # fmt: skip


class Session:
    """One conversation; what is said and answered becomes its history."""

    def __init__(self, http, id):
        self.http, self.history = http, []
        self.headers = HEADERS | {"x-claude-code-session-id": id}
        self.user = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": id})

    async def say(self, *content):
        blocks = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
        turn = [*self.history, {"role": "user", "content": [*blocks[:-1], blocks[-1] | {"cache_control": MARK}]}]
        body = BODY | {"metadata": {"user_id": self.user}, "messages": turn}
        answer = await self.http.post("/v1/messages?beta=true", json=body, headers=self.headers)
        assert answer.text.rstrip().endswith('{"type":"message_stop"}'), answer.text
        self.history += [{"role": "user", "content": blocks}]
        return answer

    def answered(self, *blocks):
        self.history += [{"role": "assistant", "content": list(blocks)}]


@pytest.fixture
def example(scripted_provider, tmp_path):
    example = Example("claude-code-tiers", tmp_path, ANTHROPIC_API_KEY="sk-ant-test-of-examples")
    example.cloud("anthropic", scripted_provider.url)
    return example


async def test_asks_are_spread_over_three_models_and_a_conversation_stays_with_its_own(example, scripted_provider):
    with example.serve() as running:
        async with client(running) as http:
            one, other = Session(http, "s-1"), Session(http, "s-2")
            assert served(await one.say(REMINDER, EASY)) == (200, HAIKU)
            one.answered({"type": "text", "text": "That it is 8081."})
            climbed = await one.say(HARD)
            assert served(climbed) == (200, OPUS)
            assert climbed.headers["x-lynkr-sticky"].startswith("climbs: deep_thought")
            one.answered({"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "lock.go"}})
            result = {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": '     1→package lock\n     2→\n     3→import "sync"',
            }
            stayed = await one.say(result)
            assert (served(stayed), stayed.headers["x-lynkr-sticky"]) == ((200, OPUS), "stays in the middle of a tool exchange")
            one.answered({"type": "text", "text": "It cannot."})
            thanked = await one.say("thanks")
            assert (served(thanked), thanked.headers["x-lynkr-score"]) == ((200, OPUS), "3")
            assert served(await other.say(USUAL)) == (200, SONNET)
    [first, *_] = sent = [request.json() for request in scripted_provider.requests]
    assert [body["model"] for body in sent] == [f"claude-{name}-5-5" for name in ("haiku", "opus", "opus", "opus", "sonnet")]
    assert (first["system"], first["tools"], first["context_management"]) == (BODY["system"], [TOOL], BODY["context_management"])
    assert scripted_provider.requests[0].headers["x-api-key"] == "sk-ant-test-of-examples"
    assert "interleaved-thinking-2025-05-14" in scripted_provider.requests[0].headers["anthropic-beta"]
    with example.serve() as running:  # another gateway, as `lynkr wrap` starts one each time
        async with client(running) as http:
            again = Session(http, "s-1")
            again.history = [*one.history, {"role": "assistant", "content": [{"type": "text", "text": "You are welcome."}]}]
            assert served(await again.say("go on")) == (200, OPUS)


async def test_a_probe_costs_nothing_and_what_a_client_forgets_to_mark_is_cached(example, scripted_provider):
    usage = {"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 9000, "output_tokens": 7}
    answer = json.loads(CANNED["anthropic.messages"].body) | {"usage": usage}
    scripted_provider.always(Script(body=encoded(answer)))
    with example.serve() as running:
        async with client(running) as http:
            probed = await messages(http, "quota", max_tokens=1, headers=HEADERS)
            assert (probed.status_code, probed.headers["x-lynkr-attempts"]) == (200, "0")
            rules = "You review pull requests of this repository by its rules. " * 400
            assert served(await messages(http, EASY, system=rules)) == (200, HAIKU)
    [request] = scripted_provider.requests
    assert request.json()["system"] == [{"type": "text", "text": rules, "cache_control": MARK}]
    told = json.loads((await example.run("usage", "--savings", "--json")).stdout)
    rows = {row["plugin"]: row for row in told["rows"]}
    assert rows["compressor.cache-guard"]["usd"] > 0.8 * told["untouched_usd"] > 0
    assert rows["extension.bypass"]["tokens"] > 0
