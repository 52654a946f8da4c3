"""The command `lynkr` as a process of its own, for tests of what only shows from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from lynkr_core.testing.client import Answer
from lynkr_core.testing.waiting import PATIENCE

START = 60.0
"""Seconds within which a gateway must say its address."""
STOP = 30.0
SPEND = ("_API_KEY", "LYNKR_")
"""Parts of the names of variables that a test must not get from the machine it runs on."""
PLAYED = """
from pathlib import Path
from lynkr_core.testing.contracts.recorded import RecordedProviderContract
from {plugin} import plugin as entry

class TestRecorded(RecordedProviderContract):
    plugin = entry
    transcript = Path(__file__).with_name("{name}")
"""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without keys, so that no test finds a provider that costs money."""
    kept = {name: value for name, value in os.environ.items() if not any(part in name for part in SPEND)}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **(extra or {})}


def lynkr(
    *args: str, cwd: Path, python: str = sys.executable, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, at most two minutes; its output is text."""
    command = [python, "-m", "lynkr_core.cli", *args]
    return subprocess.run(command, cwd=cwd, env=environment(env), capture_output=True, text=True, timeout=120, check=False)


def ask(url: str, body: Any = None, *, method: str | None = None, **headers: str) -> Answer:
    """One request of no SDK, and its answer whatever its status: POST where there is a `body`, which is sent as JSON, else GET.

    Names of headers have `_` for `-`. Blocks; `content-length` and the like are left as they came.
    """
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else msgspec.json.encode(body)
    asked = urllib.request.Request(url, data, {"content-type": "application/json", **sent} if data else sent, method=method)
    try:
        answer = urllib.request.urlopen(asked, timeout=PATIENCE)
        status = answer.status
    except urllib.error.HTTPError as error:
        answer, status = error, error.code
    with answer:
        return Answer(status, {name.lower(): value for name, value in answer.headers.items()}, answer.read())


def play(transcript: Path, plugin: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs the suite of recorded providers on what `lynkr record` wrote, beside it; `plugin` is the module of the provider's plugin.

    `more` are pytest's. Raises `subprocess.TimeoutExpired` after five minutes.
    """
    suite = transcript.with_name("test_recorded.py")
    suite.write_text(PLAYED.format(plugin=plugin, name=transcript.name))
    off = [word for name in ("cacheprovider", "llmock", "schemathesis") for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *off, str(suite), *more]
    return subprocess.run(command, cwd=transcript.parent, capture_output=True, text=True, timeout=300, check=False)


class Gateway:
    """A gateway that runs. `address` is `127.0.0.1:PORT`; `said` is its output so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = ""
        self.said = ""
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.said += line
            found = re.search(r"http://([\d.]+:\d+)", line)
            if found and not self.address:
                self.address = found.group(1)
                self._listening.set()
        self._listening.set()

    def wait(self) -> None:
        """Returns when it listens. Raises `AssertionError` with its output when it does not."""
        self._listening.wait(START)
        assert self.address, f"the gateway did not start:\n{self.said}"

    def stop(self, by: int = signal.SIGINT) -> int:
        """Sends the signal and gives the exit status. Raises `subprocess.TimeoutExpired` after thirty seconds."""
        self.process.send_signal(by)
        return self.process.wait(STOP)

    def close(self) -> None:
        """Ends it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP)
        self._reader.join(STOP)
        if self.process.stdout:
            self.process.stdout.close()


@contextmanager
def gateway(*args: str, cwd: Path, python: str = sys.executable, env: Mapping[str, str] | None = None) -> Generator[Gateway]:
    """Runs `lynkr serve --port 0`, or the command that `args` give, until the block ends."""
    command = [python, "-m", "lynkr_core.cli", *(args or ("serve",)), "--port", "0"]
    process = subprocess.Popen(
        command, cwd=cwd, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    running = Gateway(process)
    try:
        running.wait()
        yield running
    finally:
        running.close()
