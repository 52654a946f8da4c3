"""Anthropic's SDK for JavaScript against the gateway: messages, tools, thinking, counts, models, errors and aborts, over every upstream
dialect."""

import asyncio

import pytest

from lynkr_core.testing.canned import ANTHROPIC_FAULTS, CANNED
from tests.javascript.node import throws

TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
TWO_CALLS = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
FAULTS = [
    ("status 400", "BadRequestError", 400, "invalid_request_error"),
    ("status 404", "NotFoundError", 404, "not_found_error"),
    ("status 429", "RateLimitError", 429, "rate_limit_error"),
    ("status 500", "InternalServerError", 500, "api_error"),
    ("status 529", "OverloadedError", 529, "overloaded_error"),
    ("error context", "BadRequestError", 400, "invalid_request_error"),
]
UPSTREAMS = [("chat", "openai.chat"), ("responses", "openai.responses"), ("messages", "anthropic.messages")]


def asked(model, text, **more):
    return {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def to(gateway):
    return {"baseURL": gateway.url}


@pytest.fixture
def scripted(scripted_gateway):
    return {"baseURL": scripted_gateway.url}


def test_a_message(anthropic, to, model):
    answer = anthropic("messages", to=to, asked=asked(model, TEXT, system="Be brief"))
    assert [(block["type"], block["text"]) for block in answer["content"]] == [("text", TEXT)]
    assert (answer["stop_reason"], answer["usage"]["input_tokens"]) == ("end_turn", len(TEXT.split()) + 2)


def test_the_events_of_a_stream(anthropic, to, model):
    events = anthropic("messagesPieces", to=to, asked=asked(model, f"{TEXT} [[echo: usage 100 20]]"))["got"]
    types = [event["type"] for event in events if event["type"] != "content_block_delta"]
    assert types == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert events[0]["message"]["usage"]["input_tokens"] > 0
    usage = events[0]["message"]["usage"] | {key: value for key, value in events[-2]["usage"].items() if value is not None}
    assert (usage["input_tokens"], usage["output_tokens"]) == (100, 20)


def test_the_sdk_gathers_a_stream(anthropic, to, model):
    gathered = anthropic("messagesGathered", to=to, asked=asked(model, "word [[echo: chunks 40]]") | {"max_tokens": 20})
    assert (gathered["text"], gathered["whole"]["stop_reason"]) == ("word " * 19 + "word", "max_tokens")


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_runs_tools(anthropic, to, model, stream):
    """It would keep the conversation at the provider; told that it cannot, it sends all of it."""
    ran = anthropic("messagesWithTools", to=to, asked=asked(model, TWO_CALLS), results=["21°", "15°"], stream=stream)
    assert ran == {"text": "Tool said: 21°\n15°", "made": ["Zürich", "Paris"]}


def test_the_sdk_gathers_parallel_calls(anthropic, to, model):
    gathered = anthropic("messagesGathered", to=to, asked=asked(model, TWO_CALLS, tools=[tool()]))
    calls = [(block["name"], block["input"]) for block in gathered["whole"]["content"] if block["type"] == "tool_use"]
    assert calls == [("get_weather", {"city": "Zürich"}), ("get_weather", {"city": "Paris"})]


def tool():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"name": "get_weather", "description": "Weather now", "input_schema": schema}


def test_the_sdk_parses_an_answer(anthropic, to, model):
    answers = anthropic("messagesParsed", to=to, asked=asked(model, '{"name": "Zürich", "people": 436551}'))
    assert answers == [{"name": "Zürich", "people": 436551}] * 2


@pytest.mark.parametrize("provider", ["echo", "messages", "responses"])
def test_thinking_goes_round(anthropic, to, provider):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = asked(f"{provider}/echo", "Hello [[echo: reasoning I think so]]", thinking=thinking) | {"max_tokens": 4000}
    said = anthropic("messagesGathered", to=to, asked=first)["whole"]["content"]
    assert [(block["type"], block.get("thinking") or block["text"]) for block in said] == [
        ("thinking", "I think so"),
        ("text", "Hello"),
    ]
    more = [{"role": "assistant", "content": said}, {"role": "user", "content": "More"}]
    again = anthropic("messages", to=to, asked={**first, "messages": [{"role": "user", "content": "Hello"}, *more]})
    assert again["content"][-1]["text"] == "More"


def test_tokens_are_counted(anthropic, to, model):
    question = asked(model, "one two three", system="Be brief", tools=[tool()])
    del question["max_tokens"]
    assert anthropic("counted", to=to, asked=question)["input_tokens"] > 4


def test_models(anthropic, to):
    listed = {model["id"]: model for model in anthropic("models", to=to)["got"]}
    assert {"auto", "echo/echo"} <= listed.keys()
    assert listed["echo/echo"]["type"] == "model"


# errors
@pytest.mark.parametrize(("directive", "thrown", "status", "type"), FAULTS)
@pytest.mark.parametrize("function", ["messages", "messagesPieces"])
def test_errors_are_of_the_right_class(anthropic, to, model, function, directive, thrown, status, type):
    with throws(**{"class": thrown, "status": status, "type": type}) as caught:
        anthropic(function, to=to, asked=asked(model, f"[[echo: {directive}]]"))
    assert caught.value.error["body"]["error"]["message"]


def test_how_long_to_wait_is_told(anthropic, to, model):
    with throws(status=429) as caught:
        anthropic("messages", to=to, asked=asked(model, "[[echo: status 429 after 7]]"))
    assert caught.value.error["headers"]["retry-after"] == "7"
    assert caught.value.error["headers"]["x-should-retry"] == "false"


@pytest.mark.parametrize("directive", ["cut 4", "end 4", "fail 4"])
def test_a_broken_stream_is_never_a_normal_end(anthropic, to, model, directive):
    broken = anthropic("messagesPieces", to=to, asked=asked(model, f"{TEXT} [[echo: {directive}]]"))
    assert broken["broke"]["message"]
    assert not {"message_delta", "message_stop"} & {event["type"] for event in broken["got"]}


# a provider that is no gateway
@pytest.mark.parametrize(("status", "tries"), [("500", 3), ("529", 2)])
@pytest.mark.anyio
async def test_the_sdks_retries_do_not_multiply_the_gateways(anthropic, scripted, provider, status, tries):
    provider.always(ANTHROPIC_FAULTS[status].script)
    with throws(status=int(status)):
        await anthropic.later("messages", to=scripted | {"maxRetries": 3}, asked=asked("messages/m", "Hello"))
    assert len(provider.requests) == tries


@pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS)
@pytest.mark.anyio
async def test_leaving_closes_the_upstream(anthropic, scripted, provider, upstream, dialect):
    provider.always(CANNED[dialect].but(pause=0.3))
    assert await anthropic.later("messagesAbandoned", to=scripted, asked=asked(f"{upstream}/m", "Hello"))
    await asyncio.wait_for(provider.last.gone.wait(), 30)
    assert len(provider.requests) == 1
