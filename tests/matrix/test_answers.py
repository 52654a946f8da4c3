"""Answers, whole and streamed: what the provider says is what the caller hears, in good form."""

from __future__ import annotations

import pytest

from lynkr_core.dialects.names import safe_name

from .asking import Gateways
from .cells import TOLD, answers
from .features import ANSWERED, LONG_NAME

pytestmark = pytest.mark.anyio
CELLS = list(answers())
KEYS = {
    "thinking, text and calls in order": "order", "parallel calls": "calls", "call without arguments": "calls",
    "call of a free-text tool": "calls", "call of a tool with a long name": "calls", "arguments that are no JSON": "raw arguments",
    "end for calls": "end", "end at the limit": "end", "end by a filter": "end", "end at a stop sequence": "end",
    "tokens read from a cache": "cached", "tokens written to a cache": "written", "tokens of reasoning": "reasoning",
    "log probabilities": "logprobs", "service tier": "tier", "several answers": "answers", "unknown blocks and fields": "text",
    "empty pieces": "text",
}  # fmt: skip
"""Where a reader has what a feature is about; without an entry, under the feature's own name."""


def tools(front):
    """Those that the answers call."""
    named = [front.tools(name) for name in ("f", "g", LONG_NAME)]
    return [*named, front.custom] if front.custom else named


def heard(cell, found):
    value = found[KEYS.get(cell.feature, cell.feature)]
    return value[0] if cell.feature in ("arguments that are no JSON", "citations") else value


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_what_is_answered(gateways: Gateways, cell, stream):
    upstream, client = gateways[cell.column.name]
    script = cell.column.answers[cell.feature]
    same = cell.front.name == cell.column.name
    sent = (LONG_NAME if same or "long tool name" in cell.column.sent else safe_name(LONG_NAME)).encode()
    events = tuple([event.replace(b"SENT_NAME", sent) for event in script.events])
    script = script.but(body=script.body.replace(b"SENT_NAME", sent), events=events)
    upstream.reset().always(script)
    body = {"model": "up/m", **cell.front.base, "tools": tools(cell.front), "stream": stream}
    if stream and cell.front.name == "openai.chat":
        body["stream_options"] = {"include_usage": True}
    answer = await client.post(cell.front.path, json=body)
    assert answer.status == 200, answer.text
    if same:
        assert answer.body == (b"".join(script.events) if stream else script.body)
        return
    found = cell.front.hear(answer.body, stream)
    key = KEYS.get(cell.feature, cell.feature)
    if cell.verdict == TOLD:
        assert found.get(key, []) in ([], ANSWERED[cell.feature][:1])
    else:
        assert heard(cell, found) == cell.value


def test_no_answer_is_left_unread():
    assert {KEYS.get(feature, feature) for feature in ANSWERED} >= set(KEYS.values())
