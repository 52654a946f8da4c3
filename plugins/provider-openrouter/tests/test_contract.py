from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_openrouter import PATHS, plugin


def fault(kind: Any, status: int, type: str, message: str = "Provider returned error", **metadata: Any) -> Fault:
    """Hand-made from the error types of openrouter 1.3.84."""
    error = {"code": status, "message": message, "metadata": {"error_type": type, **metadata}}
    return Fault(kind, Script(status=status, body=encoded({"error": error, "user_id": "user_1"})))


FAULTS = {
    "401": fault("auth", 401, "authentication", "No auth credentials found"),
    "404": fault("not_found", 404, "not_found", "No endpoints found"),
    "quota": fault("quota", 402, "payment_required", "Insufficient credits"),
    "500": fault("server", 502, "provider_unavailable"),
    "529": fault("overloaded", 503, "provider_overloaded"),
    "context": fault("context", 400, "context_length_exceeded"),
    "content": fault("content", 403, "content_policy_violation", reasons=["violence"], flagged_input="…"),
}


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/api/v1"
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"openai.chat": FAULTS}
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/chat/completions",
        "openai.responses": "/responses",
        "openai.embeddings": "/embeddings",
    }


class TestEveryDialect(TestContract):
    table: ClassVar[Mapping[str, Any]] = {"dialects": list(PATHS)}
    paths: ClassVar[Mapping[str, str]] = dict(PATHS)
