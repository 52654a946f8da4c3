"""Through a whole gateway: what is refused, who answers then, what the caller sees and what it costs."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.exchange import Exchange, Reservation
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import Loaded, compiled
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.anyio
GOOD = CANNED["openai.chat"]
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}}')
TOML = """
[provider.cheap]
use = "openai-compatible"
base_url = "URL1"
[provider.dear]
use = "openai-compatible"
base_url = "URL2"
[tiers]
simple = ["cheap/a", "cheap/b"]
complex = ["dear/c"]
[prices]
"cheap/a" = { input = 1, output = 1 }
"cheap/b" = { input = 1, output = 1 }
"dear/c" = { input = 10, output = 10 }
[routing]
retries = 2
[selector.tiers]
default = "simple"
[sink.journal]
"""


def answer(text: str = "", finish: str = "stop", calls: Any = None, pieces: int = 4, tokens: int = 100) -> Script:
    """A chat answer, whole and as a stream, hand-made after OpenAI's API reference."""
    usage = {"prompt_tokens": 1000, "completion_tokens": tokens, "total_tokens": 1000 + tokens}
    head = {"id": "c1", "created": 1, "model": "m"}
    message = {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}
    body = {
        **head,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }
    size = -(-len(text) // pieces) or 1
    deltas: list[Any] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[place : place + size]} for place in range(0, len(text), size)]
    deltas += [{"tool_calls": [{"index": 0, **call}]} for call in calls or ()]
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas] + [
        {"index": 0, "delta": {}, "finish_reason": finish}
    ]
    told = [{**head, "object": "chat.completion.chunk", "choices": [chunk]} for chunk in chunks]
    told.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    events = [sse.event(msgspec.json.encode(event)) for event in told]
    return Script(body=msgspec.json.encode(body), events=(*events, sse.event(b"[DONE]")))


SORRY = answer("I'm sorry, but I can't help with that.")
FINE = answer("Bread is baked at home.", tokens=200)


class Books:
    """A policy that writes down what it is told of each attempt."""

    def __init__(self) -> None:
        self.settled: list[Any] = []

    def reserve(self, exchange: Exchange, candidate: Any) -> Reservation:
        return Reservation(data=candidate.id)

    def settle(self, reservation: Reservation, outcome: Any) -> None:
        if outcome.status != "refused":  # set aside for somebody whom another plugin would not have
            self.settled.append((reservation.data, outcome.status, outcome.usage and outcome.usage.output_tokens))


class Talk:
    def __init__(self, client: Client, books: Books, cheap: ScriptedProvider, dear: ScriptedProvider) -> None:
        self.client, self.books, self.cheap, self.dear = client, books, cheap, dear

    async def ask(self, text: str = "How do I bake bread?", path: str = "/v1/chat/completions", **more: Any) -> Any:
        limit = {"max_tokens": 4000} if path.endswith("messages") else {}
        return await self.client.post(
            path, json={"model": "auto", "messages": [{"role": "user", "content": text}], **limit, **more}
        )

    async def stream(self, **more: Any) -> tuple[Any, bytes]:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "How do I bake bread?"}], **more}
        async with self.client.stream("/v1/chat/completions", json=body) as streamed:
            return streamed, b"".join([piece async for piece in streamed])

    async def record(self, answer: Any) -> Any:
        for _ in range(500):
            found = await self.client.get(f"/v1/decisions/{answer.headers['x-lynkr-request-id']}")
            if found.status == 200:
                return found.json()
            await asyncio.sleep(0.01)
        raise AssertionError("nobody wrote it down")


@pytest.fixture
async def talk():
    """`await talk(cheap, dear, "settings")`: what each provider says, always."""
    open_: list[Any] = []

    async def make(cheap: Script, dear: Script, settings: str = "", default: str = "simple") -> Talk:
        first, second = ScriptedProvider(), ScriptedProvider()
        for each, script in ((first, cheap), (second, dear)):
            await each.__aenter__()
            open_.append(each)
            each.always(script)
        toml = TOML.replace("URL1", first.url).replace("URL2", second.url) + "[extension.verify]\n" + settings
        toml = toml.replace('default = "simple"', f'default = "{default}"')
        kernel = Kernel.from_config(parse(toml, {}), {})
        books = Books()
        kernel.plugins.append(Loaded(kind="policy", name="books", use="books", instance=books))
        kernel.hooks = compiled(kernel.plugins, {}, "", [])
        kernel._settlers = {call.plugin: call for call in kernel.hooks.settle.calls}
        client = Client(Application(kernel))
        await client.__aenter__()
        open_.append(client)
        return Talk(client, books, first, second)

    yield make
    for each in reversed(open_):
        await each.__aexit__(None, None, None)


async def test_a_good_answer_is_given_as_it_is(talk):
    made = await talk(FINE, SORRY)
    found = await made.ask()
    assert (found.json()["choices"][0]["message"]["content"], found.headers["x-lynkr-model"]) == ("Bread is baked at home.", "a")
    assert "x-lynkr-verify" not in found.headers
    assert made.dear.requests == []


async def test_a_refused_answer_climbs_one_tier_past_its_peers(talk):
    made = await talk(SORRY, FINE)
    found = await made.ask()
    assert found.json()["choices"][0]["message"]["content"] == "Bread is baked at home."
    told = {name: found.headers[f"x-lynkr-{name}"] for name in ("model", "tier", "attempts", "verify")}
    assert told == {"model": "c", "tier": "complex", "attempts": "2", "verify": "cheap/a refusal: climbs"}
    assert len(made.cheap.requests) == 1


async def test_both_attempts_are_settled_and_stand_in_the_journal_with_their_costs(talk):
    made = await talk(SORRY, FINE)
    record = await made.record(await made.ask())
    assert made.books.settled == [("cheap/a", "error", 100), ("dear/c", "ok", 200)]
    attempts = [(a["candidate"], a["error"], a["code"], a["cost"]) for a in record["attempts"]]
    assert attempts == [("cheap/a", "rejected", "refusal", 0.0011), ("dear/c", None, None, 0.012)]
    assert record["spent"] == pytest.approx(0.0131)
    assert record["notes"]["verify"] == "cheap/a refusal: climbs"
    assert [(r["candidate"], r["plugin"]) for r in record["removed"]] == [("cheap/b", "extension.verify")]


async def test_it_climbs_so_often_as_it_may_and_the_last_answer_is_taken_as_it_is(talk):
    made = await talk(SORRY, SORRY)
    found = await made.ask()
    assert found.status == 200
    assert (found.headers["x-lynkr-model"], found.headers["x-lynkr-attempts"]) == ("c", "2")
    never = await talk(SORRY, FINE, "climbs = 0")
    assert (await never.ask()).headers["x-lynkr-model"] == "a"


async def test_when_the_dearer_one_fails_the_refused_one_is_asked_again(talk):
    made = await talk(SORRY, DOWN)
    found = await made.ask()
    assert found.status == 200
    assert found.headers["x-lynkr-model"] == "a"
    assert found.json()["choices"][0]["message"]["content"].startswith("I'm sorry")


@pytest.mark.parametrize(
    ("script", "more", "check"),
    [
        (answer("and then it", finish="length"), {}, "truncated"),
        (answer(" "), {}, "empty"),
        (answer("Let me look. " * 100), {}, "repetition"),
        (answer("要在家烤面包，你需要面粉、水、盐和酵母，然后把面团揉好放置两个小时。"), {}, "language"),
        (answer("Sure: {"), {"response_format": {"type": "json_object"}}, "structure"),
        (
            answer(
                calls=[{"id": "1", "type": "function", "function": {"name": "bake", "arguments": '{"bred": 1}'}}],
                finish="tool_calls",
            ),
            {
                "tools": [
                    {"type": "function", "function": {"name": "bake", "parameters": {"type": "object", "required": ["bread"]}}}
                ]
            },
            "tool_call",
        ),
    ],
)
async def test_each_check_whole_and_streamed(talk, script, more, check):
    made = await talk(script, FINE)
    whole = await made.ask(**more)
    assert whole.headers["x-lynkr-verify"] == f"cheap/a {check}: climbs"
    streamed, told = await made.stream(**more)
    assert streamed.headers["x-lynkr-verify"] == f"cheap/a {check}: climbs"
    assert b"Bread" in told
    assert told.count(b"[DONE]") == 1


async def test_a_refused_stream_leaves_nothing_with_the_caller_and_is_settled(talk):
    made = await talk(SORRY, FINE)
    streamed, told = await made.stream(stream_options={"include_usage": True})
    assert b"sorry" not in told
    assert streamed.headers["x-lynkr-model"] == "c"
    for _ in range(500):
        if len(made.books.settled) == 2:
            break
        await asyncio.sleep(0.01)
    assert made.books.settled == [("cheap/a", "error", 100), ("dear/c", "ok", 200)]


async def test_a_good_stream_goes_out_byte_for_byte(talk):
    made = await talk(FINE, SORRY)
    _, told = await made.stream(stream_options={"include_usage": True})
    assert told == b"".join(FINE.events)


async def test_a_long_stream_is_let_go_when_the_bound_is_reached(talk):
    """What comes after it is not checked; what came before it is."""
    late = answer(" ".join(map(str, range(300))) + "Let me look. " * 200, pieces=20)
    made = await talk(late, FINE, "hold = 200")
    streamed, told = await made.stream()
    assert (streamed.headers["x-lynkr-model"], b"Let me" in told) == ("a", True)
    early = await talk(answer("Let me look. " * 200, pieces=40), FINE, "hold = 600")
    assert (await early.stream())[0].headers["x-lynkr-model"] == "c"
    never = await talk(SORRY, FINE, "hold = 0")
    assert (await never.stream())[0].headers["x-lynkr-model"] == "a"


async def test_a_stream_that_breaks_while_it_is_held_has_a_next(talk):
    made = await talk(FINE.but(cut_events=3), answer("From the dear one."))
    streamed, told = await made.stream()
    assert b"Bread" not in told or streamed.headers["x-lynkr-attempts"] != "1"
    assert told.endswith(b"data: [DONE]\n\n")


async def test_other_fronts_are_checked_too(talk):
    made = await talk(SORRY, FINE)
    found = await made.ask(path="/v1/messages")
    assert found.json()["content"][0]["text"] == "Bread is baked at home."
    assert found.headers["x-lynkr-verify"] == "cheap/a refusal: climbs"


@pytest.mark.parametrize("model", ["cheap/a", "simple"])
async def test_what_was_asked_for_by_name_is_not_checked(talk, model):
    made = await talk(SORRY, FINE)
    found = await made.ask(model=model)
    assert (found.headers["x-lynkr-provider"], found.headers["x-lynkr-attempts"]) == ("cheap", "1")


async def test_cheap_first_for_new_conversations(talk):
    made = await talk(FINE, SORRY, "below = 1", default="complex")
    found = await made.ask(path="/v1/route")
    assert (found.json()["order"][0], found.json()["reason"]) == ("cheap/a", "no score: complex; medium first, to be verified")


async def test_a_check_that_fails_refuses_nobody(talk, monkeypatch):
    def fails(*args: Any) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr("lynkr_extension_verify.fault", fails)
    made = await talk(SORRY, FINE)
    assert (await made.ask()).headers["x-lynkr-model"] == "a"
