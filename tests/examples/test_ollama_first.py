"""examples/ollama-first: an Ollama by its own API and a cloud, both scripted."""

from __future__ import annotations

import asyncio
import socket
from typing import Self

import pytest

from lynkr_core.request import Text
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.saying import saying
from lynkr_core.testing.scripted import Connection, ScriptedProvider
from lynkr_core.testing.waiting import PATIENCE
from tests.examples.running import Example, chat, client, served

pytestmark = pytest.mark.anyio
EASY = "What is the capital of France?"
HARD = "Prove that there are infinitely many primes of the form 4k + 3, and show every step."
LOCAL, CLOUD = "ollama/llama3.2", "openai/gpt-5.6-terra"
NOT_PULLED = Script(status=404, body=encoded({"error": "model 'llama3.2' not found"}))
TOO_LONG = Script(status=400, body=encoded({"error": "the input length exceeds the context length"}))


def tags(*names: str) -> dict[str, Script]:
    return {"/api/tags": Script(body=encoded({"models": [{"name": name, "model": name} for name in names]}))}


class Ollama(ScriptedProvider):
    """One that can die and come back at its port, which nobody else gets meanwhile."""

    async def __aenter__(self) -> Self:
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        await self.live()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.die()
        self._place.close()

    async def live(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port, reuse_port=True)

    async def die(self) -> None:
        await super().__aexit__()


@pytest.fixture
async def ollama():
    async with Ollama(beside=tags("llama3.2:latest")) as server:
        yield server.always(saying("ollama", Text(text="Paris.")))


@pytest.fixture
def example(ollama, scripted_provider, tmp_path):
    example = Example("ollama-first", tmp_path, OPENAI_API_KEY="sk-test-of-examples")
    example.local("ollama", ollama.url)
    example.cloud("openai", f"{scripted_provider.url}/v1")
    example.change("[policy.breaker] ", "[policy.breaker]\nprobe_every = 0.2\npause = 0.5 ")
    return example


async def test_easy_asks_stay_here_and_hard_ones_go_to_the_cloud(example, ollama, scripted_provider):
    with example.serve() as running:
        async with client(running) as http:
            assert served(await chat(http, EASY)) == (200, LOCAL)
            assert served(await chat(http, HARD)) == (200, CLOUD)
            streamed = await chat(http, EASY, stream=True)
            assert "Paris" in streamed.text
            assert streamed.text.endswith("data: [DONE]\n\n")
            ollama.then(TOO_LONG)
            assert served(await chat(http, EASY)) == (200, CLOUD)
    assert [request.path for request in ollama.requests] == ["/api/chat"] * 3
    sent = ollama.requests[0].json()
    assert (sent["options"], sent["truncate"], sent["keep_alive"]) == ({"num_ctx": 16384}, False, "30m")
    assert scripted_provider.requests[0].headers["authorization"] == "Bearer sk-test-of-examples"
    usage = await example.run("usage", "--by", "provider", "--json")
    assert '"local_share":0.5' in usage.stdout.replace(" ", ""), usage


async def test_a_dead_ollama_is_left_alone_and_used_again_once_it_is_back(example, ollama):
    with example.serve() as running:
        async with client(running) as http:
            assert served(await chat(http, EASY)) == (200, LOCAL)
            await ollama.die()
            answer = await chat(http, EASY)
            assert (served(answer), answer.headers["x-lynkr-attempts"]) == ((200, CLOUD), "2")
            await answers(http, CLOUD, attempts="1")
            await ollama.live()
            await answers(http, LOCAL, attempts="1")


async def answers(http, by, attempts):
    """Waits until it is so; each ask is answered, whoever does it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await chat(http, EASY)
            assert answer.status_code == 200
            if (served(answer)[1], answer.headers["x-lynkr-attempts"]) == (by, attempts):
                return
            await asyncio.sleep(0.05)


async def test_a_model_that_was_not_pulled_is_named(example, ollama):
    ollama.beside = tags()
    ollama.always(NOT_PULLED)
    with example.serve() as running:
        async with client(running) as http:
            answer = await chat(http, EASY)
            assert (served(answer), answer.headers["x-lynkr-attempts"]) == ((200, CLOUD), "2")
            decision = (await http.get(f"/v1/decisions/{answer.headers['x-lynkr-request-id']}")).json()
            assert [attempt["error"] for attempt in decision["attempts"]] == ["not_found", None]
            told = await chat(http, EASY, model=LOCAL)
            assert (told.status_code, told.json()["error"]["message"]) == (404, "model 'llama3.2' not found")
    doctor = await example.run("doctor", "--live")
    assert doctor.returncode == 0
    assert "ollama/llama3.2: is not among the 0 models that the provider lists" in doctor.stdout
