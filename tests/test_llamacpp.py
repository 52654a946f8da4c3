"""A real llama.cpp server as the upstream, through all three fronts: translated from its chat API, and in its own dialects."""

import asyncio
import json
import math
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import anthropic
import openai
import pytest

from lynkr_core.testing.process import lynkr, play
from lynkr_core.testing.waiting import least

CONFIG = """
[provider.llama]
use = "openai-compatible"
base_url = "{url}/v1"

[provider.native]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.responses", "anthropic.messages"]

[provider.own]
use = "llamacpp"
base_url = "{url}/v1"

[prices]
tiny = {{ input = 1, output = 2 }}
"""
HELLO = [{"role": "user", "content": "Hello"}]
PROMPT = len("user: Hello\nassistant:") + 2
"""Tokens: one for each character, with those that begin the text."""
LONG = [{"role": "user", "content": "x" * 9000}]
ENDLESS = 8000
"""Tokens that take this server many seconds. It notices only in a stream that its client has left."""
pytestmark = pytest.mark.anyio
providers = pytest.mark.parametrize("model", ["llama/tiny", "native/tiny", "own/tiny"])


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """The URL of the server."""
    folder = tmp_path_factory.mktemp("llama")
    command = [sys.executable, Path(__file__).with_name("llama_server.py"), folder / "tiny.gguf"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        line = process.stdout.readline().decode()
        assert line.startswith("llama.cpp serves at "), (folder / "log").read_text()
        yield line.split()[-1]
        process.kill()


@pytest.fixture(scope="module")
def local(serve_all, llama):
    return serve_all(CONFIG.format(url=llama))


@pytest.fixture(scope="module")
async def gpt(local, anyio_backend):
    async with openai.AsyncOpenAI(base_url=f"{local.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
async def claude(local, anyio_backend):
    async with anthropic.AsyncAnthropic(base_url=local.url, api_key="none", max_retries=0) as client:
        yield client


def is_noise(text, count):
    return len(text) == count and text.isascii() and text.isprintable()


@providers
async def test_a_chat(gpt, model):
    raw = await gpt.chat.completions.with_raw_response.create(model=model, messages=HELLO, max_tokens=16)
    answer = raw.parse()
    assert is_noise(answer.choices[0].message.content, 16)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (PROMPT, 16)
    assert float(raw.headers["x-lynkr-cost-usd"]) == pytest.approx((PROMPT + 16 * 2) / 1e6)


@providers
async def test_a_streamed_chat(gpt, model):
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = [
        chunk async for chunk in await gpt.chat.completions.create(model=model, messages=HELLO, max_tokens=16, **asked)
    ]
    assert is_noise("".join(chunk.choices[0].delta.content or "" for chunk in chunks), 16)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason][1:] == []
    assert (last.choices, last.usage.prompt_tokens, last.usage.completion_tokens) == ([], PROMPT, 16)


@providers
async def test_a_response(gpt, model):
    answer = await gpt.responses.create(model=model, input="Hello", max_output_tokens=16)
    assert is_noise(answer.output_text, 16)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (PROMPT, 16)
    *_, last = [
        event async for event in await gpt.responses.create(model=model, input="Hello", max_output_tokens=16, stream=True)
    ]
    assert last.type in ("response.completed", "response.incomplete")
    assert is_noise(last.response.output_text, 16)
    assert (last.response.usage.input_tokens, last.response.usage.output_tokens) == (PROMPT, 16)


@providers
async def test_a_message(claude, model):
    answer = await claude.messages.create(model=model, messages=HELLO, max_tokens=12)
    async with claude.messages.stream(model=model, messages=HELLO, max_tokens=12) as stream:
        streamed = await stream.get_final_message()
    for message in (answer, streamed):
        assert is_noise(message.content[0].text, 12)
        assert message.stop_reason == "max_tokens"
        assert message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0) == PROMPT
        assert message.usage.output_tokens == 12


@pytest.mark.parametrize("stream", [False, True])
@providers
async def test_a_prompt_that_is_too_long(gpt, claude, model, stream):
    with pytest.raises(openai.BadRequestError, match="context size") as caught:
        await gpt.chat.completions.create(model=model, messages=LONG, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="context size") as caught:
        await gpt.responses.create(model=model, input=LONG, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(anthropic.BadRequestError, match="context size") as caught:
        await claude.messages.create(model=model, messages=LONG, max_tokens=9, stream=stream)
    assert caught.value.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("model", ["llama/tiny", "own/tiny"])
async def test_embeddings(gpt, model):
    asked = {"model": model, "input": ["Hello", "you"]}
    packed, plain = await gpt.embeddings.create(**asked), await gpt.embeddings.create(**asked, encoding_format="float")
    assert [len(row.embedding) for row in plain.data] == [64, 64]
    assert math.hypot(*plain.data[0].embedding) == pytest.approx(1, abs=1e-4)
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-4)
    assert plain.usage.prompt_tokens == len("Hello") + len("you") + 4


async def test_tokens_are_counted_by_the_model_itself(claude):
    counted = await claude.messages.count_tokens(model="own/tiny", messages=HELLO)
    assert counted.input_tokens == PROMPT


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_that_the_server_would_refuse_or_pass_over_are_taken_out_and_told(gpt, stream):
    function = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    asked = {"model": "own/tiny", "messages": HELLO, "max_tokens": 4, "stream": stream}
    tools = [function, {"type": "custom", "custom": {"name": "patch"}}]
    raw = await gpt.chat.completions.with_raw_response.create(**asked, tools=tools)
    assert raw.headers["x-lynkr-losses"] == "tools: llama.cpp has no tool custom"
    raw = await gpt.responses.with_raw_response.create(
        model="own/tiny", input="Hello", max_output_tokens=4, tools=[{"type": "web_search"}], stream=stream
    )
    assert raw.headers["x-lynkr-losses"] == "tools: llama.cpp has no tool web_search"


def test_a_recording_of_it_passes_the_contract_suite(llama, tmp_path):
    (tmp_path / "lynkr.toml").write_text(CONFIG.format(url=llama))
    ran = lynkr("record", "own", "--model", "tiny", "--max-tokens", "8", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "left out" not in ran.stdout
    played = play(tmp_path / "own.json", "lynkr_provider_llamacpp", "-k", "not aborting")
    assert played.returncode == 0, played.stdout


FRONTS = {
    "chat": lambda gpt, claude, **more: gpt.chat.completions.create(messages=HELLO, max_tokens=ENDLESS, **more),
    "responses": lambda gpt, claude, **more: gpt.responses.create(input="Hello", max_output_tokens=ENDLESS, **more),
    "messages": lambda gpt, claude, **more: claude.messages.create(messages=HELLO, max_tokens=ENDLESS, **more),
}


@pytest.mark.parametrize("front", FRONTS)
@providers
async def test_a_caller_that_leaves_a_stream_frees_the_slot(gpt, claude, llama, model, front):
    async def took():
        stream = await FRONTS[front](gpt, claude, model=model, stream=True)
        await anext(aiter(stream))
        await until_busy(llama, True)
        left = time.monotonic()
        await stream.close()
        await until_busy(llama, False)
        return time.monotonic() - left

    assert await least(took, 1) < 1


async def until_busy(llama, wanted):
    async with asyncio.timeout(60):
        while (await asyncio.to_thread(slots, llama))[0]["is_processing"] is not wanted:
            await asyncio.sleep(0.02)


def slots(llama):
    with urllib.request.urlopen(f"{llama}/slots") as answer:
        return json.load(answer)
