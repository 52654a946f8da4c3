import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import TEXT, Fault, Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_core.testing.waiting import until
from lynkr_provider_jobs import plugin
from lynkr_provider_jobs.xml import read_job

sys.path.insert(0, str(Path(__file__).parent))
from jobserver import TOKEN, JobServer  # noqa: E402

DONE = f'<job id="j1" state="done"><text>{TEXT}</text><units in="12" out="7"/></job>'.encode()


def xml(body: str, status: int = 200, **headers: str) -> Script:
    return Script(body=body.encode(), status=status, headers=headers, content_type="application/xml")


def told(code: str, status: int, **headers: str) -> Script:
    return xml(f'<error code="{code}">told so</error>', status, **headers)


class TestJobsProvider(ProviderContract):
    plugin = plugin
    paths = {"openai.chat": "/jobs"}
    table = {"poll": 0.01}
    key_header = "x-job-token"
    content_type = "application/x-www-form-urlencoded"
    tools = False
    streams = False
    listing = xml('<models><model name="small"/></models>')
    answers = {"openai.chat": xml('<job id="j1" state="queued"/>', 202)}
    beside = {"/jobs/j1": Script(body=DONE)}
    errors = {
        "openai.chat": {
            "401": Fault("auth", told("bad_token", 401)),
            "404": Fault("not_found", told("no_such_model", 404)),
            "429": Fault("rate_limited", told("slow_down", 429, **{"retry-after": "7"}), 7.0),
            "500": Fault("server", xml("<oops/>", 500)),
            "529": Fault("overloaded", told("busy", 529)),
            "context": Fault("context", told("too_long", 400)),
            "content": Fault("content", told("refused", 400)),
        }
    }


@pytest.fixture
def server():
    with JobServer() as server:
        yield server


def gateway(server, more=""):
    text = f'[provider.jobs]\nbase_url = "{server.url}"\napi_key = "{TOKEN}"\npoll = 0.01\n{more}'
    return Client(Application(Kernel.from_config(parse(text, {}), {})))


def said(answer):
    assert answer.status == 200, answer.text
    return answer.json()


@pytest.mark.anyio
async def test_a_caller_of_any_api_is_answered(server):
    async with gateway(server) as client:
        chat = said(await client.post("/v1/chat/completions", json=body(max_tokens=50, temperature=0.5)))
        messages = said(
            await client.post("/v1/messages", json={**samples.request("anthropic.messages", "hi & <bye>"), "model": "jobs/m"})
        )
    assert chat["choices"][0]["message"]["content"] == "I was told: system: Be kind.\n\nuser: hi & <bye>"
    assert chat["usage"]["prompt_tokens"] == 12
    assert messages["content"][0]["text"] == "I was told: user: hi & <bye>"
    assert messages["usage"]["output_tokens"] == 7
    first, second = server.forms.values()
    assert first == {"model": "m", "prompt": "system: Be kind.\n\nuser: hi & <bye>", "limit": "50", "heat": "0.5"}
    assert second["limit"] == "100"


@pytest.mark.anyio
async def test_a_stream_is_made_of_the_answer(server):
    async with gateway(server) as client:
        answer = await client.post("/v1/chat/completions", json=body(stream=True, stream_options={"include_usage": True}))
    events = [event.data for event in answer.events()]
    assert events[-1] == b"[DONE]"
    chunks = [msgspec.json.decode(event) for event in events[:-1]]
    assert "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]).endswith("hi & <bye>")
    assert chunks[-1]["usage"]["total_tokens"] == 19


@pytest.mark.anyio
async def test_what_the_form_cannot_say_is_told(server):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}
    content = [{"type": "text", "text": "What is this?"}, image]
    more = {"messages": [{"role": "user", "content": content}], "seed": 7, "tools": samples.with_tools("openai.chat")["tools"]}
    async with gateway(server) as client:
        answer = await client.post("/v1/chat/completions", json=body(**more))
    losses = answer.headers["x-lynkr-losses"]
    for field in ("messages[0].content[1]", "seed", "tools"):
        assert f"{field}: " in losses
    assert said(answer)["choices"][0]["message"]["content"] == "I was told: user: What is this?"


@pytest.mark.anyio
async def test_a_job_that_fails_moves_on_to_the_next_model(server):
    text = '[provider.echo]\n[models]\n"m" = ["jobs/m", "echo/m"]'
    async with gateway(server, text) as client:
        answer = await client.post(
            "/v1/chat/completions", json=body(model="m", messages=[{"role": "user", "content": "be busy"}])
        )
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "echo")


@pytest.mark.anyio
async def test_a_caller_who_leaves_has_the_job_cancelled(server):
    async with gateway(server) as client:
        task = asyncio.ensure_future(
            client.post("/v1/chat/completions", json=body(messages=[{"role": "user", "content": "stay"}]))
        )
        await until(lambda: server.asked.get("j1", 0) > 2)
        task.cancel()
        await until(lambda: server.cancelled == ["j1"])


@pytest.mark.anyio
async def test_a_refused_token_is_not_repeated(server):
    text = f'[provider.jobs]\nbase_url = "{server.url}"\napi_key = "tok-wrong"\n'
    async with Client(Application(Kernel.from_config(parse(text, {}), {}))) as client:
        answer = await client.post("/v1/chat/completions", json=body())
    assert (answer.status, "tok-wrong" in answer.text, "no such token: ***" in answer.text) == (502, False, True)


@pytest.mark.parametrize(
    "odd",
    [b"", b"<job/>", b"{}", b'<job id="a" state="odd"/>', b'<!DOCTYPE x [<!ENTITY a "b">]><job id="a" state="done"/>', b"\xff"],
)
def test_xml_that_is_no_job_is_an_error_of_the_providers(odd):
    with pytest.raises(Exception, match=r"no XML|no job|entities"):
        read_job(odd)


def body(**more):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi & <bye>"}]
    return {"model": "jobs/m", "messages": messages, **more}
