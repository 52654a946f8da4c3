"""What a served gateway has beside its API: lists of live models, web pages that call it, and what is passed on, over real sockets."""

import asyncio
import time

import anthropic
import openai
import pytest

from lynkr_core.testing.canned import Script
from lynkr_core.testing.process import ask
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio
CONFIG = """
[server]
cors_origins = ["https://app.test"]
[provider.behind]
use = "openai-compatible"
base_url = "{url}/v1"
"""


@pytest.fixture(scope="module")
def front(serve_all):
    return serve_all(CONFIG.format(url=serve_all('[provider.echo]\nmodels = ["echo", "other"]\n').url))


def question(**more):
    return {"model": "behind/echo", "messages": [{"role": "user", "content": "Hello"}], **more}


def test_models_of_the_provider_are_listed_and_asked_for_by_both_sdks(front):
    until = time.monotonic() + PATIENCE
    client = openai.OpenAI(base_url=f"{front.url}/v1", api_key="none")
    while "behind/echo/other" not in (names := [model.id for model in client.models.list()]) and time.monotonic() < until:
        time.sleep(0.02)
    assert "behind/echo/other" in names
    assert client.models.retrieve("behind/echo/other").id == "behind/echo/other"
    claude = anthropic.Anthropic(base_url=front.url, api_key="none")
    assert [model.id for model in claude.models.list()] == names
    client.close()
    claude.close()


def test_a_page_of_an_allowed_origin_may_call(front):
    asked = {"Origin": "https://app.test", "Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-api-key"}
    answer = ask(f"{front.url}/v1/messages", method="OPTIONS", **asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://app.test")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-api-key" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("stream", [False, True])
def test_answers_and_errors_of_the_api_can_be_read_by_the_page(front, stream):
    for body, expected in ((question(stream=stream), 200), ({"model": "x"}, 400)):
        answer = ask(f"{front.url}/v1/chat/completions", body, Origin="https://app.test")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (expected, "https://app.test")
        assert "x-lynkr-provider" in answer.headers["access-control-expose-headers"]
        assert (b"[DONE]" in answer.body) is (stream and answer.status == 200)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/behind/models", "/", "/health/live"])
def test_lists_and_passed_on_answers_can_be_read_too(front, path):
    answer = ask(front.url + path, Origin="https://app.test")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://app.test")


def test_a_page_of_another_origin_may_not(front, gateway):
    for served in (front, gateway):
        answer = ask(f"{served.url}/v1/models", Origin="https://evil.test")
        assert (answer.status, "access-control-allow-origin" in answer.headers) == (200, False)
        asked = {"Origin": "https://evil.test", "Access_Control_Request_Method": "POST"}
        answer = ask(f"{served.url}/v1/messages", method="OPTIONS", **asked)
        assert (answer.status >= 400, "access-control-allow-origin" in answer.headers) == (True, False)


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready", "/v1/models"])
def test_head_is_answered_without_a_body(front, path):
    answer = ask(front.url + path, method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "application/json")


def test_openais_sdk_reaches_one_provider_by_its_path(front):
    client = openai.OpenAI(base_url=f"{front.url}/v1/behind", api_key="none", max_retries=0)
    answer = client.chat.completions.create(model="echo/echo", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "You said: Hi"
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(input="x")
    client.close()


def test_openais_sdk_is_told_where_the_rest_is(front):
    client = openai.OpenAI(base_url=f"{front.url}/v1", api_key="none", max_retries=0)
    for call in (
        lambda: client.moderations.create(input="x"),
        lambda: client.images.generate(prompt="x"),
        lambda: client.audio.speech.create(model="m", voice="alloy", input="x"),
        lambda: client.completions.create(model="m", prompt="x"),
    ):
        with pytest.raises(openai.NotFoundError, match=r"/v1/\{provider\}/.*one of: behind"):
            call()
    client.close()


async def test_what_is_passed_on_is_broken_off_over_a_real_socket(serve, provider):
    served = serve(f'[server]\nlist_models = false\n[provider.up]\nuse = "openai-compatible"\nbase_url = "{provider.url}"\n')
    provider.then(Script(body=b"x" * 5000, cut_bytes=100), Script(status=204), Script(body=b"whole"))
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /v1/up/files HTTP/1.1\r\nhost: x\r\n\r\n")
    data = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    assert (b" 200 " in data[:20], data.endswith(b"0\r\n\r\n"), data.count(b"x" * 100)) == (True, False, 1)
    answers = [await asyncio.to_thread(ask, f"{served.url}/v1/up/{n}") for n in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(204, b""), (200, b"whole")]
