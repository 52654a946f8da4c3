"""The shipped example of a compressor that is not lynkr's: its command, a service, and both when they fail."""

import shutil
import sys
import time
from pathlib import Path

import msgspec
import pytest

from lynkr_core import plugins
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.errors import ConfigError
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import Script
from lynkr_core.testing.client import Client
from lynkr_core.testing.scripted import ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parent.parent / "examples/external-compressor"
BODY = msgspec.json.decode((EXAMPLE / "request.json").read_bytes())
RESULT = BODY["messages"][2]["content"]
COMMAND = 'command = ["python3", "shorten.py"]'
TOML = (EXAMPLE / "lynkr.toml").read_text()


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """The example's package, as an installer leaves it."""
    shutil.copytree(EXAMPLE / "src", tmp_path / "site")
    told = tmp_path / "site/lynkr_compressor_external-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: lynkr-compressor-external\nVersion: 0.1.0\n")
    (told / "entry_points.txt").write_text("[lynkr.compressor]\nexternal = lynkr_compressor_external:plugin\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    for cached in (plugins.advertised, plugins.installed, plugins.aliases):
        cached.cache_clear()
    yield
    for cached in (plugins.advertised, plugins.installed, plugins.aliases):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lynkr_compressor_external")]:
        del sys.modules[name]


def gateway(how, provider=None, **more):
    text = TOML.partition(COMMAND)
    text = text[0] + how + "\n" + text[2].partition("\n")[2]
    for key, value in more.items():
        text = (
            text.replace("seconds = 2.0", f"seconds = 2.0\n{key} = {value}")
            if key != "seconds"
            else text.replace("2.0", str(value))
        )
    if provider is not None:
        text = text.replace("[provider.echo]", f'[provider.echo]\nuse = "openai-compatible"\nbase_url = "{provider.url}"')
    return Client(Application(Kernel.from_config(parse(text, {}), {})))


def shell(code):
    return f"command = {msgspec.json.encode(['sh', '-c', code]).decode()}"


async def ask(client, body=BODY):
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status == 200, answer.body
    return int(answer.headers["x-lynkr-saved-tokens"])


def sent(provider, place=2):
    return provider.requests[-1].json()["messages"][place]["content"]


async def test_the_example_as_it_is(scripted_provider):
    how = f'command = ["{sys.executable}", "{EXAMPLE / "shorten.py"}"]'
    async with gateway(how, scripted_provider, seconds=4) as client:
        assert await ask(client) > 500
        assert (
            sent(scripted_provider)
            == "cc: compiling part.c\nwarning: unused variable 'x'  (x120)\nerror: missing ';' in part.c:41\n"
        )
        others = [*BODY["messages"][:2], BODY["messages"][2]]
        assert scripted_provider.requests[-1].json()["messages"][:2] == others[:2]


async def test_each_text_is_shortened_once(scripted_provider, tmp_path):
    log = tmp_path / "log"
    code = f"echo x >> {log}; head -c 20"
    later = {**BODY, "messages": [*BODY["messages"], {"role": "user", "content": "and now?"}]}
    async with gateway(shell(code), scripted_provider, seconds=4) as client:
        assert await ask(client) == await ask(client, later)
        assert sent(scripted_provider) == RESULT[:20]
        assert log.read_text() == "x\n"


@pytest.mark.parametrize("code", ["exit 3", "yes | head -c 100000", "echo more; cat", "true"])
async def test_what_fails_or_gets_larger_is_sent_as_it_was(scripted_provider, code):
    async with gateway(shell(code), scripted_provider, seconds=4, max_bytes=50_000) as client:
        for _ in range(2):
            assert await ask(client) == 0
            assert sent(scripted_provider) == RESULT


async def test_a_program_that_is_not_there_is_no_reason_to_fail(scripted_provider):
    async with gateway('command = ["/no/such/program"]', scripted_provider) as client:
        assert await ask(client) == 0


async def test_what_is_late_is_killed_and_not_asked_again(scripted_provider, tmp_path):
    log = tmp_path / "log"
    code = f"echo x >> {log}; exec sleep 600"
    async with gateway(shell(code), scripted_provider, seconds=2) as client:
        began = time.monotonic()
        for _ in range(2):
            assert await ask(client) == 0
            assert sent(scripted_provider) == RESULT
        assert time.monotonic() - began < PATIENCE
        assert log.read_text() == "x\n"


async def test_a_service(scripted_provider):
    async with ScriptedProvider() as service:
        service.always(Script(body=b'{"text": "an error in part.c:41"}'))
        async with gateway(f'url = "{service.url}/compress"', scripted_provider) as client:
            assert await ask(client) > 500
            assert sent(scripted_provider) == "an error in part.c:41"
            assert service.requests[-1].json() == {"text": RESULT}


@pytest.mark.parametrize(
    "script", [Script(status=500, body=b"boom"), Script(body=b"{}"), Script(body=b"[]"), Script(body=b'{"text": ""}')]
)
async def test_a_service_that_fails(scripted_provider, script):
    async with ScriptedProvider() as service:
        service.always(script)
        async with gateway(f'url = "{service.url}/compress"', scripted_provider) as client:
            assert await ask(client) == 0
            assert sent(scripted_provider) == RESULT


async def test_a_failed_call_and_peoples_words_are_left_alone(scripted_provider):
    block = {"type": "tool_result", "tool_use_id": "t1", "content": RESULT, "is_error": True}
    use = {"type": "tool_use", "id": "t1", "name": "build", "input": {}}
    messages = [
        {"role": "user", "content": RESULT},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [block]},
    ]
    async with gateway(shell("echo short"), scripted_provider) as client:
        answer = await client.post("/v1/messages", json={"model": "auto", "max_tokens": 9, "messages": messages})
        assert answer.headers["x-lynkr-saved-tokens"] == "0"


@pytest.mark.parametrize("how", ["", 'command = ["x"]\nurl = "http://127.0.0.1/"'])
def test_either_a_command_or_a_service(how):
    with pytest.raises(ConfigError, match="either command or url"):
        gateway(how)
