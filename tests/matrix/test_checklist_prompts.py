"""Lines 11 to 18 of the translation checklist: thinking and prompts. Bodies as Claude Code 2.1 and Codex CLI 0.169 send them."""

from __future__ import annotations

import pytest

from lynkr_core.dialects.anthropic_messages.signatures import PREFIX

from . import column_anthropic_messages, column_openai_chat, column_openai_responses, front_messages
from .asking import CHAT, COLUMN, CROSSED, MESSAGES, RESPONSES, Asking
from .features import ASKED, THOUGHT

pytestmark = pytest.mark.anyio
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
user, result = front_messages.user, front_messages.result
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgB=="}
ATTRIBUTION = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc"}


@pytest.mark.parametrize(("effort", "budget"), [("minimal", 1024), ("low", 2048), ("medium", 4976), ("high", 4976)])
async def test_line_11_an_effort_becomes_a_budget_below_max_tokens(ask: Asking, effort, budget):
    sent = (await ask(CHAT, MESSAGES, reasoning_effort=effort, max_tokens=6000, temperature=0.3)).sent
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert sent["thinking"]["budget_tokens"] < sent["max_tokens"]
    assert "temperature" not in sent


@pytest.mark.parametrize(
    ("thinking", "effort", "told"),
    [
        ({"type": "enabled", "budget_tokens": 1024}, "low", ""),
        ({"type": "enabled", "budget_tokens": 31999}, "high", ""),
        ({"type": "disabled"}, "none", ""),
        ({"type": "adaptive"}, None, "reasoning: "),
        ({"type": "adaptive", "display": "omitted"}, None, "reasoning.display: "),
    ],
)
async def test_line_11_thinking_becomes_an_effort_or_is_told(ask: Asking, thinking, effort, told):
    asked = await ask(MESSAGES, CHAT, thinking=thinking)
    assert asked.sent.get("reasoning_effort") == effort
    assert told in asked.told
    assert bool(told) == bool(asked.told)


@streams
@pytest.mark.parametrize("back", [CHAT, RESPONSES])
async def test_line_12_thinking_comes_first_signed_and_never_in_the_text(ask: Asking, back, stream):
    asked = await ask(MESSAGES, back, COLUMN[back].answers["thinking, text and calls in order"], stream)
    heard = asked.heard()
    assert (heard["order"][0], heard["thinking"]) == ("thinking", THOUGHT)
    assert THOUGHT not in heard["text"]
    assert f'"signature":"{PREFIX}' in asked.answer.text


async def test_line_12_a_signature_of_ours_never_goes_to_the_vendor(ask: Asking):
    answer = (await ask(MESSAGES, CHAT, COLUMN[CHAT].answers["thinking"])).answer.json()
    back = [user("go"), {"role": "assistant", "content": answer["content"]}, user("on")]
    sent = (await ask(MESSAGES, MESSAGES, messages=back)).sent
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["text"]


async def test_line_12_redacted_thinking_is_kept_byte_for_byte(ask: Asking):
    script = column_anthropic_messages.says(REDACTED, column_anthropic_messages.text())
    answer = (await ask(MESSAGES, MESSAGES, script)).answer.json()
    assert answer["content"][0] == REDACTED
    sent = (
        await ask(MESSAGES, MESSAGES, messages=[user("go"), {"role": "assistant", "content": answer["content"]}, user("on")])
    ).sent
    assert sent["messages"][1]["content"][0] == REDACTED


async def test_line_12_a_tool_loop_without_its_thinking_goes_on_without(ask: Asking):
    """Begun with another vendor: the first block is no thinking of this one, so it is switched off for the request."""
    called = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "tool_calls": [column_openai_chat.call("a", "f", "{}")],
    }
    loop = [user("go"), called, {"role": "tool", "tool_call_id": "a", "content": "r"}]
    asked = await ask(CHAT, MESSAGES, messages=loop, reasoning_effort="high", tools=[])
    assert asked.sent["thinking"] == {"type": "disabled"}
    assert "reasoning: off" in asked.told


@streams
async def test_line_13_encrypted_reasoning_goes_round(ask: Asking, stream):
    """Through a caller of another API too, which keeps only signatures."""
    script = COLUMN[RESPONSES].answers["thinking, text and calls in order"]
    asked = await ask(MESSAGES, RESPONSES, script, stream)
    heard = asked.heard()
    assert heard["order"] == ["thinking", "text", "call", "call"]
    content = (await ask(MESSAGES, RESPONSES, script)).answer.json()["content"]
    results = user([result("a", "r"), result("b", "r")])
    sent = (await ask(MESSAGES, RESPONSES, messages=[user("go"), {"role": "assistant", "content": content}, results])).sent
    assert sent["input"][1] == column_openai_responses.THINKING


async def test_line_13_reasoning_with_null_content_is_accepted(ask: Asking):
    item = {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAAB"}
    for back in (CHAT, MESSAGES):
        asked = await ask(RESPONSES, back, input=[{"role": "user", "content": "go"}, item, {"role": "user", "content": "on"}])
        assert asked.answer.status == 200
        assert "reasoning" in asked.told


@pytest.mark.parametrize("back", [CHAT, MESSAGES])
async def test_line_13_summaries_stream_with_their_index_and_part(ask: Asking, back):
    events = (await ask(RESPONSES, back, COLUMN[back].answers["thinking"], stream=True)).events()
    summary = [event for event in events if "reasoning_summary" in event["type"]]
    kinds = [event["type"].removeprefix("response.reasoning_summary_") for event in summary]
    assert kinds == ["part.added", "text.delta", "text.done", "part.done"]
    assert all(event["summary_index"] == 0 and event["item_id"] for event in summary)


async def test_line_14_every_prompt_reaches_the_model_in_order(ask: Asking):
    system = [ATTRIBUTION, {"type": "text", "text": "one"}, {"type": "text", "text": ""}, {"type": "text", "text": "two"}]
    messages = [user("hi"), {"role": "system", "content": "three"}, user("so?")]
    chat = await ask(MESSAGES, CHAT, system=system, messages=messages)
    assert [m["content"] for m in chat.sent["messages"]] == ["one\n\ntwo", "hi", "three", "so?"]
    items = await ask(MESSAGES, RESPONSES, system=system, messages=messages)
    assert (items.sent["instructions"], items.sent["input"][1]["content"]) == ("one\n\ntwo", "three")
    assert "x-anthropic-billing" not in str((chat.sent, items.sent))
    assert "system: " in chat.told
    assert "system: " in items.told


async def test_line_14_instructions_and_developer_items_are_all_prompts(ask: Asking):
    items = [{"role": "developer", "content": "two"}, {"role": "system", "content": "three"}, {"role": "user", "content": "hi"}]
    sent = (await ask(RESPONSES, MESSAGES, instructions="one", input=items)).sent
    assert [block["text"] for block in sent["system"]] == ["one", "two", "three"]
    sent = (await ask(RESPONSES, CHAT, instructions="one", input=items)).sent
    assert [m["content"] for m in sent["messages"]] == ["one", "two", "three", "hi"]


@pytest.mark.parametrize(
    ("messages", "roles"),
    [
        ([user("a"), user("b")], ["user"]),
        ([user("a"), {"role": "assistant", "content": ""}, user("b")], ["user"]),
        ([{"role": "assistant", "content": "hello"}, user("b")], ["user", "assistant", "user"]),
        ([user("a"), {"role": "assistant", "content": "So "}], ["user", "assistant"]),
    ],
    ids=["two users", "empty assistant", "assistant first", "prefill"],
)
async def test_line_15_orders_that_a_provider_refuses_are_repaired(ask: Asking, messages, roles):
    sent = (await ask(CHAT, MESSAGES, messages=messages)).sent
    assert [message["role"] for message in sent["messages"]] == roles
    assert all(block["text"] == block["text"].rstrip() for block in sent["messages"][-1]["content"])


@pytest.mark.parametrize("feature", ["image", "image URL", "file", "file URL", "text document", "result with an image"])
async def test_line_16_images_and_documents_arrive_in_turns_and_results(ask: Asking, feature):
    for back in (CHAT, RESPONSES):
        asked = await ask(MESSAGES, back, **front_messages.ASKED[feature])
        assert asked.answer.status == 200
        carried = str(ASKED[feature]) in str(asked.sent) or "cGxhaW4gd29yZHM=" in str(asked.sent)
        assert carried or "document" in asked.told


async def test_line_17_cache_markers_stay_for_their_vendor_at_most_four(ask: Asking):
    parts = [{"type": "text", "text": str(n), "cache_control": {"type": "ephemeral"}} for n in range(6)]
    asked = await ask(CHAT, MESSAGES, messages=[user(parts)])
    assert [("cache_control" in block) for block in asked.sent["messages"][0]["content"]] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]
    assert "cache_control: only the last 4" in asked.told


@pytest.mark.parametrize("back", [CHAT, RESPONSES])
async def test_line_17_cache_markers_are_one_request_elsewhere_and_told(ask: Asking, back):
    marked = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    asked = await ask(MESSAGES, back, system=[marked], tools=[front_messages.tool(cache_control={"type": "ephemeral"})])
    upstream, _ = ask.gateways[back]
    assert "cache_control" not in str(asked.sent)
    assert (len(upstream.requests), "cache_control" in asked.told) == (1, True)


@pytest.mark.parametrize(("asked", "sent"), [(0.0, 0.0), (1.0, 1.0), (1.7, 1.0)])
async def test_line_18_a_temperature_out_of_range_is_lowered_and_told(ask: Asking, asked, sent):
    made = await ask(CHAT, MESSAGES, temperature=asked)
    assert made.sent["temperature"] == sent
    assert ("temperature" in made.told) == (asked > 1)


async def test_line_18_limits_have_each_apis_name_and_a_default(ask: Asking):
    assert (await ask(CHAT, MESSAGES)).sent["max_tokens"] == 8192
    assert (await ask(CHAT, RESPONSES, max_completion_tokens=50)).sent["max_output_tokens"] == 50
    assert (await ask(RESPONSES, MESSAGES, max_output_tokens=50)).sent["max_tokens"] == 50


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_18_unknown_fields_are_tolerated_told_and_not_sent(ask: Asking, front, back):
    asked = await ask(front, back, client_metadata={"a": 1}, betas=["x"])
    assert asked.answer.status == 200
    assert not {"client_metadata", "betas"} & set(asked.sent)
    assert "client_metadata" in asked.told
    assert "betas" in asked.told
