from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_databricks import plugin

# hand-made from Databricks' API reference: GET /api/2.0/serving-endpoints and the OAuth token endpoint of a workspace
LISTING = Script(body=encoded({"endpoints": [{"name": "databricks-claude-sonnet-5", "state": {"ready": "READY"}}]}))
TOKEN = Script(body=encoded({"access_token": samples.SECRET, "scope": "all-apis", "token_type": "Bearer", "expires_in": 3600}))


class TestContract(ProviderContract):
    plugin = plugin
    listing = LISTING
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/serving-endpoints/chat/completions",
        "openai.embeddings": "/serving-endpoints/embeddings",
    }


class TestServicePrincipal(TestContract):
    """The secret that must not be seen is both the principal's and the token."""

    key_setting = "client_secret"
    beside: ClassVar[Mapping[str, Script]] = {"/oidc/v1/token": TOKEN}
    table: ClassVar[Mapping[str, Any]] = {"client_id": "principal-1"}


class TestClaude(TestContract):
    table: ClassVar[Mapping[str, Any]] = {"dialects": ["anthropic.messages"]}
    paths: ClassVar[Mapping[str, str]] = {"anthropic.messages": "/serving-endpoints/anthropic/v1/messages"}


class TestGateway(TestContract):
    table: ClassVar[Mapping[str, Any]] = {
        "gateway": True,
        "dialects": ["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"],
    }
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/ai-gateway/mlflow/v1/chat/completions",
        "openai.responses": "/ai-gateway/mlflow/v1/responses",
        "openai.embeddings": "/ai-gateway/mlflow/v1/embeddings",
        "anthropic.messages": "/ai-gateway/anthropic/v1/messages",
    }
