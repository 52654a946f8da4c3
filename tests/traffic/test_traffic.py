"""Recorded conversations from each front to each API of providers, through the whole gateway: nothing is lost on the way.

What was said is read from the recording, what arrived from the provider's body; neither is lynkr's own reading.
"""

from collections import Counter
from itertools import product

import msgspec
import pytest

from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.scripted import ScriptedProvider

from .conversations import FRONTS, MESSAGES, Conversation, Result, Tool, Turn, asked, conversations
from .gateway import ANSWERS, gateway
from .providers import tools, turns

CONVERSATIONS = list(conversations())
JOINERS = ("", "\n", "\n\n", " ")
EMPTY = ("(no result)",)
"""What Bedrock is told when a result is empty, because it refuses that."""
KEEPS_FAILURE = (MESSAGES, "gemini", "bedrock.converse")


def same(said: tuple[str, ...], heard: tuple[str, ...]) -> bool:
    """Whether these are the same texts, whether or not one side joins them."""
    return said == heard or any(one.join(said) == other.join(heard) for one, other in product(JOINERS, JOINERS))


def same_result(said: Result, heard: Result) -> bool:
    return same(said.texts, heard.texts) or (not any(said.texts) and heard.texts == EMPTY)


def differs(said: tuple[Turn, ...], heard: tuple[Turn, ...], failures: bool) -> str:
    """Where they part, in words; empty when they do not. `failures`: whether these are told, too."""
    if [turn.speaker for turn in said] != [turn.speaker for turn in heard]:
        return f"{[turn.speaker for turn in said]} was heard as {[turn.speaker for turn in heard]}"
    called, answered = ids(said), ids(heard)
    for number, (one, other) in enumerate(zip(said, heard, strict=True)):
        if not same(one.texts, other.texts):
            return f"turn {number}: {one.texts} was heard as {other.texts}"
        if [call[1:] for call in one.calls] != [call[1:] for call in other.calls]:
            return f"turn {number}: {one.calls} was heard as {other.calls}"
        if len(one.results) != len(other.results):
            return f"turn {number}: {len(one.results)} results, {len(other.results)} heard"
        for result, got in zip(one.results, other.results, strict=True):
            paired = not got.id or called[result.id] == answered[got.id]
            if not (paired and same_result(result, got) and (result.failed == got.failed or not failures)):
                return f"turn {number}: {result} was heard as {got}"
    return ""


def other_tools(conversation: Conversation, heard: tuple[Tool, ...]) -> str:
    """Those that differ. Gemini is not told the parameters of a tool that has none; Bedrock refuses calls of tools that it is not told of."""
    said = conversation.tools
    if not said:
        return (
            "" if {tool.name for tool in heard} <= {call.name for turn in conversation.turns for call in turn.calls} else "tools"
        )
    expected = [tool._replace(parameters=tool.parameters if tool.parameters["properties"] else None) for tool in said]
    got = [tool._replace(parameters=tool.parameters if (tool.parameters or {}).get("properties") else None) for tool in heard]
    differing = [(one, other) for one, other in zip(expected, got, strict=False) if one != other]
    return f"{len(said)} tools, {len(heard)} heard; {differing}"[:500] if differing or len(said) != len(heard) else ""


def ids(turns: tuple[Turn, ...]) -> dict[str, int]:
    """The place of each call."""
    return {id: place for place, id in enumerate(call.id for turn in turns for call in turn.calls)}


@pytest.mark.anyio
@pytest.mark.parametrize("back", ANSWERS)
@pytest.mark.parametrize("front", FRONTS)
async def test_nothing_is_lost_on_the_way(front, back):
    mistakes: dict[str, str] = {}
    async with gateway(back) as (upstream, client):
        for conversation in CONVERSATIONS:
            body = {**asked(conversation, front), "model": "up/m"}
            answer = await client.post(find_dialect(front).routes[0], json=body)
            mistakes[conversation.id] = wrong(conversation, front, back, upstream, answer)
    assert {id: mistake for id, mistake in mistakes.items() if mistake} == {}


def wrong(conversation: Conversation, front: str, back: str, upstream: ScriptedProvider, answer) -> str:
    if answer.status != 200:
        return f"{answer.status} {answer.text[:500]}"
    body = upstream.last.json()
    failed = front == MESSAGES and any(result.failed for turn in conversation.turns for result in turn.results)
    if mistake := differs(conversation.turns, turns(back, body), failed and back in KEEPS_FAILURE):
        return mistake[:500]
    if mistake := other_tools(conversation, heard := tools(back, body)):
        return mistake
    told = [loss for loss in answer.headers.get("x-lynkr-losses", "").split("; ") if loss]
    expected = ["is_error"] * (failed and back not in KEEPS_FAILURE) + ["tools"] * (len(heard) > len(conversation.tools))
    silent = len(told) != len(expected) or not all(word in loss for word, loss in zip(expected, told, strict=True))
    return f"told: {told}" if silent else ""


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
async def test_the_same_api_gets_the_same_bytes(front):
    different = Counter()
    async with gateway(front) as (upstream, client):
        for conversation in CONVERSATIONS:
            body = msgspec.json.encode({"model": "up/m", **{k: v for k, v in asked(conversation, front).items() if k != "model"}})
            answer = await client.post(find_dialect(front).routes[0], content=body, headers={"content-type": "application/json"})
            different[conversation.id] += upstream.last.body != body.replace(b'"up/m"', b'"m"', 1) or answer.status != 200
    assert +different == {}
