"""The real gateway as a process, and what the tests of several packages share."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from lynkr_core.testing.scripted import ScriptedProvider

PATIENCE = 60.0
"""Seconds a gateway may take to start or to stop."""

ECHO = """
[server]
list_models = false  # tests count the requests that a provider gets

[routing]
retries = 0

[provider.echo]
prefix = ""
"""

CROSSED = (
    ECHO
    + """
[provider.chat]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.chat", "openai.embeddings"]

[provider.responses]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["openai.responses"]

[provider.messages]
use = "openai-compatible"
base_url = "{url}/v1"
dialects = ["anthropic.messages"]
"""
)
"""Three providers of one dialect each, so that every front is served both by its own dialect and by translation."""
DIALECTS = {"chat": "openai.chat", "responses": "openai.responses", "messages": "anthropic.messages"}
upstreams = pytest.mark.parametrize("upstream", DIALECTS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Served:
    """A gateway in a process of its own, at `url`."""

    def __init__(self, file: Path) -> None:
        self.log = file.with_suffix(".log")
        command = [sys.executable, "-m", "lynkr_core.cli", "serve", "--config", str(file), "--port", "0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.url = self._address()
        self.port = int(self.url.rpartition(":")[2])

    def _address(self) -> str:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            line = next((line for line in self.text.splitlines(keepends=True) if line.startswith("lynkr serves ")), "")
            if line.endswith("\n"):
                return line.partition(" at ")[2].partition(" ")[0]
            time.sleep(0.01)
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"the gateway did not start:\n{self.text}")

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self, patience: float = PATIENCE) -> int:
        """Its exit status once it has ended by itself; killed when it does not."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


RUNNING: list[Served] = []
Serve = Callable[[str], Served]


def serving(folder: Path) -> Iterator[Serve]:
    started: list[Served] = []

    def serve(config: str) -> Served:
        file = folder / f"lynkr{len(started)}.toml"
        file.write_text(config, encoding="utf-8")
        started.append(Served(file))
        RUNNING.append(started[-1])
        return started[-1]

    yield serve
    for served in started:
        RUNNING.remove(served)
        served.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A failure shows the end of what the gateways have said."""
    report = yield
    if report.failed and {"serve", "serve_all"} & set(getattr(item, "fixturenames", ())):
        report.sections += [(f"gateway at {served.url}", served.text[-4000:]) for served in RUNNING]
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"  # for the whole session, so that a provider of the session can serve it


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1"


@pytest.fixture(scope="session")
def serve_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """`serve_all(config)` starts a gateway that runs until the session ends."""
    yield from serving(tmp_path_factory.mktemp("served"))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(config)` starts a gateway that runs until the test ends."""
    yield from serving(tmp_path)


@pytest.fixture(scope="session")
def gateway(serve_all: Serve) -> Served:
    """Its models: `echo/echo`, and `chat/echo`, `responses/echo` and `messages/echo` behind a second gateway."""
    behind = serve_all(ECHO)
    return serve_all(CROSSED.format(url=behind.url))


@pytest.fixture(params=["echo", "chat", "responses", "messages"])
def model(request: pytest.FixtureRequest) -> str:
    """An echo that speaks the caller's dialect, and one behind each upstream dialect."""
    return f"{request.param}/echo"


@pytest.fixture(scope="session")
async def session_provider(anyio_backend: str) -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider() as provider:
        yield provider


@pytest.fixture(scope="session")
def scripted_gateway(serve_all: Serve, session_provider: ScriptedProvider) -> Served:
    """Its models `chat/m`, `responses/m` and `messages/m` are served by `provider`, retried as usual."""
    return serve_all(CROSSED.format(url=session_provider.url).replace("retries = 0", "retries = 2"))


@pytest.fixture
def provider(session_provider: ScriptedProvider) -> ScriptedProvider:
    """The provider behind `scripted_gateway`, which has seen no request yet and answers well."""
    return session_provider.reset()
