"""The screen, headless, over real gateways: with the live feed, without it, and with none at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import installed
from lynkr_core.secret import Secret
from lynkr_core.testing.client import Client
from lynkr_core.testing.process import lynkr
from lynkr_core.testing.waiting import PATIENCE
from lynkr_extension_top import text
from lynkr_extension_top.reading import Reader, Unreachable
from lynkr_extension_top.screen import Top

pytestmark = pytest.mark.anyio
live = pytest.mark.skipif("dashboard" not in installed("extension"), reason="the live feed is lynkr-extension-dashboard's")
ADMIN = "the-admin-key"
TOML = f"""
[server]
admin_key = "{ADMIN}"
[provider.up]
use = "echo"
models = ["a", "b"]
[tiers]
simple = ["up/a"]
complex = ["up/b"]
[prices]
"up/a" = {{ input = 1.0, output = 1.0 }}
[policy.breaker]
least = 1
[sink.journal]
[auth.keys]
"""
FEED = "[extension.dashboard]\n"


class Shown:
    """A screen over a gateway in this process."""

    def __init__(self, client: Client, key: str, pilot: Pilot[None]) -> None:
        self.client = client
        self.key = key
        self.pilot = pilot
        self.app = pilot.app

    async def ask(self, text: str = "hi", model: str = "up/a") -> int:
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        return (await self.client.post("/v1/chat/completions", json=body, headers={"x-api-key": self.key})).status

    def text(self, id: str) -> str:
        return str(self.app.query_one(f"#{id}", Static).render())

    def rows(self, id: str) -> list[list[str]]:
        table: DataTable[Any] = self.app.query_one(f"#{id}", DataTable)
        return [[str(cell) for cell in table.get_row_at(place)] for place in range(table.row_count)]

    async def until(self, holds: Callable[[], object]) -> None:
        end = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < end, (self.text("headline"), self.text("notice"), self.rows("finished"))
            await self.pilot.pause(0.02)


@asynccontextmanager
async def shown(toml: str = TOML + FEED, key: str = ADMIN) -> AsyncGenerator[Shown]:
    app = Application(Kernel.from_config(parse(toml, {}), {}))
    transport = httpx2.ASGITransport(app=app)  # pyright: ignore[reportArgumentType]
    async with Client(app) as client:
        made = await client.post("/v1/admin/keys", json={"name": "ci"}, headers={"x-api-key": ADMIN})
        screen = Top(Reader("http://lynkr.test", Secret(key), transport))
        async with screen.run_test(size=(140, 45)) as pilot:
            yield Shown(client, made.json()["key"], pilot)


@live
async def test_requests_appear_as_they_end() -> None:
    async with shown() as screen:
        await screen.until(lambda: "0 requests" in screen.text("headline"))
        assert await screen.ask() == 200
        await screen.until(lambda: screen.rows("finished"))
        row = screen.rows("finished")[0]
        assert row[:2] == ["ok", "up/a"]
        assert row[4].startswith("$0.0000")
        assert [tier[0] for tier in screen.rows("tiers")][:1] == ["simple"]
        await screen.ask("[[echo: error server]] no", "up/b")
        await screen.until(lambda: len(screen.rows("finished")) == 2)
        assert screen.rows("finished")[0][0] == "error"
        await screen.until(lambda: "up/b" in screen.text("state"))


@live
async def test_what_is_under_way_is_shown() -> None:
    async with shown() as screen:
        await screen.until(lambda: "0 requests" in screen.text("headline"))
        asking = asyncio.create_task(screen.ask("[[echo: delay 60]] slow"))
        await screen.until(lambda: screen.rows("open"))
        assert screen.rows("open")[0][1:4] == ["up/a", "-", "waiting"]
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


@live
async def test_it_is_held_and_goes_on_and_is_left_with_a_key() -> None:
    async with shown() as screen:
        await screen.until(lambda: "0 requests" in screen.text("headline"))
        await screen.pilot.press("p")
        await screen.ask()
        await screen.until(lambda: screen.app.board.finished)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownLambdaType]
        assert not screen.rows("finished")
        assert screen.text("notice").startswith("held")
        await screen.pilot.press("p")
        assert len(screen.rows("finished")) == 1
        await screen.pilot.press("q")
        assert screen.app.return_code == 0


async def test_without_the_feed_there_is_health_and_the_journal() -> None:
    async with shown(TOML) as screen:
        assert await screen.ask() == 200
        await screen.ask("[[echo: error server]] no", "up/b")
        await screen.until(lambda: "2 requests" in screen.text("headline"))
        assert screen.text("notice").startswith("live requests need [extension.dashboard]")
        await screen.until(lambda: screen.rows("tiers"))


async def test_a_wrong_key_is_told_and_the_right_one_is_not_shown() -> None:
    async with shown(TOML, "lk-wrong-one-4711") as screen:
        await screen.until(lambda: "LYNKR_ADMIN_KEY" in screen.text("notice"))
        assert "4711" not in repr(screen.app.export_screenshot())


async def test_a_gateway_that_is_not_there_is_tried_again() -> None:
    async with Top(Reader("http://127.0.0.1:9", None)).run_test() as pilot:
        end = asyncio.get_running_loop().time() + PATIENCE
        notice = pilot.app.query_one("#notice", Static)
        while "does not answer" not in str(notice.render()):
            assert asyncio.get_running_loop().time() < end
            await pilot.pause(0.02)
        assert "trying again" in str(notice.render())


@pytest.mark.parametrize("answer", [httpx2.Response(200, text="<html>"), httpx2.Response(500), httpx2.Response(200, text="[1]")])
async def test_answers_of_something_else_are_told(answer: httpx2.Response) -> None:
    reader = Reader("http://lynkr.test", None, httpx2.MockTransport(lambda _: answer))
    with pytest.raises(Unreachable, match="/v1/admin/live"):
        async with reader:
            await reader.poll()


async def test_as_text() -> None:
    app = Application(Kernel.from_config(parse(TOML, {}), {}))
    async with Client(app):
        said = await text(Reader("http://lynkr.test", Secret(ADMIN), httpx2.ASGITransport(app=app)))  # pyright: ignore[reportArgumentType]
    assert said.startswith("0 under way")
    assert "\nleft alone:\n" in said


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "lynkr.toml").write_text('[provider.echo]\n[extension.top]\nurl = "http://127.0.0.1:9"\n')
    done = lynkr("top", "--once", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "lynkr: http://127.0.0.1:9 does not answer: ConnectError\n")
    assert "--once" in lynkr("top", "--help", cwd=tmp_path).stdout
