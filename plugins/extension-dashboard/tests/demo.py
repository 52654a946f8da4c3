"""A gateway with something to see: used by the tests, and to take the picture of the README: `python tests/demo.py`.

Everything is real but the models, which echo, and the history, whose records are copies of real ones at earlier times.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from playwright.sync_api import Browser, sync_playwright

from lynkr_core.testing import factories
from lynkr_core.testing.process import Gateway, ask, gateway
from lynkr_store_sqlite import plugin as sqlite

ADMIN = "the-admin-key-of-the-demo"
PICTURE = Path(__file__).parents[3] / "core/docs/dashboard.png"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CONFIG = """
[routing]
retries = 0
[store.sqlite]
path = "demo.db"
[sink.journal]
texts = true
[extension.dashboard]
[provider.local]
use = "echo"
models = ["qwen3-8b"]
[provider.openai]
use = "echo"
models = ["gpt-5.4-mini"]
[provider.groq]
use = "echo"
models = ["llama-4"]
directives = ["status 503"]
[provider.anthropic]
use = "echo"
models = ["claude-sonnet-5", "claude-opus-4-8"]
[tiers]
simple = ["local/qwen3-8b"]
medium = ["groq/llama-4", "openai/gpt-5.4-mini"]
complex = ["anthropic/claude-sonnet-5"]
reasoning = ["anthropic/claude-opus-4-8"]
[prices]
"local/qwen3-8b" = { input = 0.0, output = 0.0 }
"groq/llama-4" = { input = 0.2, output = 0.6 }
"openai/gpt-5.4-mini" = { input = 0.4, output = 1.6, cache_read = 0.04 }
"anthropic/claude-sonnet-5" = { input = 3.0, output = 15.0, cache_read = 0.3 }
"anthropic/claude-opus-4-8" = { input = 5.0, output = 25.0, cache_read = 0.5 }
[scorer.heuristic]
[selector.tiers]
[policy.breaker]
least = 3
pause = 600
[policy.concurrency]
[policy.budget]
[[policy.budget.limit]]
scope = "everyone"
per = "day"
usd = 5
[[policy.budget.limit]]
scope = "key:*"
per = "month"
usd = 20
[[policy.budget.limit]]
scope = "provider:anthropic"
per = "day"
tokens = 400000
"""
WITH_KEYS = f'\n[server]\nadmin_key = "{ADMIN}"\n[auth.keys]\n'
CALLERS = (("anna", "claude-code"), ("ben", "codex"), ("nightly", "review-bot"))
ASKS = (
    "hello", "What is the capital of France?", "Rename this variable to total", "Translate to German: good morning",
    "Write a Python function that parses ISO dates and returns None for bad ones, with tests",
    "Refactor the authentication module: split session handling from key lookup, keep the public API, update all tests",
    "Prove that the scheduler cannot deadlock: think step by step about lock ordering across the three queues, then design a fix",
)  # fmt: skip


def call(url: str, path: str, key: str = "", body: Any = None) -> tuple[int, bytes]:
    """One request; the answer's status and body, whatever they are."""
    answer = ask(url + path, body, **({"x_api_key": key} if key else {}))
    return answer.status, answer.body


def told(url: str, path: str, key: str = "", body: Any = None) -> Any:
    return json.loads(call(url, path, key, body)[1])


def chat(url: str, text: str, key: str = "", **more: Any) -> tuple[int, bytes]:
    return call(url, "/v1/chat/completions", key, {"model": "auto", "messages": [{"role": "user", "content": text}], **more})


def linger(url: str, text: str, key: str = "") -> None:
    """A request that may still be under way when the gateway is gone."""
    with suppress(OSError):
        chat(url, text, key, stream=True)


def make_keys(url: str) -> list[str]:
    made = [told(url, "/v1/admin/keys", ADMIN, {"name": name, "agent": agent, "team": "platform"}) for name, agent in CALLERS]
    return [key["key"] for key in made]


def drive(url: str, keys: Sequence[str], count: int, lot: random.Random) -> None:
    """Requests as a day has them."""
    for _ in range(count):
        size = f"[[echo: usage {int(lot.lognormvariate(8.4, 0.7))} {int(lot.lognormvariate(5.6, 0.6))}]]"
        text = f"{lot.choice(ASKS)} {size} [[echo: delay {min(lot.lognormvariate(-2.6, 0.5), 0.4):.3f}]]"
        chat(url, text, lot.choice(keys), stream=lot.random() < 0.7)


@contextmanager
def running(folder: Path, keys: bool = True, more: str = "") -> Generator[Gateway]:
    (folder / "lynkr.toml").write_text(CONFIG + (WITH_KEYS if keys else "") + more)
    with gateway(cwd=folder) as served:
        yield served


def keep(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes records into the journal of a gateway that does not run."""

    async def write() -> None:
        store = factories.build(sqlite, {"path": str(folder / "demo.db")}, factories.context("sqlite", "store"))
        async with factories.running(store) as journal:
            for record in records:
                journal.append(record)
            await journal.flush()

    with ThreadPoolExecutor(1) as thread:  # the browser's client has a loop of its own in this one
        thread.submit(anyio.run, write).result()


def earlier(records: Sequence[dict[str, Any]], count: int, lot: random.Random, now: float) -> Iterator[dict[str, Any]]:
    """Copies at times of the last day, busier by day than by night, with what compressors and prompt caches save."""
    good = [record for record in records if record["status"] == "ok" and record["usage"]]
    for number in range(count):
        hours = 24 * lot.random() ** 1.2
        if 9 < hours < 17 and lot.random() < 0.75:
            continue
        record = json.loads(json.dumps(lot.choice(good)))
        usage, at = record["usage"], now - hours * 3600 - 60
        usage["cache_read"] = int(usage["input_tokens"] * lot.choice((0, 0.4, 0.7, 0.85)))
        saved = int(usage["input_tokens"] * lot.choice((0, 0.1, 0.35)))
        usd = saved * 2e-6 if record["cost"] else 0.0
        record["savings"] = [{"plugin": "compressor.tools", "tokens": saved, "usd": usd}] if saved else []
        record["cost"] = (record["cost"] or 0) * (1 - 0.8 * usage["cache_read"] / max(usage["input_tokens"], 1))
        slower = lot.lognormvariate(2.0, 0.5)
        for name in ("duration", "first_token"):
            record[name] = (record[name] or 0) * slower
        record |= {"id": f"req_{int(at * 1000):011x}{number:012x}", "created": at, "saved_tokens": saved, "saved_usd": usd}
        yield record | {"spent": record["cost"]}


@contextmanager
def browser() -> Generator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield started
        finally:
            started.close()


def prepared(folder: Path, lot: random.Random) -> None:
    """A journal with a day in it."""
    with running(folder) as served:
        keys = make_keys(served.url)
        (folder / "keys.json").write_text(json.dumps(keys))
        drive(served.url, keys, 40, lot)
        rows = told(served.url, "/v1/admin/live?wait=0&limit=500", ADMIN)["finished"]
        records = [told(served.url, f"/v1/decisions/{row['id']}", ADMIN) for row in rows]
        served.stop()
    keep(folder, list(earlier(records, 2600, lot, time.time())))


def main(picture: Path, size: tuple[int, int], scheme: str, place: str = "") -> None:
    lot = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared(folder, lot)
        with running(folder) as served, browser() as chromium:
            keys = json.loads((folder / "keys.json").read_text())
            drive(served.url, keys, 14, lot)
            for key, wait in zip(keys, (6, 5), strict=False):
                text = f"{ASKS[6]} [[echo: delay {wait}]]"
                threading.Thread(target=linger, args=(served.url, text, key), daemon=True).start()
            page = chromium.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
            page.add_init_script(f"sessionStorage.setItem('lynkr-key', '{ADMIN}')")
            page.goto(f"{served.url}/dashboard{place}")
            page.wait_for_selector(".chart canvas")
            page.wait_for_timeout(1000)
            page.screenshot(path=picture)


if __name__ == "__main__":
    width, height = os.environ.get("SIZE", "1360x860").split("x")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE, (int(width), int(height)), os.environ.get("SCHEME", "light"))
