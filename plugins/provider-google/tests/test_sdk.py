"""Google's own SDK as a client of the gateway: plain, streamed, tools, images, counts and errors, from every dialect behind it."""

from __future__ import annotations

import asyncio
import base64
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from lynkr_core import sse
from lynkr_core.testing.canned import ANTHROPIC_FAULTS, CANNED, GARBAGE, MODEL, TEXT, Script, encoded
from lynkr_core.testing.process import gateway
from lynkr_core.testing.scripted import ScriptedProvider

BEHIND = """
[server]
keep_alive = 0.3
[routing]
retries = 0
[provider.echo]
prefix = ""
"""
FRONT = (
    BEHIND
    + """
[provider.google]
base_url = "{scripted}/v1beta"
api_key = "k"
[provider.scripted]
use = "openai-compatible"
base_url = "{scripted}/v1"
dialects = ["anthropic.messages"]
[provider.chat]
use = "openai-compatible"
base_url = "{echo}/v1"
dialects = ["openai.chat"]
[provider.responses]
use = "openai-compatible"
base_url = "{echo}/v1"
dialects = ["openai.responses"]
[provider.messages]
use = "openai-compatible"
base_url = "{echo}/v1"
dialects = ["anthropic.messages"]
"""
)
WORDS = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z/C/HgAGgwJ/lK3Q6wAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedProvider]:
    """A scripted provider in a thread of its own, because the SDK's calls block this one."""
    provider, ready, loop = ScriptedProvider(), threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        async with provider:
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait(10)
    yield provider
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def client(upstream: ScriptedProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[genai.Client]:
    behind, front = tmp_path_factory.mktemp("behind"), tmp_path_factory.mktemp("front")
    (behind / "lynkr.toml").write_text(BEHIND)
    with gateway(cwd=behind) as echo:
        (front / "lynkr.toml").write_text(FRONT.format(scripted=upstream.url, echo=echo.url))
        with (
            gateway(cwd=front) as served,
            genai.Client(api_key="none", http_options=types.HttpOptions(base_url=served.url)) as client,
        ):
            yield client


@pytest.fixture(autouse=True)
def fresh(upstream: ScriptedProvider) -> None:
    upstream.reset()


@pytest.fixture(params=["echo", "chat", "responses", "messages"])
def model(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/echo"


def config(**settings: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**settings)


def test_an_answer(client: genai.Client, model: str) -> None:
    answer = client.models.generate_content(model=model, contents=WORDS, config=config(system_instruction="Be brief"))
    assert answer.text == WORDS
    assert answer.candidates
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata
    assert answer.usage_metadata.prompt_token_count == len(WORDS.split()) + 2
    assert answer.usage_metadata.candidates_token_count


def test_a_streamed_answer(client: genai.Client, model: str) -> None:
    chunks = list(client.models.generate_content_stream(model=model, contents=f"{WORDS} [[echo: reasoning hm hm]]"))
    parts = [part for chunk in chunks for one in chunk.candidates or [] for part in (one.content and one.content.parts) or []]
    assert "".join(part.text or "" for part in parts if not part.thought) == WORDS
    assert "".join(part.text or "" for part in parts if part.thought).startswith("hm")
    assert len(chunks) > 3
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert chunks[-1].candidates
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata
    assert chunks[-1].usage_metadata.prompt_token_count


def test_silence_is_broken_by_what_the_sdk_passes_over(client: genai.Client, model: str) -> None:
    asked = "one two three [[echo: delay 1.5]] [[echo: chunks 3 every 0.5]]"
    chunks = list(client.models.generate_content_stream(model=model, contents=asked))
    assert "".join(chunk.text or "" for chunk in chunks).strip() == "one two three"


def test_a_function_is_called_by_the_sdk(client: genai.Client, model: str) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> str:
        """The weather now."""
        cities.append(city)
        return f"{city}: 7°"

    asked = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
    answer = client.models.generate_content(model=model, contents=asked, config=config(tools=[get_weather]))
    assert cities == ["Zürich", "Paris"]
    assert answer.text is not None
    assert answer.text.startswith("Tool said: ")
    assert "Paris: 7°" in answer.text


def test_calls_in_a_stream(client: genai.Client, model: str) -> None:
    declared = types.FunctionDeclaration(
        name="get_weather", parameters_json_schema={"type": "object", "properties": {"city": {}}}
    )
    asked = 'Now [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
    settings = config(tools=[types.Tool(function_declarations=[declared])])
    calls = [
        call
        for chunk in client.models.generate_content_stream(model=model, contents=asked, config=settings)
        for call in chunk.function_calls or []
    ]
    assert [(call.name, call.args) for call in calls] == [("get_weather", {"city": "Zürich"}), ("get_weather", {"city": "Paris"})]
    assert len({call.id for call in calls}) == 2


def test_an_image_reaches_another_vendor_in_the_standard_alphabet(client: genai.Client, upstream: ScriptedProvider) -> None:
    upstream.then(CANNED["anthropic.messages"])
    data = PIXEL + b"\xfb\xff\xfe" * 5
    image = types.Part.from_bytes(data=data, mime_type="image/png")
    answer = client.models.generate_content(model="scripted/m", contents=["What is it?", image])
    assert answer.text == TEXT
    assert answer.model_version == MODEL
    source = upstream.last.json()["messages"][0]["content"][1]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()}


def test_gemini_itself_gets_what_the_sdk_wrote(client: genai.Client, upstream: ScriptedProvider) -> None:
    said = {"candidates": [{"content": {"parts": [{"text": "ja"}], "role": "model"}, "finishReason": "STOP"}]}
    upstream.then(Script(body=encoded(said)), Script(events=(sse.event(encoded(said)),)))
    settings = config(
        temperature=0.5, stop_sequences=["x"], response_json_schema={"type": "object"}, response_mime_type="application/json"
    )
    assert client.models.generate_content(model="google/gemini-3-pro", contents="hi", config=settings).text == "ja"
    assert upstream.last.path == "/v1beta/models/gemini-3-pro:generateContent"
    assert upstream.last.headers["x-goog-api-key"] == "k"
    assert upstream.last.json() == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {
            "temperature": 0.5, "stopSequences": ["x"], "responseJsonSchema": {"type": "object"}, "responseMimeType": "application/json",
        },
    }  # fmt: skip
    assert [c.text for c in client.models.generate_content_stream(model="google/gemini-3-pro", contents="hi")] == ["ja"]
    assert upstream.last.path == "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    ("status", "code", "word"),
    [
        ("401", 502, "INTERNAL"),
        ("404", 404, "NOT_FOUND"),
        ("429", 429, "RESOURCE_EXHAUSTED"),
        ("context", 400, "INVALID_ARGUMENT"),
    ],
)
def test_an_error(client: genai.Client, upstream: ScriptedProvider, status: str, code: int, word: str) -> None:
    upstream.then(ANTHROPIC_FAULTS[status].script)
    with pytest.raises(errors.APIError) as raised:
        client.models.generate_content(model="scripted/m", contents="hi")
    assert (raised.value.code, raised.value.status) == (code, word)
    if status == "429":
        assert raised.value.details["error"]["details"][0]["retryDelay"] == "7s"


def test_an_unknown_model_and_a_bad_request(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="nobody", contents="hi")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model="chat/echo", contents=[types.Content(role="wrong", parts=[types.Part(text="hi")])])
    assert raised.value.code == 400
    assert "contents[0].role" in (raised.value.message or "")


def test_an_error_inside_a_stream(client: genai.Client, upstream: ScriptedProvider) -> None:
    good = CANNED["anthropic.messages"]
    for script in (good.but(events=(*good.events[:4], *GARBAGE.events)), good.but(cut_events=4)):
        upstream.then(script)
        with pytest.raises(errors.APIError):
            list(client.models.generate_content_stream(model="scripted/m", contents="hi"))


def test_tokens_are_counted_here_and_by_gemini(client: genai.Client, upstream: ScriptedProvider) -> None:
    assert (client.models.count_tokens(model="chat/echo", contents="hello there").total_tokens or 0) > 1
    upstream.then(Script(body=b'{"totalTokens":31}'))
    assert client.models.count_tokens(model="google/gemini-3-pro", contents="hello").total_tokens == 31
    assert upstream.last.path == "/v1beta/models/gemini-3-pro:countTokens"


def test_the_models_are_listed(client: genai.Client) -> None:
    options = types.HttpOptions(
        base_url=client._api_client._http_options.base_url, api_version="v1beta"
    )  # `/v1/models` is OpenAI's
    with genai.Client(api_key="none", http_options=options) as beta:
        assert "models/echo/echo" in [model.name for model in beta.models.list()]


def test_a_stream_as_one_json_array_is_refused_in_words(client: genai.Client) -> None:
    url = f"{client._api_client._http_options.base_url}/v1beta/models/echo/echo:streamGenerateContent?alt=json"
    request = urllib.request.Request(url, b'{"contents":[{"parts":[{"text":"hi"}]}]}', {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 400
    assert "alt=sse" in caught.value.read().decode()
    caught.value.close()
