from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_together import plugin

# hand-made from Together's documentation of errors
LONG = {
    "error": {
        "message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193.",
        "type": "invalid_request_error",
    }
}
FULL = {"error": {"message": "The model is at capacity.", "type": "rate_limit", "code": None}}


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions", "openai.embeddings": "/embeddings"}


class TestItsOwnErrors(TestContract):
    listing = Script(body=b'[{"id":"openai/gpt-oss-120b","object":"model","type":"chat"}]')
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {
        "openai.chat": {
            "context": Fault("context", Script(status=422, body=encoded(LONG))),
            "429": Fault("overloaded", Script(status=429, body=encoded(FULL))),
        }
    }
