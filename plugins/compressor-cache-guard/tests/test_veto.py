from __future__ import annotations

import pytest

from lynkr_core.remarks import save
from lynkr_core.request import Text

FACT = "A fact of some length, number {}. "


class Cutter:
    """Shortens all messages but the last: what it once sent whole, it later sends cut."""

    def transform_request(self, exchange, request):
        cut = [m.edit(parts=(Text(text=m.text[:60]),)) if m.role == "user" else m for m in request.messages[:-1]]
        save(exchange, "compressor.cutter", 10)
        return request.edit(messages=(*cut, *request.messages[-1:]))


class Steady:
    """Shortens every message, always in the same way."""

    def transform_request(self, exchange, request):
        save(exchange, "compressor.steady", 5)
        parts = [m.edit(parts=(Text(text=m.text.replace("of some length", "short")),)) for m in request.messages]
        return request.edit(messages=tuple(parts))


class Tools:
    """Offers other tools each time."""

    def __init__(self):
        self.turns = 0

    def transform_request(self, exchange, request):
        self.turns += 1
        return request.edit(tools=request.tools[: self.turns])


class Redactor:
    id = "policy.redactor"

    def transform_request(self, exchange, request):
        parts = [m.edit(parts=(Text(text=m.text.replace("secret", "***")),)) for m in request.messages[:-1]]
        return request.edit(messages=(*parts, *request.messages[-1:]))


def texts(body):
    return [m["content"] if isinstance(m["content"], str) else m["content"][0]["text"] for m in body["messages"]]


async def turns(made, count, text=FACT):
    for turn in range(count):
        await made.turn(text.format(turn) * 40)


@pytest.mark.anyio
async def test_who_rewrites_what_was_sent_is_left_out_from_then_on(make, talk, caplog):
    made = talk(guard=make(Steady(), Cutter()))
    await turns(made, 6)
    assert made.guard.status()["vetoes"] == {"compressor.cutter": 1}
    assert "compressor.cutter rewrites what was sent" in caplog.text
    for before, usage in zip(made.bills, made.bills[1:], strict=False):
        assert usage.cache_read == before.input_tokens
    assert all("short" in text and len(text) > 100 for text in texts(made.sent[-1])[::2])
    assert [saving.plugin for saving in made.exchange.savings] == ["compressor.steady", "compressor.cache-guard"]


@pytest.mark.anyio
async def test_the_veto_is_told_of_the_request_and_holds_for_that_conversation_only(make, talk):
    guard = make(Cutter())
    made = talk(guard=guard)
    await turns(made, 2)
    assert "compressor.cutter is vetoed by compressor.cache-guard" in made.exchange.skipped[0]
    other = talk(name="s2", guard=guard)
    await turns(other, 1)
    assert other.exchange.skipped == ()
    await turns(other, 2)
    assert guard.status()["vetoes"] == {"compressor.cutter": 2}


@pytest.mark.anyio
async def test_who_is_steady_is_left_alone(make, talk):
    made = talk(guard=make(Steady()))
    await turns(made, 5)
    assert made.guard.status()["vetoes"] == {}
    assert "short" in texts(made.sent[-1])[0]


@pytest.mark.anyio
async def test_a_tool_list_that_changes_is_vetoed(make, talk):
    tools = [
        {"name": name, "description": f"{name}s. " * 20, "input_schema": {"type": "object"}} for name in ("get", "put", "run")
    ]
    made = talk(guard=make(Tools()))
    for text in ("one " * 500, "two", "three"):
        await made.turn(text, tools=tools)
    assert [len(body["tools"]) for body in made.sent] == [1, 3, 3]
    assert made.guard.status()["vetoes"] == {"compressor.tools": 1}


@pytest.mark.anyio
async def test_a_caller_who_changes_its_own_history_is_nobodys_fault(make, talk):
    made = talk(guard=make(Steady()))
    await turns(made, 3)
    made.messages[2] = {"role": "user", "content": "Something else. " * 20}
    await turns(made, 2)
    del made.messages[1:5]
    await turns(made, 1)
    assert made.guard.status()["vetoes"] == {}


@pytest.mark.anyio
async def test_whoever_is_allowed_to_may_and_policies_always_act(make, talk):
    allowed = talk(guard=make(Cutter(), allow=["compressor.cutter"]))
    await turns(allowed, 4)
    assert (len(texts(allowed.sent[-1])[0]), allowed.guard.status()["vetoes"]) == (60, {})
    made = talk(guard=make(Redactor(), Cutter()))
    await turns(made, 4, "My secret is {}, and that is all of it. ")
    assert made.guard.status()["vetoes"] == {"compressor.cutter": 1}
    assert "secret" not in "".join(texts(made.sent[-1])[:-1])


@pytest.mark.anyio
async def test_it_can_be_told_not_to(make, talk):
    made = talk(guard=make(Cutter(), veto=False))
    await turns(made, 3)
    assert len(texts(made.sent[-1])[0]) == 60


@pytest.mark.anyio
async def test_what_a_veto_costs_is_the_plugins_loss(make, talk):
    made = talk(guard=make(Cutter()))
    await turns(made, 1)
    made.cache._kept.clear()  # as if the provider had lost it, which is what a rewritten beginning comes to
    await turns(made, 1)
    lost = [saving for saving in made.exchange.savings if saving.plugin == "compressor.cutter"]
    usage = made.bills[0]
    assert lost[0].usd == pytest.approx(-usage.input_tokens * (3.75 - 0.3) / 1e6)


@pytest.mark.anyio
async def test_another_attempt_of_the_same_request_is_sent_as_the_first(make, talk):
    made = talk(guard=make(Steady()))
    await turns(made, 2)
    again = await made.guard.transform_request(made.exchange, made.exchange.request, made.candidate)
    first = await made.guard.transform_request(made.exchange, made.exchange.request, made.candidate)
    assert made.exchange.dialect.encode_request(again, []) == made.exchange.dialect.encode_request(first, [])
    assert made.guard.memory.of(made.exchange, made.candidate, frozenset()).pauses == 1
