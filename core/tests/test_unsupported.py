"""What a model refuses is left out and asked again, once; remembered for a while; never what gives a request its meaning."""

import json
import logging

import pytest

from lynkr_core.dialect import Refusal
from lynkr_core.testing.canned import Script
from lynkr_core.testing.factories import candidate, find_dialect
from lynkr_core.unsupported import FOR, MAX_EACH, MAX_MODELS, Unsupported, taken_out

FRONTS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
CHAT = find_dialect("openai.chat")
ONE = candidate("a/m")


def refusing(key, status=400):
    words = f"Unsupported parameter: '{key}' is not supported with this model."
    return Script(
        status=status, body=json.dumps({"error": {"message": words, "code": "unsupported_parameter", "param": key}}).encode()
    )


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("spoken", ["openai.chat", "anthropic.messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_it_is_left_out_told_and_remembered(gateway, scripted_provider, front, spoken, stream):
    scripted_provider.then(refusing("temperature"))
    made = await gateway(scripted_provider.url, dialects=(spoken,))
    first = await made.ask(front, temperature=0.5, stream=stream)
    second = await made.ask(front, temperature=0.5, stream=stream)
    assert (first.status, first.headers["x-lynkr-attempts"]) == (200, "2")
    assert (second.status, second.headers["x-lynkr-attempts"]) == (200, "1")
    assert ["temperature" in received.json() for received in scripted_provider.requests] == [True, False, False]
    assert stream or "temperature: m refused it" in second.headers["x-lynkr-losses"]


@pytest.mark.anyio
async def test_where_such_models_are_refused_nothing_is_left_out(gateway, scripted_provider):
    scripted_provider.always(refusing("temperature"))
    made = await gateway(scripted_provider.url, config='[routing]\nunsupported = "refuse"')
    answer = await made.ask("/v1/chat/completions", temperature=0.5)
    assert (answer.status, len(scripted_provider.requests)) == (400, 1)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["tools", "response_format", "messages", "model", "max_tokens", "seed"])
async def test_what_has_meaning_or_was_not_sent_is_not_tried_again(gateway, scripted_provider, key):
    scripted_provider.always(refusing(key))
    made = await gateway(scripted_provider.url)
    more = {"tools": [], "response_format": {"type": "json_object"}, "max_tokens": 5}
    answer = await made.ask("/v1/chat/completions", **more)
    assert (answer.status, len(scripted_provider.requests)) == (400, 1)
    assert made.kernel.unsupported.known == {}


@pytest.mark.anyio
async def test_one_after_the_other_as_often_as_there_are_retries(gateway, scripted_provider):
    scripted_provider.then(refusing("temperature"), refusing("top_p", 422), refusing("user"))
    made = await gateway(scripted_provider.url)
    asked = {"temperature": 0.5, "top_p": 0.5, "user": "u"}
    answer = await made.ask("/v1/chat/completions", **asked)
    assert (answer.status, len(scripted_provider.requests)) == (400, 3)
    assert (await made.ask("/v1/chat/completions", **asked)).headers["x-lynkr-attempts"] == "1"
    assert not asked.keys() & scripted_provider.last.json().keys()


@pytest.mark.anyio
async def test_another_name_for_the_limit_is_found_and_nothing_is_lost(gateway, scripted_provider):
    error = {"message": "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "param": "max_tokens",
             "code": "unsupported_parameter"}  # fmt: skip
    scripted_provider.then(Script(status=400, body=json.dumps({"error": error}).encode()))
    made = await gateway(scripted_provider.url)
    answer = await made.ask("/v1/chat/completions", max_tokens=7)
    sent = scripted_provider.last.json()
    assert (answer.status, sent["max_completion_tokens"], "max_tokens" in sent) == (200, 7, False)
    assert "x-lynkr-losses" not in answer.headers


@pytest.mark.anyio
async def test_only_the_model_that_refused_goes_without(gateway, scripted_provider, caplog):
    caplog.set_level(logging.INFO, "lynkr.unsupported")
    scripted_provider.then(refusing("temperature"))
    made = await gateway(scripted_provider.url, scripted_provider.url)
    await made.ask("/v1/chat/completions", model="up1/m", temperature=0.5)
    await made.ask("/v1/chat/completions", model="up2/m", temperature=0.5)
    assert scripted_provider.last.json()["temperature"] == 0.5
    assert caplog.messages == ["up1/m refuses temperature: left out for 60 minutes"]


def test_it_is_forgotten_after_a_while_and_bounded():
    now = [0.0]
    known = Unsupported(lambda: now[0])
    known.learn(ONE, CHAT, [Refusal("user")])
    fields, losses = {"user": "u"}, []
    now[0] = FOR
    assert not known.leave_out(ONE, CHAT, fields, losses)
    assert (fields, losses, known.known[ONE, CHAT]) == ({"user": "u"}, [], {})
    for n in range(MAX_EACH * 3):
        known.learn(ONE, CHAT, [Refusal(f"key{n}")])
    assert len(known.known[ONE, CHAT]) <= MAX_EACH
    for n in range(MAX_MODELS * 2):
        known.learn(candidate(f"a/{n}"), CHAT, [Refusal("user")])
    assert len(known.known) <= MAX_MODELS


@pytest.mark.parametrize(
    ("refusal", "left"),
    [
        (Refusal("a.b"), {"a": {"c": 2}, "d": 3}), (Refusal("a.x"), None), (Refusal("d.x"), None), (Refusal("x.y"), None),
        (Refusal("d", value=b"3"), {"a": {"b": 1, "c": 2}}), (Refusal("d", value=b"4"), None), (Refusal("d", beside="x"), None),
        (Refusal("a.b", beside="c"), {"a": {"c": 2}, "d": 3}), (Refusal("d", instead="e"), {"a": {"b": 1, "c": 2}, "e": 3}),
    ],
)  # fmt: skip
def test_how_something_is_taken_out(refusal, left):
    fields = {"a": {"b": 1, "c": 2}, "d": 3}
    assert taken_out(fields, refusal) is (left is not None)
    assert fields == (left or {"a": {"b": 1, "c": 2}, "d": 3})


def test_an_object_that_is_empty_goes_too():
    fields = {"a": {"b": 1}}
    assert taken_out(fields, Refusal("a.b"))
    assert fields == {}
