from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_azure_openai import plugin

# hand-made from Azure OpenAI's documentation of content filtering and of quotas
FILTERED = {
    "error": {
        "message": "The response was filtered.", "type": None, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}, "hate": {"filtered": False}},
        },
    }
}  # fmt: skip
MISSING = {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}
FULL = {"error": {"code": "429", "message": "Requests to the ChatCompletions Operation have exceeded the rate limit."}}
REFUSED = {"statusCode": 401, "message": "Unauthorized. Access token is missing, invalid, or expired."}
FAULTS = {
    "content": Fault("content", Script(status=400, body=encoded(FILTERED))),
    "404": Fault("not_found", Script(status=404, body=encoded(MISSING))),
    "429": Fault("rate_limited", Script(status=429, headers={"retry-after-ms": "1250"}, body=encoded(FULL)), 1.25),
    "401": Fault("auth", Script(status=401, body=encoded(REFUSED))),
}
TOKEN = Script(body=encoded({"token_type": "Bearer", "expires_in": 3599, "access_token": samples.SECRET}))


class TestContract(ProviderContract):
    plugin = plugin
    key_header = "api-key"
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"openai.chat": FAULTS, "openai.responses": FAULTS}
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/openai/v1/chat/completions",
        "openai.responses": "/openai/v1/responses",
        "openai.embeddings": "/openai/v1/embeddings",
    }


class TestClassic(TestContract):
    table: ClassVar[Mapping[str, str]] = {"api": "classic", "api_version": "2024-10-21"}
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/openai/deployments/contract-model/chat/completions",
        "openai.responses": "/openai/responses",
        "openai.embeddings": "/openai/deployments/contract-model/embeddings",
    }


class TestEntra(TestContract):
    """An app registration; the secret that must not be seen is both its secret and the token."""

    key_header = "authorization"
    key_setting = "client_secret"
    beside: ClassVar[Mapping[str, Script]] = {"/tenant-1/oauth2/v2.0/token": TOKEN}
    table: ClassVar[Mapping[str, str]] = {"tenant": "tenant-1", "client_id": "app-1"}

    def wired(self, table: Mapping[str, Any], url: str) -> dict[str, Any]:
        return {**super().wired(table, url), "authority": url}
