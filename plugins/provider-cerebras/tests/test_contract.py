from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core.testing.canned import Fault, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_cerebras import plugin

# hand-made from Cerebras' documentation of errors and rate limits
LONG = {
    "message": "Please reduce the length of the messages. Current length is 9000 while limit is 8192",
    "type": "invalid_request_error",
}
LIMIT = {
    "message": "Requests per day limit exceeded",
    "type": "too_many_requests_error",
    "param": "quota",
    "code": "request_quota_exceeded",
}
LEFT = {
    "x-ratelimit-remaining-requests-day": "100", "x-ratelimit-reset-requests-day": "33011.382867",
    "x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.38",
}  # fmt: skip


class TestContract(ProviderContract):
    plugin = plugin
    base_path = "/v1"
    paths: ClassVar[Mapping[str, str]] = {"openai.chat": "/chat/completions"}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {
        "openai.chat": {
            "context": Fault("context", Script(status=400, body=encoded(LONG))),
            "429": Fault("rate_limited", Script(status=429, headers=LEFT, body=encoded(LIMIT)), 11.38),
        }
    }
