"""Long conversations of agents, turn by turn: when an epoch begins, what it leaves alone, what it costs, and what fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lynkr_compressor_history import History, plugin
from lynkr_compressor_history.extract import summary
from lynkr_compressor_history.turns import begin, cuts, weight
from lynkr_core.app import Application
from lynkr_core.cards import Price
from lynkr_core.config import parse
from lynkr_core.errors import PluginError
from lynkr_core.exchange import Candidate, Exchange, Principal
from lynkr_core.kernel import Kernel
from lynkr_core.request import Message, Request, Text, ToolCall, ToolCallResponse
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts import conversations as talk
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.waiting import until
from lynkr_core.tokens import Tokens

pytestmark = pytest.mark.anyio
HALF = factories.candidate("cloud/half", price=Price(input=2, output=8, cache_read=1), context_window=1_000_000)
TENTH = factories.candidate(
    "cloud/tenth", price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75), context_window=1_000_000
)
SMALL = factories.candidate(
    "cloud/window", price=Price(input=3, output=15, cache_read=0.3, cache_write=3.75), context_window=12_000
)
FREE = factories.candidate("home/free", price=Price(input=0, output=0))
TABLE: dict[str, Any] = {"dear_tokens": 6_000, "keep_turns": 4, "summary_tokens": 800}
RESULT = "\n".join(f"src/part_{n}.py:{n}: value {n * 7919 % 1000}" for n in range(40))


def steps(count: int) -> list[talk.Step]:
    made: list[talk.Step] = [talk.User("Make the tests of the billing module pass. Never touch invoice 4711.")]
    for n in range(count):
        call = talk.Call(f"call_{n}", "Bash", f'{{"command": "pytest -k part_{n}"}}')
        made += [
            talk.Agent(f"I look at part {n}.", calls=(call,)),
            talk.Results((talk.Result(f"call_{n}", f"run {n}\n{RESULT}", n % 5 == 4),)),
        ]
    return made


def turns(count: int, dialect: str = "anthropic.messages") -> list[dict[str, Any]]:
    return list(talk.bodies(dialect, steps(count)))


def history(stores: Stores | None = None, **table: Any) -> History:
    return factories.build(plugin, {**TABLE, **table}, factories.context("history", "compressor", stores=stores))


async def send(
    made: History, body: Any, served: Candidate = HALF, dialect: str = "anthropic.messages", session: str = "s", who: str = "p"
) -> tuple[Exchange, Request]:  # fmt: skip
    exchange = factories.exchange(body, dialect=dialect, headers={"x-lynkr-session": session}, served=(served,))
    exchange.principal = Principal(id=who)
    changed = await made.transform_request(exchange, exchange.request, served)
    return exchange, changed or exchange.request


def parts(messages: tuple[Message, ...], kind: type) -> Iterator[Any]:
    return (part for message in messages for part in message.parts if isinstance(part, kind))


@pytest.mark.parametrize("dialect", samples.DIALECTS)
async def test_epochs_are_rare_and_between_them_turns_are_appended(dialect: str) -> None:
    made, before, epochs = history(), None, 0
    for count, body in enumerate(turns(60, dialect), 1):
        exchange, request = await send(made, body, dialect=dialect)
        if before is not None:
            epochs += request.messages[: len(before)] != before
        before = request.messages
        original = exchange.request.messages
        kept = [message for message in request.messages if message.native is not None]
        assert kept[begin(request.messages) :] == list(original[len(original) - len(kept) + begin(original) :]), (
            "kept ones are untouched"
        )
        calls = {part.id for part in parts(request.messages, ToolCall)}
        results = {part.id for part in parts(request.messages, ToolCallResponse)}
        assert results == calls, "a call has its result, and a result its call"
        assert len(calls) >= min(count - 1, TABLE["keep_turns"] - 1)
        assert (request.system, request.tools) == (exchange.request.system, exchange.request.tools)
        assert begin(request.messages) == begin(original)
        wire = exchange.dialect.encode_request(request, [])
        exchange.dialect.decode_request(exchange.dialect.peek(msgspec.json.encode(wire)))
    assert 2 <= epochs <= 8
    assert epochs == made.status()["epochs"]


@pytest.mark.parametrize(("served", "acts"), [(HALF, True), (TENTH, False), (SMALL, True), (FREE, False)])
async def test_it_acts_near_the_window_or_where_the_cache_is_dear(served: Candidate, acts: bool) -> None:
    exchange, request = await send(history(), turns(20)[-1], served)
    assert (request is not exchange.request) == acts
    assert (await send(history(dear_tokens=0), turns(20)[-1], HALF))[1].messages == exchange.request.messages


async def test_people_are_quoted_and_what_was_done_is_told() -> None:
    _, request = await send(history(), turns(20)[-1])
    text = request.messages[0].text
    assert "Never touch invoice 4711." in text
    assert "- called Bash {" in text
    assert "pytest -k part_14" in text
    assert "failed: run 14" in text


async def test_nobody_reaches_another_principals_summary() -> None:
    stores = Stores(MemoryStore())
    made = history(stores)
    long, short = turns(20)[-1], turns(12)[-1]
    assert (await send(made, long))[1].messages[0].text.startswith("[The earlier part")
    for session, who in (("s", "other"), ("other", "p")):
        exchange, request = await send(made, short, SMALL, session=session, who=who)
        assert request is exchange.request


async def test_another_instance_goes_on_with_the_same_summary() -> None:
    stores = Stores(MemoryStore())
    bodies = turns(21)
    first = (await send(history(stores), bodies[-2]))[1].messages
    after = (await send(history(stores), bodies[-1]))[1].messages
    assert after[: len(first)] == first


async def test_an_edited_history_is_a_new_one() -> None:
    made, body = history(), turns(20)[-1]
    await send(made, body)
    changed = msgspec.json.decode(msgspec.json.encode(body))
    changed["messages"][3]["content"][0]["text"] = "I look elsewhere."
    _, request = await send(made, changed, TENTH)
    assert request.messages[0].text == "Make the tests of the billing module pass. Never touch invoice 4711."


async def test_each_turn_is_priced_and_the_first_is_charged() -> None:
    made, bodies = history(), turns(40)
    first, rest = [exchange.savings for exchange, _ in [await send(made, body, SMALL) for body in bodies[-2:]]]
    assert first is not None
    assert rest is not None
    assert first[0].plugin == rest[0].plugin == "compressor.history"
    assert first[0].tokens == rest[0].tokens > 5_000
    assert rest[0].usd == pytest.approx(rest[0].tokens * 0.3 / 1e6)
    assert first[0].usd < rest[0].usd


class Broken(MemoryStore):
    async def set(self, key: str, value: bytes, ttl: float) -> None:
        raise OSError("disk full")


class Unreadable(MemoryStore):
    async def get(self, key: str) -> bytes | None:
        return b"\xc1 of another version"


@pytest.mark.parametrize("store", [Broken, Unreadable])
async def test_a_store_that_fails_leaves_the_conversation_whole_or_begins_anew(store: type[MemoryStore]) -> None:
    made = history(Stores(store()))
    exchange, request = await send(made, turns(20)[-1])
    assert (request is exchange.request) == (store is Broken)


def test_cuts_tear_nothing_apart() -> None:
    call, result = ToolCall(id="1", name="f"), ToolCallResponse(id="1")
    other, late = ToolCall(id="2", name="f"), ToolCallResponse(id="2")
    said = Text(text="x")
    messages = [
        Message(role="user", parts=(said,)), Message(role="assistant", parts=(said,)), Message(role="assistant", parts=(call, other)),
        Message(role="tool", parts=(result,)), Message(role="assistant", parts=(said,)), Message(role="tool", parts=(late,)),
        Message(role="assistant", parts=(said,)), Message(role="user", parts=(said,)), Message(role="assistant", parts=(said,)),
    ]  # fmt: skip
    assert list(cuts(messages)) == [1, 6, 8]


@pytest.mark.parametrize("most", [200, 800, 5_000])
def test_a_summary_has_its_bound(most: int) -> None:
    body = talk.BODIES["openai.chat"](steps(400), False)
    request = factories.exchange(body).request
    tokens = Tokens()
    text = summary(request.messages, most, tokens)
    assert tokens.count(text) <= most + 120
    assert text == summary(request.messages, most, tokens)
    assert most < 800 or "run 399" in text


def test_a_model_that_is_not_there_is_refused() -> None:
    for name in ("nobody/m", "echo", ""):
        with pytest.raises(PluginError, match="provider/model"):
            history(model=name or "/")


TOML = """
[provider.up]
use = "openai-compatible"
base_url = "URL1"
[provider.small]
use = "openai-compatible"
base_url = "URL2"
[prices]
"up/m" = { input = 2, output = 8, cache_read = 1 }
[compressor.history]
dear_tokens = 6000
keep_turns = 4
model = "small/s"
[sink.journal]
"""


async def test_a_model_writes_the_summary_while_the_conversation_goes_on(scripted_provider: Any) -> None:
    """And where it fails, the conversation goes on whole."""
    from lynkr_core.testing.scripted import ScriptedProvider

    async with ScriptedProvider() as small:
        small.always(Script(status=500, body=b'{"error": {"message": "boom"}}'))
        kernel = Kernel.from_config(parse(TOML.replace("URL1", scripted_provider.url).replace("URL2", small.url), {}), {})
        made: History = next(plugin.instance for plugin in kernel.plugins if plugin.kind == "compressor")
        async with Client(Application(kernel)) as client:
            bodies = [{**body, "model": "up/m"} for body in turns(24, "openai.chat")]

            async def ask(body: Any) -> list[Any]:
                answer = await client.post("/v1/chat/completions", json=body, headers={"x-lynkr-session": "s"})
                assert answer.status == 200
                return msgspec.json.decode(scripted_provider.requests[-1].body)["messages"]

            assert len(await ask(bodies[-3])) == len(bodies[-3]["messages"])
            await until(lambda: made.status()["failed"] == 1 and not made.asked)
            small.always(CANNED["openai.chat"])
            made.rests_until = 0.0
            assert len(await ask(bodies[-2])) == len(bodies[-2]["messages"])
            await until(lambda: not made.asked)
            sent = await ask(bodies[-1])
            assert len(sent) < 15
            assert sent[1]["content"].startswith("[The earlier part of this conversation was left out")
            asked = msgspec.json.decode(small.requests[-1].body)
            assert asked["model"] == "s"
            assert "Never touch invoice 4711." in asked["messages"][-1]["content"]


async def test_what_must_stay_local_goes_to_no_other_model() -> None:
    providers = {"small": factories.NamedProvider("small")}
    context = factories.context("history", "compressor", providers=providers)
    made: History = factories.build(plugin, {**TABLE, "model": "small/s"}, context)
    exchange = factories.exchange(turns(20)[-1], dialect="anthropic.messages", headers={"x-lynkr-session": "s"}, served=(HALF,))
    exchange.local_only = "the principal"
    request = await made.transform_request(exchange, exchange.request, HALF)
    assert request is not None
    assert request.messages[0].text.startswith("[The earlier part")
    assert not made.asked


async def test_where_reading_the_cache_is_dear_it_pays() -> None:
    """Input dollars of a conversation of 80 turns, each reading from the cache what it has in common with the one before."""
    made = history(dear_tokens=20_000, keep_turns=10, summary_tokens=1_500)
    price = HALF.price
    assert price is not None
    dollars = {True: 0.0, False: 0.0}
    before: dict[bool, tuple[Message, ...]] = {True: (), False: ()}
    for body in turns(80):
        exchange, request = await send(made, body)
        for shortened, messages in ((True, request.messages), (False, exchange.request.messages)):
            old, same = before[shortened], 0
            while same < min(len(old), len(messages)) and old[same] == messages[same]:
                same += 1
            dollars[shortened] += weight(made.tokens, messages[:same]) * (price.cache_read or 0)
            dollars[shortened] += weight(made.tokens, messages[same:]) * price.input
            before[shortened] = messages
    assert made.status()["epochs"] >= 1
    assert dollars[True] < 0.8 * dollars[False]
