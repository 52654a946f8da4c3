from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_github_models import plugin

# the listing is hand-made from GitHub's REST reference of models, the errors from reports of users
LISTING = Script(body=b'[{"id":"openai/gpt-5-mini","name":"GPT-5 mini","publisher":"OpenAI"}]')
LIMIT = {"error": {"code": "RateLimitReached", "message": "Rate limit of 50 per 86400s exceeded for UserByModelByDay."}}
LARGE = {
    "error": {"code": "tokens_limit_reached", "message": "Request body too large for gpt-5-mini model. Max size: 4000 tokens."}
}


class TestContract(ProviderContract):
    plugin = plugin
    listing = LISTING
    model = "publisher/name"
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/inference/chat/completions",
        "openai.embeddings": "/inference/embeddings",
    }
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {
        "openai.chat": {
            "429": Fault("rate_limited", Script(status=429, headers={"retry-after": "30"}, body=encoded(LIMIT)), 30.0),
            "context": Fault("context", Script(status=413, body=encoded(LARGE))),
        }
    }


class TestOrganization(TestContract):
    table: ClassVar[Mapping[str, Any]] = {"organization": "my org"}
    paths: ClassVar[Mapping[str, str]] = {
        "openai.chat": "/orgs/my%20org/inference/chat/completions",
        "openai.embeddings": "/orgs/my%20org/inference/embeddings",
    }
