from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_core.testing.contracts.recorded import RecordedProviderContract
from lynkr_provider_llamacpp import PATHS, plugin

# as llama.cpp answered while it loaded a model, and when a prompt was too long
LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
TOO_LONG = {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}}
FAULTS = {
    "500": Fault("warming", Script(status=503, body=encoded(LOADING))),
    "context": Fault("context", Script(status=400, body=encoded(TOO_LONG))),
}


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    paths: ClassVar[Mapping[str, str]] = dict(PATHS)
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"openai.chat": FAULTS, "openai.responses": FAULTS}


class TestRecorded(RecordedProviderContract):
    """Against what a llama.cpp of late 2026 with a tiny model of noise answered: `lynkr record` wrote it."""

    plugin = plugin
    transcript = Path(__file__).with_name("recorded.json")
