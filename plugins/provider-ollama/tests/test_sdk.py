"""The official `ollama` client: over a provider that speaks other dialects, and over Ollama's own as a second gateway serves them."""

from __future__ import annotations

import json
import urllib.request

import ollama
import openai
import pydantic
import pytest

from lynkr_core.testing.process import gateway

BEHIND = """
[provider.echo]
prefix = ""

[dialect.ollama]
[dialect."ollama.generate"]
[dialect."ollama.embeddings"]
"""
FRONT = """
[server]
keep_alive = 0.3

[provider.far]
use = "ollama"
base_url = "{url}"
models = ["echo/echo"]

[provider.native]
use = "ollama"
base_url = "{url}"
num_ctx = 16384
keep_alive = -1

[provider.echo]
prefix = ""
"""
TEXT = 'Grüße "\\ 👋 to all'
MODELS = ["echo/echo", "far/echo/echo", "native/echo/echo"]
every = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    behind, front = tmp_path_factory.mktemp("behind"), tmp_path_factory.mktemp("front")
    (behind / "lynkr.toml").write_text(BEHIND)
    with gateway(cwd=behind) as second:
        (front / "lynkr.toml").write_text(FRONT.format(url=second.url))
        with gateway(cwd=front) as first:
            yield first.url


@pytest.fixture(scope="module")
def client(url):
    with ollama.Client(url) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def says(text):
    return [{"role": "user", "content": text}]


def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: Which one.
    """
    return f"-3 in {city}"


@every
def test_a_chat(client, model):
    answer = client.chat(model, says(TEXT), options={"seed": 1, "temperature": 0.5})
    assert (answer.message.role, answer.message.content) == ("assistant", TEXT)
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert answer.prompt_eval_count > 0 < answer.eval_count
    assert answer.created_at.endswith("Z")


@every
def test_a_stream(client, model):
    *pieces, last = client.chat(model, says(TEXT), stream=True)
    assert "".join(piece.message.content for piece in pieces) == TEXT
    assert len(pieces) > 2
    assert not any(piece.done for piece in pieces)
    assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
    assert last.prompt_eval_count > 0 < last.eval_count


@every
def test_an_answer_that_reached_its_limit(client, model):
    assert client.chat(model, says(TEXT), options={"num_predict": 2}).done_reason == "length"
    *_, last = client.chat(model, says(TEXT), options={"num_predict": 2}, stream=True)
    assert (last.done_reason, last.eval_count) == ("length", 2)


@pytest.mark.parametrize("stream", [False, True])
@every
def test_a_tool_is_called_and_answered(client, model, stream):
    asked = [*says('[[echo: tool get_weather {"city":"Zürich"}]]')]
    answer = client.chat(model, asked, tools=[get_weather], stream=stream)
    messages = [piece.message for piece in answer] if stream else [answer.message]
    (message,) = [message for message in messages if message.tool_calls]
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Zürich"})
    result = {"role": "tool", "tool_name": "get_weather", "content": get_weather(**call.function.arguments)}
    assert client.chat(model, [*asked, message, result], tools=[get_weather]).message.content == "Tool said: -3 in Zürich"


@every
def test_thinking(client, model):
    asked = says(f"{TEXT} [[echo: reasoning I think so]]")
    answer = client.chat(model, asked, think=True)
    assert (answer.message.thinking, answer.message.content.rstrip()) == ("I think so", TEXT)
    pieces = list(client.chat(model, asked, think="high", stream=True))
    assert "".join(piece.message.thinking or "" for piece in pieces) == "I think so"
    assert "".join(piece.message.content for piece in pieces).rstrip() == TEXT


@every
def test_silence_is_not_broken_by_what_is_no_line_of_an_answer(client, model):
    asked = "one two three [[echo: delay 1.5]] [[echo: chunks 3 every 0.5]]"
    assert "".join(piece.message.content for piece in client.chat(model, says(asked), stream=True)).strip() == "one two three"
    assert "".join(piece.response for piece in client.generate(model, asked, stream=True)).strip() == "one two three"


@every
def test_structured_output(client, model):
    class City(pydantic.BaseModel):
        name: str

    answer = client.chat(model, says('{"name":"Zürich"}'), format=City.model_json_schema())
    assert City.model_validate_json(answer.message.content).name == "Zürich"
    assert client.chat(model, says("{}"), format="json").message.content == "{}"


@every
def test_a_prompt(client, model):
    answer = client.generate(model, TEXT, system="Echo.")
    assert (answer.response, answer.done_reason) == (TEXT, "stop")
    *pieces, last = client.generate(model, f"{TEXT} [[echo: reasoning I think so]]", stream=True, think=True)
    assert "".join(piece.response for piece in pieces).rstrip() == TEXT
    assert "".join(piece.thinking or "" for piece in pieces) == "I think so"
    assert last.done
    assert last.eval_count > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "told"), [(400, 400), (404, 404), (429, 429), (500, 500), (401, 502)])
@every
def test_errors_have_their_status_and_words(client, model, status, told, stream):
    with pytest.raises(ollama.ResponseError) as caught:
        list(client.chat(model, says(f"[[echo: status {status}]]"), stream=stream))
    assert caught.value.status_code == told
    assert "fail" in caught.value.error


@pytest.mark.parametrize("directive", ["cut 3", "end 3", "fail 3"])
@every
def test_a_broken_stream_is_never_a_normal_end(client, model, directive):
    pieces = []
    stream = client.chat(model, says(f"{TEXT} [[echo: {directive}]]"), stream=True)
    with pytest.raises(ollama.ResponseError):
        pieces.extend(stream)
    assert not any(piece.done for piece in pieces)


def test_mistakes_of_the_callers(client):
    with pytest.raises(ollama.ResponseError, match="nobody/none") as caught:
        client.chat("nobody/none", says("Hello"))
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match=r"messages\[0\].role") as caught:
        client.chat("echo/echo", [{"role": "nobody", "content": "Hello"}])
    assert caught.value.status_code == 400


@every
def test_embeddings(client, model):
    answer = client.embed(model, ["Hello", "you", "Hello"])
    assert len(answer.embeddings) == 3
    assert answer.embeddings[0] == answer.embeddings[2] != answer.embeddings[1]
    assert sum(number**2 for number in answer.embeddings[1]) == pytest.approx(1, abs=1e-4)
    assert answer.prompt_eval_count > 0


def test_the_models_are_listed_and_shown(client):
    names = [model.model for model in client.list().models]
    assert "far/echo/echo" in names
    assert "auto" in names
    assert client.show("far/echo/echo").capabilities == ["completion", "tools"]
    with pytest.raises(ollama.ResponseError, match="not found") as caught:
        client.show("nobody/none")
    assert caught.value.status_code == 404


def test_the_version_is_one_that_clients_accept(url):
    with urllib.request.urlopen(f"{url}/api/version") as answer:
        assert json.load(answer) == {"version": "0.13.3"}


def test_a_stream_is_what_a_caller_gets_who_does_not_say(url):
    body = json.dumps({"model": "far/echo/echo", "messages": says("a b c")}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/chat", body)) as answer:
        lines = [json.loads(line) for line in answer]
        assert answer.headers["content-type"] == "application/x-ndjson"
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


@pytest.mark.parametrize("model", MODELS[1:])
def test_the_layers_and_the_native_api_say_the_same_to_openais_client(gpt, model):
    asked = says(f'{TEXT} [[echo: reasoning I think so]] [[echo: tool f {{"x":1}}]]')
    answer = gpt.chat.completions.create(model=model, messages=asked)
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("f", {"x": 1})
    assert answer.choices[0].message.reasoning_content == "I think so"
    assert answer.choices[0].finish_reason == "tool_calls"
    result = {"role": "tool", "tool_call_id": call.id, "content": "-3"}
    again = gpt.chat.completions.create(model=model, messages=[*asked, answer.choices[0].message, result])
    assert again.choices[0].message.content == "Tool said: -3"


def test_a_setting_that_is_only_native_makes_everybody_native(gpt):
    raw = gpt.chat.completions.with_raw_response.create(model="native/echo/echo", messages=says("Hello"), logit_bias={"1": 1})
    assert raw.headers["x-lynkr-losses"] == "logit_bias: Ollama has no such parameter"
    raw = gpt.chat.completions.with_raw_response.create(model="far/echo/echo", messages=says("Hello"), logit_bias={"1": 1})
    assert raw.headers["x-lynkr-losses"] == "logit_bias: Ollama's layer for this API passes it over"
