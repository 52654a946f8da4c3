from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_huggingface import plugin

# hand-made from Hugging Face's documentation of its inference providers: errors are objects, texts, or no JSON at all
SPENT = {"error": "You have exceeded your monthly included credits for Inference Providers."}
UNKNOWN = {
    "error": {"message": "The requested model 'x' does not exist", "type": "invalid_request_error", "code": "model_not_found"}
}
LONG = {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000"}


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    model = "org/name:fastest"
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions"}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {
        "openai.chat": {
            "quota": Fault("quota", Script(status=402, body=encoded(SPENT))),
            "401": Fault("auth", Script(status=401, body=encoded({"error": "Invalid username or password."}))),
            "404": Fault("not_found", Script(status=400, body=encoded(UNKNOWN))),
            "context": Fault("context", Script(status=422, body=encoded(LONG))),
            "500": Fault("server", Script(status=500, content_type="text/plain", body=b"Internal Server Error")),
        }
    }


class TestSpent(TestContract):
    """No credits are left: the suite's own name for a limit that is no rate."""

    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {
        "openai.chat": {"429": Fault("quota", Script(status=402, body=encoded(SPENT)))}
    }
