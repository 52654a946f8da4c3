"""A copy of an example, its providers at other addresses, and its gateway as the process that README starts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Any

import httpx2
from anyio import to_thread

from lynkr_core.testing.process import Gateway, gateway, lynkr

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATIENCE = 60.0
"""Seconds an answer may take."""


class Example:
    """`folder` is the copy; `env` are the variables that README tells to set."""

    def __init__(self, name: str, folder: Path, **env: str) -> None:
        self.folder = shutil.copytree(EXAMPLES / name, folder / name)
        self.file = self.folder / "lynkr.toml"
        self.env = env

    def change(self, was: str, instead: str) -> None:
        """One place of the file."""
        text = self.file.read_text(encoding="utf-8")
        assert text.count(was) == 1, f"{was!r} stands {text.count(was)} times in {self.file}"
        self.file.write_text(text.replace(was, instead), encoding="utf-8")

    def local(self, provider: str, url: str) -> None:
        """A provider of this machine's, at another port."""
        self._add(provider, f'base_url = "{url}"\n')

    def cloud(self, provider: str, url: str) -> None:
        """A provider that is elsewhere, though its address for the test is this machine's."""
        self._add(provider, f'local = false\nbase_url = "{url}"\n')

    def _add(self, provider: str, lines: str) -> None:
        [header] = re.findall(rf"^\[provider\.{provider}\].*\n", self.file.read_text(encoding="utf-8"), re.MULTILINE)
        self.change(header, header + lines)

    @contextmanager
    def serve(self) -> Generator[Gateway]:
        with gateway(cwd=self.folder, env=self.env) as running:
            try:
                yield running
            finally:
                running.stop(SIGTERM)  # what waits to be written is
                print(running.said)  # pytest shows it with a failure

    async def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`lynkr …`, to its end, in the example's folder."""
        return await to_thread.run_sync(partial(lynkr, *command, cwd=self.folder, env=self.env))


def client(running: Gateway, **headers: str) -> httpx2.AsyncClient:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.AsyncClient(base_url=running.url, headers=named, timeout=PATIENCE)


async def chat(http: httpx2.AsyncClient, text: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
    return await http.post("/v1/chat/completions", json=body, headers=headers)


async def messages(http: httpx2.AsyncClient, text: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
    body = {"model": "auto", "max_tokens": 1000, "messages": [{"role": "user", "content": text}], **more}
    return await http.post("/v1/messages", json=body, headers=headers)


def served(answer: httpx2.Response) -> tuple[int, str]:
    """The status and who answered."""
    return answer.status_code, f"{answer.headers.get('x-lynkr-provider')}/{answer.headers.get('x-lynkr-model')}"
