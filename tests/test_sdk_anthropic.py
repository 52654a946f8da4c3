"""Anthropic's own SDK against the gateway: messages, streams, tools, thinking, counting, models and errors, from every dialect."""

import asyncio

import anthropic
import pydantic
import pytest

from lynkr_core.testing.canned import ANTHROPIC_FAULTS, CANNED

TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Weather now", "input_schema": CITY}
TWO_CALLS = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FAULTS = [
    ("status 400", anthropic.BadRequestError, 400, "invalid_request_error"),
    ("status 404", anthropic.NotFoundError, 404, "not_found_error"),
    ("status 429", anthropic.RateLimitError, 429, "rate_limit_error"),
    ("status 500", anthropic.InternalServerError, 500, "api_error"),
    ("status 529", anthropic.InternalServerError, 529, "overloaded_error"),
    ("error context", anthropic.BadRequestError, 400, "invalid_request_error"),
    ("error content", anthropic.BadRequestError, 400, "invalid_request_error"),
]
UPSTREAMS = [("chat", "openai.chat"), ("responses", "openai.responses"), ("messages", "anthropic.messages")]


class City(pydantic.BaseModel):
    name: str
    people: int


def asked(model, text, **more):
    return {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture(scope="module")
def client(gateway):
    with anthropic.Anthropic(base_url=gateway.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
async def asynchronous(scripted_gateway, anyio_backend):
    async with anthropic.AsyncAnthropic(base_url=scripted_gateway.url, auth_token="none") as client:
        yield client


def test_a_message(client, model):
    answer = client.messages.create(**asked(model, TEXT, system="Be brief"))
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [(block.type, block.text) for block in answer.content] == [("text", TEXT)]
    assert answer.usage.input_tokens == len(TEXT.split()) + 2
    assert answer.usage.output_tokens > 0


def test_a_streamed_message(client, model):
    with client.messages.stream(**asked(model, TEXT, system="Be brief")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert (text, final.content[0].text, final.stop_reason) == (TEXT, TEXT, "end_turn")
    assert final.usage.input_tokens == len(TEXT.split()) + 2
    assert final.usage.output_tokens > 0


def test_the_events_of_a_stream(client, model):
    events = list(client.messages.create(**asked(model, f"{TEXT} [[echo: usage 100 20]]"), stream=True))
    types = [event.type for event in events if event.type != "content_block_delta"]
    assert types == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert events[0].message.usage.input_tokens > 0
    usage = events[-2].usage
    assert usage.output_tokens == 20
    assert (usage.input_tokens or events[0].message.usage.input_tokens) == 100


def test_the_limit_ends_a_message(client, model):
    answer = client.messages.create(**asked(model, "word [[echo: chunks 40]]") | {"max_tokens": 20})
    assert (answer.content[0].text, answer.stop_reason) == ("word " * 19 + "word", "max_tokens")


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_go_round(client, model, streamed):
    first = asked(model, TWO_CALLS, tools=[WEATHER])
    if streamed:
        with client.messages.stream(**first) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**first)
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use"
    assert [(call.name, call.input) for call in calls] == [
        ("get_weather", {"city": "Zürich"}),
        ("get_weather", {"city": "Paris"}),
    ]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in zip(calls, ("21°", "15°"), strict=True)
    ]
    said = [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = client.messages.create(**first | {"messages": [*first["messages"], *said]})
    assert answer.content[0].text == "Tool said: 21°\n15°"


@pytest.mark.parametrize("streamed", [False, True])
def test_the_sdk_runs_tools(client, model, streamed):
    """It would keep the conversation at the provider; told that it cannot, it sends all of it."""
    cities = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Weather now"""
        cities.append(city)
        return {"Zürich": "21°", "Paris": "15°"}[city]

    runner = client.beta.messages.tool_runner(**asked(model, TWO_CALLS), tools=[get_weather], stream=streamed)
    for turn in runner:
        final = turn.get_final_message() if streamed else turn
    assert (cities, final.content[0].text) == (["Zürich", "Paris"], "Tool said: 21°\n15°")


def test_a_message_is_parsed_into_a_model(client, model):
    answer = client.messages.parse(**asked(model, '{"name": "Zürich", "people": 436551}'), output_format=City)
    assert answer.parsed_output == City(name="Zürich", people=436551)


@pytest.mark.parametrize("provider", ["echo", "messages", "responses"])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking(client, provider, streamed):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    first = asked(f"{provider}/echo", "Hello [[echo: reasoning I think so]]", thinking=thinking) | {"max_tokens": 4000}
    if streamed:
        with client.messages.stream(**first) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(**first)
    thought, text = answer.content
    assert (thought.type, thought.thinking, text.text) == ("thinking", "I think so", "Hello")
    assert thought.signature
    said = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": "More"},
    ]
    assert client.messages.create(**first | {"messages": said}).content[-1].text == "More"


def test_a_message_with_an_image_and_an_error_of_a_tool(client, model):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "is_error": True,
        "content": [{"type": "text", "text": "no such city"}],
    }
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Where?"}, image]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    answer = client.messages.create(model=model, max_tokens=100, tools=[WEATHER], messages=messages)
    assert "no such city" in answer.content[0].text


def test_tokens_are_counted(client, model):
    question = asked(model, "one two three", system="Be brief", tools=[WEATHER])
    del question["max_tokens"]
    assert client.messages.count_tokens(**question).input_tokens > 4


def test_models(client):
    listed = {model.id: model for model in client.models.list(limit=1000)}
    assert {"auto", "echo/echo"} <= listed.keys()
    assert listed["echo/echo"].type == "model"
    assert client.models.retrieve("echo/echo").display_name == "echo/echo"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nobody/none")


# errors
@pytest.mark.parametrize(("directive", "error", "status", "type"), FAULTS)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_of_the_right_class(client, model, directive, error, status, type, streamed):
    with pytest.raises(error) as caught:
        client.messages.create(**asked(model, f"[[echo: {directive}]]"), stream=streamed)
    assert caught.value.status_code == status
    assert (caught.value.body["type"], caught.value.body["error"]["type"]) == ("error", type)
    assert caught.value.body["error"]["message"]


def test_how_long_to_wait_is_told(client, model):
    with pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(**asked(model, "[[echo: status 429 after 7]]"))
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_mistake_of_the_callers_is_a_bad_request(client):
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        client.messages.create(**asked("echo/echo", "Hello") | {"messages": "Hello"})
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(**asked("nobody/none", "Hello"))
    assert caught.value.request_id


@pytest.mark.parametrize("directive", ["cut 4", "end 4", "fail 4"])
def test_a_broken_stream_is_never_a_normal_end(client, model, directive):
    stream = client.messages.create(**asked(model, f"{TEXT} [[echo: {directive}]]"), stream=True)
    events = [next(stream)]
    with pytest.raises(anthropic.APIError):
        events += stream
    assert events[0].type == "message_start"
    assert not {"message_delta", "message_stop"} & {event.type for event in events}


# the asynchronous client, and a provider that is no gateway
@pytest.mark.parametrize(("status", "tries"), [("500", 3), ("529", 2)])
@pytest.mark.anyio
async def test_the_sdks_retries_do_not_multiply_the_gateways(asynchronous, provider, status, tries):
    provider.always(ANTHROPIC_FAULTS[status].script)
    with pytest.raises(anthropic.APIStatusError) as caught:
        await asynchronous.with_options(max_retries=3).messages.create(**asked("messages/m", "Hello"))
    assert caught.value.status_code == int(status)
    assert len(provider.requests) == tries


@pytest.mark.anyio
async def test_the_headers_of_the_api_reach_the_provider_and_the_key_does_not(asynchronous, provider):
    await asynchronous.beta.messages.create(**asked("messages/m", "Hello"), betas=["a-2025-01-01"])
    sent = provider.last.headers
    assert (sent["anthropic-beta"], sent["anthropic-version"]) == (
        "a-2025-01-01",
        asynchronous.default_headers["anthropic-version"],
    )
    assert "none" not in [sent.get("x-api-key"), sent.get("authorization", "").removeprefix("Bearer ")]


@pytest.mark.parametrize("upstream", ["chat", "responses", "messages"])
@pytest.mark.anyio
async def test_several_at_once(asynchronous, provider, upstream):
    async def one(number):
        async with asynchronous.messages.stream(**asked(f"{upstream}/m", str(number))) as stream:
            return await stream.get_final_text()

    assert await asyncio.gather(*map(one, range(8))) == ["Grüße from upstream 👋"] * 8


@pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS)
@pytest.mark.anyio
async def test_a_stream_cut_anywhere_is_never_a_normal_end(asynchronous, provider, upstream, dialect):
    for cut in range(len(CANNED[dialect].events)):
        provider.always(CANNED[dialect].but(cut_events=cut))
        with pytest.raises(anthropic.APIError):
            async with asynchronous.messages.stream(**asked(f"{upstream}/m", "Hello")) as stream:
                await stream.get_final_message()
