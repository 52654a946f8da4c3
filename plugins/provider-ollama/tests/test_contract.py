"""The provider keeps the providers' contract, natively and through each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import TEXT, Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_ollama import LAYERS, plugin

# hand-made from Ollama's API reference, as its Python client 0.6.3 reads it
HEAD = {"model": "scripted-model", "created_at": "2025-10-17T23:14:07.414671Z"}
DONE = {"done": True, "done_reason": "stop", "total_duration": 1, "prompt_eval_count": 12, "eval_count": 7}


def line(text: str, **ending: Any) -> bytes:
    return encoded({**HEAD, "message": {"role": "assistant", "content": text}, **ending}) + b"\n"


NATIVE = Script(
    body=line(TEXT, **DONE),
    events=(line(TEXT[:5], done=False), line(TEXT[5:], done=False), line("", **DONE)),
    content_type="application/x-ndjson",
)


def told(status: int, words: str, **headers: str) -> Script:
    return Script(status=status, headers=headers, body=encoded({"error": words}))


OVER = '{"error":{"code":400,"message":"request (8889 tokens) exceeds the available context size","type":"exceed_context_size_error"}}'
FAULTS = {
    "401": Fault("auth", told(401, "unauthorized")),
    "404": Fault("not_found", told(404, "model 'x' not found")),
    "429": Fault("rate_limited", told(429, "too many requests", **{"retry-after": "7"}), 7.0),
    "500": Fault("server", told(500, "model runner has unexpectedly stopped")),
    "context": Fault("context", told(400, OVER)),
    "html": Fault("server", Script(status=502, content_type="text/html", body=b"<html><h1>502 Bad Gateway</h1></html>")),
}


class TestContract(ProviderContract):
    plugin = plugin
    key_header = None
    listing = Script(body=b'{"models":[{"name":"llama3.2:latest"}]}')
    answers: ClassVar[Mapping[str, Script]] = {"ollama": NATIVE}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"ollama": FAULTS}
    paths: ClassVar[Mapping[str, str]] = {"ollama": "/api/chat", **LAYERS}


class TestCloud(TestContract):
    key_header = "authorization"
    table: ClassVar[Mapping[str, Any]] = {"num_ctx": 8192, "keep_alive": -1, "truncate": False}
    paths: ClassVar[Mapping[str, str]] = {"ollama": "/api/chat"}
