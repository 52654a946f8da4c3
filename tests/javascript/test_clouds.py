"""Each front of the gateway before aimock, which imitates each cloud: nobody here wrote either end, the caller's SDK or the mock.

The questions are answers of aimock's as JSON (`clouds.js`), so each test says here what the cloud is to answer and what the caller must get.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import anthropic
import openai
import pytest

SETTINGS = """
[server]
list_models = false

[routing]
retries = 0

[provider.openai]
base_url = "{url}/v1"

[provider.anthropic]
base_url = "{url}"

[provider.responses]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.responses"]

[provider.azure]
use = "azure-openai"
base_url = "{url}"
api = "classic"
api_version = "2024-10-21"
api_key = "cloud-key"

[provider.google]
base_url = "{url}/v1beta"

[provider.vertex]
base_url = "{url}"
project = "p"
access_token = "cloud-token"

[provider.bedrock]
base_url = "{url}"
access_key_id = "AKIACLOUD"
secret_access_key = "cloud-secret"

[provider.ollama]
base_url = "{url}"
layers = []

[provider.cohere]
base_url = "{url}"

[provider.openrouter]
base_url = "{url}/api/v1"
"""
CLOUDS = [
    "openai/m",
    "anthropic/claude-sonnet-5-5",
    "responses/m",
    "azure/m",
    "google/gemini-3.8-flash",
    "vertex/gemini-3.8-flash",
    "bedrock/us.anthropic.claude-sonnet-5-5-v1:0",
    "ollama/m",
    "cohere/m",
    "openrouter/m/m",
]
"""A model of each."""
TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line, long enough to be cut somewhere'
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALLS = [("get_weather", {"city": "Zürich"}), ("get_weather", {"city": "Paris"})]
COUNTED = {"input_tokens": 100, "output_tokens": 20}


class Clients(NamedTuple):
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic


class Answer(NamedTuple):
    """What a caller got. `calls` have ids, names and arguments; `turn` is what goes back of it with the results."""

    text: str
    finish: str
    usage: tuple[int, int] | None
    calls: list[tuple[str, str, Any]] = []
    turn: Any = None
    reasoning: str = ""


class Failed(Exception):
    """A stream of the Responses API ended in an event that tells of an error."""


def whole(text: str) -> str:
    """Without the halves of characters that aimock sends apart."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def chat(clients: Clients, model: str, said: list[Any], stream: bool, **more: Any) -> Answer:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
    asked = {"model": model, "messages": said, "tools": [tool], **more}
    if stream:
        with clients.openai.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
            answer = finished(events.get_final_completion)
    else:
        answer = clients.openai.chat.completions.create(**asked)
    (choice,) = answer.choices
    calls = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
    made = [{"id": id, "type": "function", "function": {"name": name, "arguments": given}} for id, name, given in calls]
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    thought = getattr(choice.message, "reasoning_content", None) or ""
    turn = [{"role": "assistant", "tool_calls": made}]
    return Answer(whole(choice.message.content or ""), choice.finish_reason, usage, read(calls), turn, thought)


def finished(gather: Callable[[], Any]) -> Any:
    """The SDK would not parse what a limit has ended."""
    try:
        return gather()
    except openai.LengthFinishReasonError as error:
        return error.completion


def read(calls: list[tuple[str, str, str]]) -> list[tuple[str, str, Any]]:
    return [(id, name, json.loads(given)) for id, name, given in calls]


def responses(clients: Clients, model: str, said: list[Any], stream: bool, **more: Any) -> Answer:
    tool = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}
    asked = {"model": model, "input": said, "tools": [tool], **more}
    if stream:
        *_, last = clients.openai.responses.create(**asked, stream=True)
        if last.type not in ("response.completed", "response.incomplete"):
            raise Failed(last)
        answer = last.response
    else:
        answer = clients.openai.responses.create(**asked)
    calls = [(item.call_id, item.name, item.arguments) for item in answer.output if item.type == "function_call"]
    turn = [{"type": "function_call", "call_id": id, "name": name, "arguments": given} for id, name, given in calls]
    thoughts = [part.text for item in answer.output if item.type == "reasoning" for part in item.summary or item.content or []]
    usage = answer.usage and (answer.usage.input_tokens, answer.usage.output_tokens)
    return Answer(whole(answer.output_text), answer.status, usage, read(calls), turn, "".join(thoughts))


def messages(clients: Clients, model: str, said: list[Any], stream: bool, **more: Any) -> Answer:
    tool = {"name": "get_weather", "input_schema": PARAMETERS}
    asked = {"model": model, "max_tokens": 5000, "messages": said, "tools": [tool], **more}
    if stream:
        with clients.anthropic.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = clients.anthropic.messages.create(**asked)
    texts = [block.text for block in answer.content if block.type == "text"]
    calls = [(block.id, block.name, block.input) for block in answer.content if block.type == "tool_use"]
    thoughts = [block.thinking for block in answer.content if block.type == "thinking"]
    turn = [{"role": "assistant", "content": [block.to_dict() for block in answer.content]}]
    counts = (answer.usage.input_tokens, answer.usage.output_tokens)
    return Answer(whole("".join(texts)), answer.stop_reason, counts, calls, turn, "".join(thoughts))


FINISHES = {chat: ("stop", "length", "tool_calls"), responses: ("completed", "incomplete", "completed")}
FINISHES[messages] = ("end_turn", "max_tokens", "tool_use")
RESULTS = {
    chat: lambda ids: [{"role": "tool", "tool_call_id": id, "content": text} for id, text in ids],
    responses: lambda ids: [{"type": "function_call_output", "call_id": id, "output": text} for id, text in ids],
    messages: lambda ids: [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text} for id, text in ids]}
    ],
}
fronts = pytest.mark.parametrize("front", [chat, responses, messages], ids=lambda front: front.__name__)


def clouds(*others: str) -> pytest.MarkDecorator:
    """All but these."""
    models = [model for model in CLOUDS if model.partition("/")[0] not in others]
    return pytest.mark.parametrize("model", models, ids=lambda model: model.partition("/")[0])


both = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture(scope="module")
def clients(node, serve_all):
    url = serve_all(SETTINGS.replace("{url}", node("clouds.js")("start"))).url
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as one,
        anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as other,
    ):
        yield Clients(one, other)


def asks(**answer: Any) -> list[Any]:
    return [{"role": "user", "content": json.dumps(answer, separators=(",", ":"))}]


@clouds()
@fronts
@both
def test_an_answer(clients, model, front, stream):
    answer = front(clients, model, asks(content=TEXT, usage=COUNTED), stream)
    assert (answer.text, answer.finish) == (TEXT, FINISHES[front][0])
    assert model == "ollama/m" or answer.usage == (100, 20)  # aimock counts nothing there


@clouds()
@fronts
@both
def test_parallel_tools_go_round(clients, model, front, stream):
    calls = [{"name": name, "arguments": json.dumps(given)} for name, given in CALLS]
    question = asks(toolCalls=calls)
    first = front(clients, model, question, stream)
    assert [(name, given) for _, name, given in first.calls] == CALLS
    assert first.finish == FINISHES[front][2]
    ids = [id for id, _, _ in first.calls]
    assert len(set(ids)) == 2
    results = RESULTS[front](list(zip(ids, ("21°", "15°"), strict=True)))
    assert front(clients, model, [*question, *first.turn, *results], stream).text == "Tool said: 21° and 15°"


@clouds()
@fronts
@both
def test_text_before_a_tool(clients, model, front, stream):
    call = {"name": "get_weather", "arguments": '{"city":"Zürich"}'}
    answer = front(clients, model, asks(content="I look.", toolCalls=[call]), stream)
    assert (answer.text, [given for _, _, given in answer.calls]) == ("I look.", [{"city": "Zürich"}])


@clouds("ollama")  # aimock always says "stop" there
@fronts
@both
def test_the_limit_is_told(clients, model, front, stream):
    answer = front(clients, model, asks(content="word word", finishReason="length"), stream)
    assert (answer.text, answer.finish) == ("word word", FINISHES[front][1])


@clouds("ollama", "cohere")  # aimock has it under a key of its own in the one, as text in the other
@fronts
@both
def test_reasoning_is_no_text(clients, model, front, stream):
    answer = front(clients, model, asks(content="Hello", reasoning="I think so, at some length"), stream)
    assert (answer.text, answer.reasoning) == ("Hello", "I think so, at some length")


@clouds()
@fronts
def test_what_the_cloud_understood(clients, model, front):
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, *asks(understood=True)]
    more = {chat: {"temperature": 0.5}, responses: {"temperature": 0.5, "instructions": "Be brief"}}
    more[messages] = {"extra_body": {"temperature": 0.5}, "system": "Be brief"}
    system = [{"role": "system", "content": "Be brief"}] if front is chat else []
    understood = json.loads(front(clients, model, [*system, *turns], False, **more[front]).text)
    said = [(message["role"], text(message)) for message in understood["messages"]]
    assert said == [("system", "Be brief"), ("user", "one"), ("assistant", "two"), ("user", '{"understood":true}')]
    (tool,) = understood["tools"]
    assert (tool["function"]["name"], tool["function"]["parameters"]["required"]) == ("get_weather", ["city"])
    assert understood["temperature"] == 0.5


def text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


# what goes wrong
@clouds()
@fronts
@both
@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (500, "server_error")])
def test_errors_keep_their_status(clients, model, front, stream, status, kind):
    wanted = asks(error={"message": "the cloud says no", "type": kind}, status=status, retryAfter=7)
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError), match="the cloud says no") as caught:
        front(clients, model, wanted, stream)
    assert caught.value.status_code == status
    assert caught.value.response.headers.get("retry-after") == ("7" if status == 429 else None)


@clouds()
@fronts
@both
@pytest.mark.parametrize("fault", ["dropped", "garbled", "hung up"])
def test_no_answer_is_an_error(clients, model, front, stream, fault):
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
        front(clients, model, asks(content=TEXT, fault=fault), stream)
    assert caught.value.status_code in (500, 502)


@clouds()
@fronts
def test_a_stream_that_is_cut_is_no_whole_answer(clients, model, front):
    with pytest.raises((openai.APIError, anthropic.APIError, Failed)):
        front(clients, model, asks(content=TEXT, fault="cut"), True)


# vectors
@pytest.mark.parametrize("model", ["openai/m", "azure/m", "cohere/m"])
def test_embeddings(clients, model):
    usual, floats = (
        clients.openai.embeddings.create(model=model, input=["one", "two"], encoding_format=form) for form in ("base64", "float")
    )
    assert [row.index for row in usual.data] == [0, 1]
    assert usual.data[0].embedding != usual.data[1].embedding
    assert len(floats.data[0].embedding) > 100
