"""What `lynkr init` finds and writes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec import structs

from lynkr_core.cli.setup.sources import ECHO, PLACES, Cloud, Local, cloud, found, local
from lynkr_core.cli.setup.writing import render
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.plugins import installed, manifest


@contextmanager
def listening(answer: object, status: int = 200):
    """A server whose every answer is this JSON; gives its port."""

    class Listing(BaseHTTPRequestHandler):
        def do_GET(self):
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Listing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


# shapes as vLLM 0.11, llama.cpp's server and Ollama 0.12 list their models
VLLM = {"object": "list", "data": [{"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "vllm"}]}
LLAMACPP = {"models": [{"name": "m.gguf"}], "data": [{"id": "m.gguf", "object": "model", "owned_by": "llamacpp"}]}
OLLAMA = {"models": [{"name": "nomic-embed-text:latest"}, {"name": "llama3.2:latest"}]}


@pytest.mark.parametrize(("plugin", "owner", "answer", "model"), [
    ("vllm", "vllm", VLLM, "Qwen/Qwen3-8B"), ("llamacpp", "llamacpp", LLAMACPP, "m.gguf"), ("ollama", "", OLLAMA, "llama3.2:latest"),
])  # fmt: skip
def test_a_local_server_leads_the_cheap_tiers(plugin, owner, answer, model):
    with listening(answer) as port:
        source = local(Local(plugin=plugin, port=port, list="/v1/models", owner=owner))
    assert source is not None
    assert (source.tiers, source.port) == ({"simple": model, "medium": model}, port)


@pytest.mark.parametrize(("answer", "status"), [
    (LLAMACPP, 200), ({"data": []}, 200), ({"data": [None]}, 200), ([1], 200), (b"<html>", 200), (VLLM, 401), ({"data": {"a": 1}}, 200),
])  # fmt: skip
def test_what_listens_there_and_is_something_else_is_left_alone(answer, status):
    with listening(answer, status) as port:
        assert local(Local(plugin="vllm", port=port, list="/v1/models", owner="vllm")) is None


def test_nobody_there_is_nobody():
    with listening(VLLM) as port:
        pass
    assert local(Local(plugin="vllm", port=port, list="/v1/models")) is None


@pytest.mark.parametrize("place", PLACES.cloud, ids=lambda place: place.plugin)
def test_a_cloud_is_a_plugin_that_can_be_had_and_what_is_written_for_it_is_good(place: Cloud):
    assert place.plugin in installed("provider")
    manifest("provider", place.plugin)
    source = cloud(place)
    text = render([source, ECHO], 8081)
    assert f'api_key = "${{{place.key}}}"' in text
    Kernel.from_config(parse(text, {place.key: "secret-key"}), {})
    assert "secret-key" not in text


def test_all_that_is_there_is_found_and_what_is_local_leads(monkeypatch):
    """Of two servers of one kind the first; of clouds those whose key is there."""
    with listening(OLLAMA) as ollama, listening(LLAMACPP) as first, listening(LLAMACPP) as second, listening(VLLM) as vllm:
        here = [("ollama", ollama, ""), ("llamacpp", first, "llamacpp"), ("llamacpp", second, "llamacpp"), ("vllm", vllm, "vllm")]
        places = tuple(Local(plugin=plugin, port=port, list="/v1/models", owner=owner) for plugin, port, owner in here)
        monkeypatch.setattr("lynkr_core.cli.setup.sources.PLACES", structs.replace(PLACES, local=places))
        sources = found({"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": ""})
    assert [(source.plugin, source.port) for source in sources] == [
        ("ollama", ollama), ("llamacpp", first), ("vllm", vllm), ("anthropic", None),
    ]  # fmt: skip
    tiers = parse(render(sources, 8081), {"ANTHROPIC_API_KEY": "k"}).tiers.tables()
    assert tiers["simple"][:3] == ["ollama/llama3.2:latest", "llamacpp/m.gguf", "vllm/Qwen/Qwen3-8B"]
    assert [id.partition("/")[0] for id in tiers["reasoning"]] == ["anthropic"]
    assert found({}) == [ECHO]


def test_a_server_on_another_port_than_usual_is_written_with_its_address():
    with listening(LLAMACPP) as port:
        source = local(Local(plugin="llamacpp", port=port, list="/v1/models"))
    assert source is not None
    assert f'base_url = "http://127.0.0.1:{port}/v1"' in render([source], 8081)


def test_the_dialogue_asks_and_enter_takes_what_is_proposed(tmp_path):
    """In a real terminal."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "lynkr_core.cli", "init"]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, cwd=tmp_path, env={"TERM": "dumb"}) as process:
        os.write(parent, b"\n\n\n\n-\n0\n8090\n")
        assert process.wait(60) == 0
    os.close(parent)
    os.close(child)
    text = (tmp_path / "lynkr.toml").read_text()
    config = parse(text, {})
    assert config.server.port == 8090
    assert config.tiers.tables() == {"simple": ["echo/echo"], "medium": ["echo/echo"], "complex": ["echo/echo"], "reasoning": []}
