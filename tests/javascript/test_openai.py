"""OpenAI's SDK for JavaScript against the gateway: chat, Responses, embeddings, models, errors and aborts, over every upstream dialect."""

import asyncio

import pytest

from lynkr_core.testing.canned import CANNED, OPENAI_FAULTS
from tests.javascript.node import throws

TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
TWO_CALLS = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
RESULTS = ["21°", "15°"]
CITY = {"name": "Zürich", "people": 436551}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER = {"type": "function", "name": "get_weather", "description": "Weather now", "parameters": PARAMETERS, "strict": True}
FAULTS = [
    ("status 400", "BadRequestError", 400),
    ("status 404", "NotFoundError", 404),
    ("status 429", "RateLimitError", 429),
    ("status 500", "InternalServerError", 500),
    ("status 529", "InternalServerError", 529),
    ("error context", "BadRequestError", 400),
]
UPSTREAMS = [("chat", "openai.chat"), ("responses", "openai.responses"), ("messages", "anthropic.messages")]
upstreams = pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS, ids=[name for name, _ in UPSTREAMS])


def says(text):
    return [{"role": "user", "content": text}]


@pytest.fixture
def to(gateway):
    return {"baseURL": f"{gateway.url}/v1"}


@pytest.fixture
def scripted(scripted_gateway):
    return {"baseURL": f"{scripted_gateway.url}/v1"}


# chat
def test_a_chat(openai, to, model):
    answer = openai("chat", to=to, asked={"model": model, "messages": [{"role": "system", "content": "Be brief"}, *says(TEXT)]})
    (choice,) = answer["choices"]
    assert (choice["message"]["role"], choice["message"]["content"], choice["finish_reason"]) == ("assistant", TEXT, "stop")
    assert answer["usage"]["prompt_tokens"] == len(TEXT.split()) + 2


def test_a_streamed_chat(openai, to, model):
    asked = {"model": model, "messages": says(f"{TEXT} [[echo: usage 100 20]]"), "stream_options": {"include_usage": True}}
    *chunks, last = openai("chatPieces", to=to, asked=asked)["got"]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == TEXT
    assert len({chunk["id"] for chunk in [*chunks, last]}) == 1
    assert [reason for chunk in chunks if (reason := chunk["choices"][0]["finish_reason"])] == ["stop"]
    assert (last["choices"], last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == ([], 100, 20)


def test_no_usage_in_a_chat_that_did_not_ask(openai, to, model):
    chunks = openai("chatPieces", to=to, asked={"model": model, "messages": says(TEXT)})["got"]
    assert [chunk for chunk in chunks if chunk.get("usage") or not chunk["choices"]] == []


def test_the_sdk_gathers_a_chat(openai, to, model):
    gathered = openai(
        "chatGathered", to=to, asked={"model": model, "messages": says("word [[echo: chunks 40]]"), "max_tokens": 20}
    )
    assert gathered["text"] == "word " * 19 + "word"
    assert gathered["whole"]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_runs_tools_in_a_chat(openai, to, model, stream):
    asked = {"model": model, "messages": says(TWO_CALLS), "stream": stream}
    ran = openai("chatWithTools", to=to, asked=asked, results=RESULTS)
    assert ran == {"text": "Tool said: 21°\n15°", "made": ["Zürich", "Paris"]}


def test_the_sdk_parses_a_chat(openai, to, model):
    text = '{"name": "Zürich", "people": 436551}'
    assert openai("chatParsed", to=to, asked={"model": model, "messages": says(text)}) == [CITY, CITY]


# Responses
def test_a_response(openai, to, model):
    answer = openai("responses", to=to, asked={"model": model, "instructions": "Be brief", "input": TEXT})
    assert (answer["output_text"], answer["status"]) == (TEXT, "completed")
    assert answer["usage"]["input_tokens"] == len(TEXT.split()) + 2


def test_a_streamed_response(openai, to, model):
    events = openai("responsesPieces", to=to, asked={"model": model, "input": f"{TEXT} [[echo: usage 100 20]]"})["got"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta") == TEXT
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    final = events[-1]["response"]
    assert (events[-1]["type"], final["usage"]["input_tokens"], final["usage"]["output_tokens"]) == (
        "response.completed",
        100,
        20,
    )


def test_the_sdk_gathers_a_response(openai, to, model):
    gathered = openai("responsesGathered", to=to, asked={"model": model, "input": TEXT})
    assert (gathered["text"], gathered["whole"]["status"]) == (TEXT, "completed")


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tools_go_round_in_responses(openai, to, model, streamed):
    asked = {"model": model, "tools": [WEATHER], "input": says(TWO_CALLS)}
    output = openai("responsesGathered", to=to, asked=asked)["whole"]["output"] if streamed else openai(
        "responses", to=to, asked=asked)["output"]  # fmt: skip
    assert [(item["name"], item["arguments"]) for item in output if item["type"] == "function_call"] == [
        ("get_weather", '{"city":"Zürich"}'),
        ("get_weather", '{"city":"Paris"}'),
    ]
    calls = [item["call_id"] for item in output if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": id, "output": text} for id, text in zip(calls, RESULTS, strict=True)]
    said = [{key: value for key, value in item.items() if key != "parsed_arguments"} for item in output]
    answer = openai("responses", to=to, asked={**asked, "input": [*asked["input"], *said, *results]})
    assert answer["output_text"] == "Tool said: 21°\n15°"


def test_the_sdk_parses_a_response(openai, to, model):
    asked = {"model": model, "input": '{"name": "Zürich", "people": 436551}'}
    assert openai("responsesParsed", to=to, asked=asked) == [CITY, CITY]


# embeddings and models
@pytest.mark.parametrize("provider", ["echo", "chat"])
def test_embeddings(openai, to, provider):
    asked = {"model": f"{provider}/echo", "input": ["one", "two three"], "dimensions": 16}
    usual, floats = (openai("embeddings", to=to, asked=asked | form) for form in ({}, {"encoding_format": "float"}))
    for one, other in zip(usual["data"], floats["data"], strict=True):
        assert one["embedding"] == pytest.approx(other["embedding"])  # the SDK asks for base64 and unpacks it
    assert usual["usage"]["prompt_tokens"] == 3


def test_models(openai, to):
    assert {"auto", "echo/echo"} <= {model["id"] for model in openai("models", to=to)["got"]}
    assert openai("model", to=to, asked="echo/echo")["owned_by"] == "echo"
    with throws(**{"class": "NotFoundError", "code": "model_not_found"}):
        openai("model", to=to, asked="nobody/none")


# errors
@pytest.mark.parametrize(("directive", "thrown", "status"), FAULTS)
@pytest.mark.parametrize("function", ["chat", "chatPieces"])
def test_errors_of_a_chat_are_of_the_right_class(openai, to, model, function, directive, thrown, status):
    with throws(**{"class": thrown, "status": status}) as caught:
        openai(function, to=to, asked={"model": model, "messages": says(f"[[echo: {directive}]]")})
    assert caught.value.error["type"]
    assert caught.value.error["body"]["message"]


@pytest.mark.parametrize(("directive", "thrown", "status"), FAULTS)
@pytest.mark.parametrize("function", ["responses", "responsesPieces"])
def test_errors_of_responses_are_of_the_right_class(openai, to, model, function, directive, thrown, status):
    with throws(**{"class": thrown, "status": status}):
        openai(function, to=to, asked={"model": model, "input": f"[[echo: {directive}]]"})


def test_how_long_to_wait_is_told(openai, to, model):
    with throws(status=429) as caught:
        openai("chat", to=to, asked={"model": model, "messages": says("[[echo: status 429 after 7]]")})
    assert caught.value.error["headers"]["retry-after"] == "7"
    assert caught.value.error["headers"]["x-should-retry"] == "false"


@pytest.mark.parametrize("directive", ["cut 4", "end 4", "fail 4"])
def test_a_broken_chat_is_never_a_normal_end(openai, to, model, directive):
    broken = openai("chatPieces", to=to, asked={"model": model, "messages": says(f"{TEXT} [[echo: {directive}]]")})
    assert broken["broke"]["message"]
    assert [chunk for chunk in broken["got"] if chunk["choices"][0]["finish_reason"]] == []


@pytest.mark.parametrize("directive", ["cut 4", "end 4", "fail 4"])
def test_a_broken_response_is_never_completed(openai, to, model, directive):
    broken = openai("responsesPieces", to=to, asked={"model": model, "input": f"{TEXT} [[echo: {directive}]]"})
    types = [event["type"] for event in broken["got"]]
    assert "broke" in broken or types[-1] in ("response.failed", "error")
    assert "response.completed" not in types


# a provider that is no gateway
@pytest.mark.parametrize(("status", "tries"), [("500", 3), ("529", 2)])
@pytest.mark.anyio
async def test_the_sdks_retries_do_not_multiply_the_gateways(openai, scripted, provider, status, tries):
    provider.always(OPENAI_FAULTS[status].script)
    with throws(status=int(status)):
        await openai.later("chat", to=scripted | {"maxRetries": 3}, asked={"model": "chat/m", "messages": says("Hello")})
    assert len(provider.requests) == tries


@upstreams
@pytest.mark.parametrize(("function", "asked"), [("chat", {"messages": says("Hello")}), ("responses", {"input": "Hello"})])
@pytest.mark.anyio
async def test_leaving_closes_the_upstream(openai, scripted, provider, upstream, dialect, function, asked):
    provider.always(CANNED[dialect].but(pause=0.3))
    assert await openai.later(f"{function}Abandoned", to=scripted, asked={"model": f"{upstream}/m", **asked})
    await asyncio.wait_for(provider.last.gone.wait(), 30)
    assert len(provider.requests) == 1
