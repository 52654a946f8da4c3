"""OpenAI's own SDK against the gateway: chat, Responses, embeddings, models and errors, from every upstream dialect."""

import asyncio
import struct
from base64 import b64decode

import openai
import pydantic
import pytest

from lynkr_core.testing.canned import CANNED, OPENAI_FAULTS

TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather now",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
NAMED = {"name": "get_weather"}
RESULTS = ("21°", "15°")
FLAT = {"type": "function", **WEATHER["function"]}
TWO_CALLS = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FAULTS = [
    ("status 400", openai.BadRequestError, 400),
    ("status 404", openai.NotFoundError, 404),
    ("status 429", openai.RateLimitError, 429),
    ("status 500", openai.InternalServerError, 500),
    ("status 529", openai.InternalServerError, 529),
    ("error context", openai.BadRequestError, 400),
    ("error content", openai.BadRequestError, 400),
]
UPSTREAMS = [("chat", "openai.chat"), ("responses", "openai.responses"), ("messages", "anthropic.messages")]
BREAKS = ["cut 4", "end 4", "fail 4"]


class City(pydantic.BaseModel):
    name: str
    people: int


def says(text, role="user"):
    return [{"role": role, "content": text}]


@pytest.fixture(scope="module")
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
async def asynchronous(scripted_gateway, anyio_backend):
    async with openai.AsyncOpenAI(base_url=f"{scripted_gateway.url}/v1", api_key="none") as client:
        yield client


# chat
def test_a_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=[*says("Be brief", "system"), *says(TEXT)])
    choice = answer.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert answer.object == "chat.completion"
    assert answer.usage.prompt_tokens == len(TEXT.split()) + 2
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_streamed_chat_has_one_id_one_finish_and_no_usage(client, model):
    chunks = list(client.chat.completions.create(model=model, messages=says(TEXT), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert [chunk.usage for chunk in chunks if chunk.usage] == []
    assert chunks[0].choices[0].delta.role == "assistant"


def test_a_streamed_chat_tells_usage_when_asked(client, model):
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = client.chat.completions.create(model=model, messages=says("one [[echo: usage 100 20]]"), **asked)
    assert [chunk.usage for chunk in chunks if chunk.usage] == []
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (100, 20, 120)


def test_the_limit_ends_a_chat(client, model):
    answer = client.chat.completions.create(model=model, messages=says("word [[echo: chunks 40]]"), max_completion_tokens=20)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("word " * 19 + "word", "length")


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_go_round_in_a_chat(client, model, streamed):
    asked = {"model": model, "tools": [WEATHER], "messages": says(TWO_CALLS)}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            choice = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(**asked).choices[0]
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("get_weather", '{"city":"Zürich"}'),
        ("get_weather", '{"city":"Paris"}'),
    ]
    said = [{"type": "function", "id": call.id, "function": {**NAMED, "arguments": call.function.arguments}} for call in calls]
    results = [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in zip(calls, RESULTS, strict=True)]
    messages = [*asked["messages"], {"role": "assistant", "tool_calls": said}, *results]
    answer = client.chat.completions.create(model=model, tools=[WEATHER], messages=messages)
    assert answer.choices[0].message.content == "Tool said: 21°\n15°"


def test_a_chat_is_parsed_into_a_model(client, model):
    asked = {"model": model, "messages": says('{"name": "Zürich", "people": 436551}'), "response_format": City}
    assert client.chat.completions.parse(**asked).choices[0].message.parsed == City(name="Zürich", people=436551)
    with client.chat.completions.stream(**asked) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == City(name="Zürich", people=436551)


def test_a_chat_takes_images(client, model):
    images = [f"data:image/png;base64,{PIXEL}", "https://images.invalid/a.png"]
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in images]
    answer = client.chat.completions.create(model=model, messages=says([{"type": "text", "text": "What?"}, *parts]))
    assert answer.choices[0].message.content == "What?"
    assert answer.usage.prompt_tokens == 3


# embeddings and models
@pytest.mark.parametrize("provider", ["echo", "chat"])
def test_embeddings(client, provider):
    asked = {"model": f"{provider}/echo", "input": ["one", "two three"], "dimensions": 16}
    floats, texts = (client.embeddings.create(**asked, encoding_format=form) for form in ("float", "base64"))
    assert [len(row.embedding) for row in floats.data] == [16, 16]
    unpacked = [struct.unpack("<16f", b64decode(row.embedding)) for row in texts.data]
    assert unpacked == [pytest.approx(row.embedding) for row in floats.data]
    assert client.embeddings.create(**asked).data[1].embedding == pytest.approx(floats.data[1].embedding)
    assert floats.usage.prompt_tokens == 3


def test_models(client):
    listed = {model.id: model for model in client.models.list()}
    assert {"auto", "echo/echo"} <= listed.keys()
    assert client.models.retrieve("echo/echo").owned_by == "echo"
    with pytest.raises(openai.NotFoundError, match="nobody/none") as caught:
        client.models.retrieve("nobody/none")
    assert caught.value.code == "model_not_found"


# Responses
def test_a_response(client, model):
    answer = client.responses.create(model=model, instructions="Be brief", input=TEXT)
    assert (answer.output_text, answer.status) == (TEXT, "completed")
    assert answer.usage.input_tokens == len(TEXT.split()) + 2
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_streamed_response(client, model):
    events = list(client.responses.create(model=model, input=f"{TEXT} [[echo: usage 100 20]]", stream=True))
    types = [event.type for event in events]
    assert types[:3] == ["response.created", "response.in_progress", "response.output_item.added"]
    assert types[-2:] == ["response.output_item.done", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    final = events[-1].response
    assert (final.output_text, final.usage.input_tokens, final.usage.output_tokens) == (TEXT, 100, 20)
    assert final.id == events[0].response.id


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_go_round_in_responses(client, model, streamed):
    asked = {"model": model, "tools": [FLAT], "input": says(TWO_CALLS)}
    if streamed:
        with client.responses.stream(**asked) as stream:
            output = stream.get_final_response().output
    else:
        output = client.responses.create(**asked).output
    calls = [item for item in output if item.type == "function_call"]
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", '{"city":"Zürich"}'),
        ("get_weather", '{"city":"Paris"}'),
    ]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": text}
        for call, text in zip(calls, RESULTS, strict=True)
    ]
    said = [call.model_dump(exclude={"parsed_arguments"}, exclude_none=True) for call in calls]
    answer = client.responses.create(model=model, tools=[FLAT], input=[*asked["input"], *said, *results])
    assert answer.output_text == "Tool said: 21°\n15°"


def test_a_response_is_parsed_into_a_model(client, model):
    answer = client.responses.parse(model=model, input='{"name": "Zürich", "people": 436551}', text_format=City)
    assert answer.output_parsed == City(name="Zürich", people=436551)


def test_a_response_takes_images(client, model):
    parts = [
        {"type": "input_text", "text": "What?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
    ]
    answer = client.responses.create(model=model, input=says(parts))
    assert (answer.output_text, answer.usage.input_tokens) == ("What?", 2)


@pytest.mark.parametrize("provider", ["echo", "responses", "messages"])
def test_a_response_with_reasoning(client, provider):
    asked = {"model": f"{provider}/echo", "reasoning": {"effort": "low", "summary": "auto"}}
    answer = client.responses.create(**asked, input="Hello [[echo: reasoning I think so]]")
    thought, message = answer.output
    assert (thought.type, message.type, answer.output_text) == ("reasoning", "message", "Hello")
    assert "".join(part.text for part in thought.summary) == "I think so"
    again = client.responses.create(
        **asked, input=[*says("Hello"), *[item.model_dump() for item in answer.output], *says("More")]
    )
    assert again.output_text == "More"


# errors
@pytest.mark.parametrize(("directive", "error", "status"), FAULTS)
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_are_of_the_right_class(client, model, directive, error, status, streamed):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=says(f"[[echo: {directive}]]"), stream=streamed)
    assert caught.value.status_code == status
    assert caught.value.body["message"]
    with pytest.raises(error):
        client.responses.create(model=model, input=f"[[echo: {directive}]]", stream=streamed)


def test_what_kind_of_bad_request_it_was_is_told(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=model, messages=says("[[echo: error context]]"))
    assert caught.value.code == "context_length_exceeded"


def test_how_long_to_wait_is_told(client, model):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=model, messages=says("[[echo: status 429 after 7]]"))
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_mistake_of_the_callers_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.chat.completions.create(model="echo/echo", messages="Hello")
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody/none", messages=says("Hello"))
    assert caught.value.request_id


def test_what_the_upstreams_dialect_cannot_carry_is_told(client):
    raw = client.chat.completions.with_raw_response.create(model="messages/echo", messages=says("Hello"), seed=1, temperature=0.5)
    assert raw.headers["x-lynkr-losses"].startswith("seed: ")
    assert "temperature" not in raw.headers["x-lynkr-losses"]


def test_what_would_be_forgotten_is_refused(client, model):
    asked = {"model": model, "input": "Hello", "previous_response_id": "resp_1"}
    if model in ("echo/echo", "responses/echo"):
        assert client.responses.create(**asked).output_text == "Hello"
    else:
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            client.responses.create(**asked)


def test_embeddings_where_nobody_has_them(client):
    with pytest.raises(openai.BadRequestError, match="embeddings"):
        client.embeddings.create(model="messages/echo", input="Hello")


@pytest.mark.parametrize("directive", BREAKS)
def test_a_broken_chat_is_never_a_normal_end(client, model, directive):
    stream = client.chat.completions.create(model=model, messages=says(f"{TEXT} [[echo: {directive}]]"), stream=True)
    chunks = [next(stream)]
    with pytest.raises(openai.APIError):
        chunks += stream
    assert [chunk for chunk in chunks if chunk.choices[0].finish_reason] == []


@pytest.mark.parametrize("directive", BREAKS)
def test_a_broken_response_is_never_completed(client, model, directive):
    events = []
    try:
        for event in client.responses.create(model=model, input=f"{TEXT} [[echo: {directive}]]", stream=True):
            events.append(event)
    except openai.APIError:
        events.append(None)
    assert len(events) > 1
    assert events[-1] is None or events[-1].type in ("response.failed", "error")
    assert "response.completed" not in [event.type for event in events if event]


# the asynchronous client, and a provider that is no gateway
@pytest.mark.parametrize(("status", "tries"), [("500", 3), ("529", 2)])
@pytest.mark.anyio
async def test_the_sdks_retries_do_not_multiply_the_gateways(asynchronous, provider, status, tries):
    provider.always(OPENAI_FAULTS[status].script)
    with pytest.raises(openai.APIStatusError) as caught:
        await asynchronous.with_options(max_retries=3).chat.completions.create(model="chat/m", messages=says("Hello"))
    assert caught.value.status_code == int(status)
    assert len(provider.requests) == tries


@pytest.mark.parametrize("upstream", ["chat", "responses", "messages"])
@pytest.mark.anyio
async def test_several_at_once(asynchronous, provider, upstream):
    async def one(number):
        stream = await asynchronous.chat.completions.create(model=f"{upstream}/m", messages=says(str(number)), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    said = await asyncio.gather(*map(one, range(8)))
    assert said == ["Grüße from upstream 👋"] * 8


@pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS)
@pytest.mark.anyio
async def test_a_chat_cut_anywhere_is_never_a_normal_end(asynchronous, provider, upstream, dialect):
    for cut in range(len(CANNED[dialect].events)):
        provider.always(CANNED[dialect].but(cut_events=cut))
        with pytest.raises(openai.APIError):
            async for _ in await asynchronous.chat.completions.create(model=f"{upstream}/m", messages=says("Hello"), stream=True):
                pass


@pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS)
@pytest.mark.anyio
async def test_a_response_cut_anywhere_is_never_completed(asynchronous, provider, upstream, dialect):
    for cut in range(len(CANNED[dialect].events)):
        provider.always(CANNED[dialect].but(cut_events=cut))
        types = []
        try:
            async for event in await asynchronous.responses.create(model=f"{upstream}/m", input="Hello", stream=True):
                types.append(event.type)
        except openai.APIError:
            types.append("error")
        assert types[-1] in ("response.failed", "error"), cut
        assert "response.completed" not in types, cut
