from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lynkr_core import (
    Attempt,
    Candidate,
    Context,
    Envelope,
    Exchange,
    MemoryStore,
    Outcome,
    PluginError,
    Principal,
    Removal,
    Score,
    Selection,
    Stores,
    UpstreamError,
)
from lynkr_core.cards import Price
from lynkr_core.process import ADMIN
from lynkr_core.remarks import save
from lynkr_core.request import Usage
from lynkr_core.routes import RouteRequest
from lynkr_core.stores.totals import row_of_json
from lynkr_core.testing import factories
from lynkr_core.testing.factories import NamedProvider
from lynkr_core.testing.waiting import quickest
from lynkr_sink_journal import Config, plugin
from lynkr_sink_journal.record import Recorder

SECRET_TEXT = "my very private question"
LOCAL, CLOUD = NamedProvider("local"), NamedProvider("cloud")
SMALL, LARGE = Candidate(provider=LOCAL, model="small"), Candidate(provider=CLOUD, model="large")


def exchange(**changes: Any) -> Exchange:
    dialect: Any = SimpleNamespace(name="openai.chat", operation="chat", conversation="messages")
    made = Exchange(
        dialect, "/v1/chat/completions", {b"x-lynkr-session": b"s1", b"authorization": b"Bearer sk-1"}, SECRET_TEXT.encode()
    )
    made.envelope = Envelope(fields={"messages": msgspec.Raw(SECRET_TEXT.encode())}, model="auto", stream=True)
    made.principal = Principal(id="key:1", key="ci", agent="kb", tags=("a",))
    made.candidates = (SMALL, LARGE)
    made.removed = (Removal("old/model", "too small", "selector.tier"),)
    made.scores = [
        Score(value=30, reason="short", signals={"words": 4.0}, gates=("code",), ask=SECRET_TEXT, plugin="scorer.heuristic")
    ]
    made.score, made.tier = 30.0, "medium"
    made.selection = Selection(order=(SMALL, LARGE), reason="tier medium")
    made.selected_by = "selector.tier"
    made.losses = ["logit_bias: no place for it"]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def outcome(**changes: Any) -> Outcome:
    failed, served = Attempt(SMALL), Attempt(LARGE)
    failed.ended = failed.started + 0.5
    failed.error = UpstreamError("server", f"cannot answer {SECRET_TEXT!r}", status=503, code="busy")
    served.first_token, served.ended = served.started + 0.1, served.started + 0.3
    usage = Usage(input_tokens=100, output_tokens=20, cache_read=30)
    settings = {
        "status": "ok",
        "http_status": 200,
        "candidate": LARGE,
        "usage": usage,
        "cost": 0.25,
        "attempts": [failed, served],
    }
    return Outcome(**{**settings, "duration": 0.9, "first_token": 0.6, **changes})


def create(config: Config | None = None, stores: Stores | None = None) -> Any:
    context = Context(name="journal", kind="sink", transport=None, tiers=None, stores=stores or Stores(), environ={})
    return plugin.create(config or Config(), context)


def ask(id: str, principal: str = "key:1") -> RouteRequest:
    return RouteRequest(params={"id": id}, headers={}, body=b"", principal=Principal(id=principal))


def build(exchange: Exchange, outcome: Outcome, texts: bool, tiers: Any = None) -> dict[str, Any]:
    """A record as its readers get it."""
    id, created, written, counts = Recorder(texts, tiers).record(exchange, outcome)
    assert counts == row_of_json(written)
    found = msgspec.json.decode(written)
    assert (found["id"], found["created"]) == (id, created)
    return found


def test_a_record_says_what_was_decided_and_why() -> None:
    told = build(exchange(), outcome(), False)
    assert (told["model_asked"], told["tier"], told["score"], told["route"]) == ("auto", "medium", 30.0, "auto")
    assert told["candidates"] == told["order"] == ["local/small", "cloud/large"]
    assert told["removed"] == [{"candidate": "old/model", "plugin": "selector.tier", "reason": "too small"}]
    assert (told["reason"], told["selected_by"]) == ("tier medium", "selector.tier")
    assert (told["signals"], told["gates"]) == ({"words": 4.0}, ["code"])
    assert (told["principal"], told["agent"], told["tags"], told["session"]) == ("key:1", "kb", ["a"], "s1")


def test_what_the_last_attempt_cost_is_told_as_it_was_worked_out_at_its_end() -> None:
    ended = outcome()
    ended.attempts[-1].usage = ended.usage
    told = build(exchange(), ended, False)
    assert [each["usd"] for each in told["considered"]] == [None, 0.25, None]
    assert [each["cost"] for each in told["attempts"]] == [None, 0.25]
    assert told["spent"] == told["cost"] == 0.25


def test_a_record_says_what_came_of_it() -> None:
    told = build(exchange(), outcome(), False)
    assert (told["provider"], told["model"]) == ("cloud", "large")
    assert (told["status"], told["http_status"], told["cost"], told["stream"]) == ("ok", 200, 0.25, True)
    assert told["usage"]["input_tokens"] == 100
    assert told["usage"]["cache_read"] == 30
    first, second = told["attempts"]
    assert (first["candidate"], first["error"], first["status"], first["code"]) == ("local/small", "server", 503, "busy")
    assert first["seconds"] == pytest.approx(0.5)
    assert first["at"] <= second["at"]
    assert (second["error"], second["first_token"]) == (None, pytest.approx(0.1))
    assert told["losses"] == ["logit_bias: no place for it"]


def test_no_text_and_no_key_is_kept_unless_texts_are_asked_for() -> None:
    failed = outcome(status="error", error=f"cannot answer {SECRET_TEXT!r}", attempts=outcome().attempts[:1])
    written = msgspec.json.encode(build(exchange(), failed, False))
    assert SECRET_TEXT.encode() not in written
    assert b"sk-1" not in written
    assert build(exchange(), failed, False)["error"] == "server 503 busy"
    told = build(exchange(), failed, True)
    assert told["scores"][0]["ask"] == SECRET_TEXT
    assert told["error"].startswith("cannot answer")


def test_a_request_that_came_to_nothing_has_a_record_too() -> None:
    bare = Exchange(SimpleNamespace(name="openai.chat", operation="chat"), "/v1", {}, b"{")  # type: ignore[arg-type]
    refused = Outcome(status="refused", http_status=400, error="the body is not JSON" + "!" * 1000)
    told = build(bare, refused, False)
    assert (told["model_asked"], told["provider"], told["usage"], told["attempts"]) == (None, None, None, [])
    assert told["error"].startswith("the body is not JSON!")
    assert len(told["error"]) == 500


def test_a_record_does_not_keep_the_exchange() -> None:
    made = Exchange(SimpleNamespace(name="openai.chat", operation="chat"), "/v1", {}, b"")  # type: ignore[arg-type]
    told, watch = Recorder(texts=True).record(made, outcome()), weakref.ref(made)
    del made
    gc.collect()
    assert watch() is None
    assert told[0].startswith("req_")


def test_a_recorder_may_be_used_again() -> None:
    recorder = Recorder(texts=False)
    for length in (5, 5_000, 50):
        made, ended = exchange(tier="t" * length), outcome()
        assert recorder.record(made, ended) == Recorder(texts=False).record(made, ended)


def test_building_a_record_is_cheap() -> None:
    made, ended, recorder = exchange(), outcome(), Recorder(texts=False)
    seconds = quickest(lambda: [recorder.record(made, ended) for _ in range(100)], 20) / 100
    assert seconds < 60e-6  # 10 µs where this was written


@pytest.mark.anyio
async def test_the_record_is_told_to_whoever_made_the_request() -> None:
    sink = create()
    sink.post_response(made := exchange(), outcome())
    route, _ = sink.register_routes(SimpleNamespace(catalog=None))
    assert (route.method, route.path, route.admin) == ("GET", "/v1/decisions/{id}", False)
    answer = await route.endpoint(ask(made.id))
    assert answer.status == 200
    assert msgspec.json.decode(answer.body)["id"] == made.id


@pytest.mark.anyio
async def test_nobody_elses_record_is_told() -> None:
    sink = create()
    sink.post_response(made := exchange(), outcome())
    for query in (ask(made.id, "key:2"), ask(made.id, "anonymous"), ask("req_none")):
        answer = await sink.tell(query)
        assert answer.status == 404
        assert msgspec.json.decode(answer.body)["error"]["type"] == "not_found_error"


@pytest.mark.anyio
async def test_the_admin_key_finds_every_record() -> None:
    sink = create()
    sink.post_response(made := exchange(), outcome())
    answer = await sink.tell(RouteRequest(params={"id": made.id}, headers={}, body=b"", principal=ADMIN))
    assert msgspec.json.decode(answer.body)["principal"] == "key:1"
    named = await sink.tell(ask(made.id, "admin"))
    assert named.status == 404, "it is the key that opens, not a principal's name"


@pytest.mark.anyio
async def test_it_writes_to_the_store_it_was_told() -> None:
    stores, first, second = Stores(), MemoryStore(), MemoryStore()
    stores.add("a", first)
    stores.add("b", second)
    create(Config(store="b"), stores).post_response(made := exchange(), outcome())
    assert await second.find(made.id) is not None
    assert await first.find(made.id) is None
    with pytest.raises(PluginError, match=r"\[store.c\]"):
        create(Config(store="c"), stores)


def test_a_record_has_task_queue_and_what_was_saved_by_whom() -> None:
    large = Candidate(provider=CLOUD, model="large", price=Price(input=2.0, output=4.0))
    made = exchange(selection=Selection(order=(large,), notes={"task": "code"}))
    made.queued += 0.5
    made.queued += 0.25
    save(made, "compressor.json", 1000)
    save(made, "cache.exact", 50, usd=0.5)
    told = build(made, outcome(candidate=large), False)
    assert (told["task"], told["queue"], told["saved_tokens"]) == ("code", 0.75, 1050)
    assert told["savings"] == [
        {"plugin": "compressor.json", "tokens": 1000, "usd": pytest.approx(0.002)},
        {"plugin": "cache.exact", "tokens": 50, "usd": 0.5},
    ]
    assert told["saved_usd"] == pytest.approx(0.502)


def test_what_a_saving_is_worth_is_null_where_nobody_knows() -> None:
    save(made := exchange(), "compressor.json", 1000)
    told = build(made, outcome(), False)
    assert (told["savings"][0]["usd"], told["saved_usd"], told["queue"], told["task"]) == (None, None, 0.0, None)


def test_a_record_says_whether_it_was_served_locally_or_cheaply() -> None:
    served, tiers = factories.candidates(), factories.tiers(factories.candidates())
    tiers.fill({"simple": served[:2], "reasoning": served[2:]})
    grades = [build(exchange(), outcome(candidate=one), False, tiers)["grade"] for one in served]
    assert grades == ["cheap", "cheap", None, None]
    tiers.fill({"simple": served})
    assert build(exchange(), outcome(candidate=served[0]), False, tiers)["grade"] is None
    CLOUD.local = True
    try:
        assert build(exchange(), outcome(), False)["grade"] == "local"
    finally:
        CLOUD.local = False


def test_texts_that_are_kept_have_no_keys_in_them() -> None:
    made = exchange(scores=[Score(value=1, ask="mail bob@example.org, key sk-abcdefghijklmnop")])
    failed = outcome(status="error", error="no such key sk-abcdefghijklmnop", attempts=outcome().attempts[:1])
    told = build(made, failed, True)
    assert told["scores"][0]["ask"] == "mail [e-mail], key [key]"
    assert told["error"] == "no such key [key]"
