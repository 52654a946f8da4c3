"""Through whole gateways: what goes out, and what is told of it afterwards."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.testing.canned import CANNED, MODELS
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.process import gateway, lynkr
from lynkr_core.testing.scripted import ScriptedProvider

pytestmark = pytest.mark.anyio
LISTS = ("/v1/models", "/v1/models?limit=1000")
BY_DEFAULT = ("cache-guard", "json", "tool-results")
PATHS = {"openai.chat": "/v1/chat/completions", "anthropic.messages": "/v1/messages", "openai.responses": "/v1/responses"}
TOML = """
[provider.claude]
use = "anthropic"
base_url = "URL"
api_key = "sk-upstream"
models = ["claude-x"]
[prices]
"claude/claude-x" = { input = 3, output = 15, cache_read = 0.3, cache_write = 3.75 }
[tiers]
simple = ["claude/claude-x"]
[selector.tiers]
default = "simple"
"""
ON = "".join(f"[compressor.{name}]\n" for name in BY_DEFAULT)


async def sent(upstream: ScriptedProvider, toml: str, bodies: dict[str, dict[str, Any]]) -> list[bytes]:
    """What goes out for each body, by the dialect in which it comes."""
    upstream.reset()
    async with Client(Application(Kernel.from_config(parse(toml.replace("URL", upstream.url), {}), {}))) as client:
        for dialect, body in bodies.items():
            answer = await client.post(PATHS[dialect], json=body)
            assert answer.status == 200, answer.text
    return [request.body for request in upstream.requests]


async def test_hi_costs_upstream_what_hi_costs():
    bodies = {dialect: samples.request(dialect, "hi") for dialect in PATHS}
    bodies["anthropic.messages"]["max_tokens"] = 100
    async with ScriptedProvider() as upstream:
        bare = await sent(upstream, TOML, bodies)
        assert await sent(upstream, TOML + "[tokens.default]\n" + ON, bodies) == bare
    assert "[compressor.cache-guard]" in ON


def usage(read: int, written: int, fresh: int) -> Any:
    body = msgspec.json.decode(CANNED["anthropic.messages"].body)
    body["usage"] = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": 10,
    }
    return CANNED["anthropic.messages"].but(body=msgspec.json.encode(body))


async def test_the_receipt_stands_in_the_journal_and_is_added_up(tmp_path):
    async with ScriptedProvider(dict.fromkeys(LISTS, MODELS)) as upstream:
        upstream.then(usage(0, 4000, 0), usage(4000, 200, 0))
        toml = TOML.replace("URL", upstream.url) + '[store.sqlite]\npath = "kept.db"\n[sink.journal]\n[compressor.cache-guard]\n'
        (tmp_path / "lynkr.toml").write_text(toml)
        with gateway(cwd=tmp_path) as running:
            messages = [{"role": "user", "content": "A fact of some length. " * 900}]
            async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
                for _ in range(2):
                    body = {"model": "auto", "max_tokens": 100, "messages": messages}
                    answer = await client.post(f"{running.url}/v1/messages", json=body)
                    messages += [{"role": "assistant", "content": "Noted."}, {"role": "user", "content": "And?"}]
                ready = (await client.get(f"{running.url}/health/ready")).json()
            assert running.stop() == 0
        assert b'"cache_control":{"type":"ephemeral' in upstream.requests[1].body
    assert ready["plugins"]["compressor.cache-guard"]["marked"] == 2
    told = lynkr("explain", answer.headers["x-lynkr-request-id"], cwd=tmp_path).stdout
    assert "saved    compressor.cache-guard: 0 tokens, $0.010650" in told
    assert "receipt  $0.012750 untouched, $0.002100 billed" in told
    rows = lynkr("usage", "--savings", cwd=tmp_path).stdout.splitlines()
    assert rows[1].split("\t") == ["compressor.cache-guard", "2", "0", "0.0076", "1"]
    assert rows[-1].startswith("2 requests: $0.0249 untouched, $0.0173 billed")
