from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core import sse
from lynkr_core.testing.canned import TEXT, Script, encoded
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_vertex import plugin

PUBLISHERS = "/v1/projects/my-project/locations/eu/publishers"
USAGE = {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}
# hand-made from the Gemini API reference, as google-genai 3.4.0 reads it
ANSWER = {
    "candidates": [{"content": {"parts": [{"text": TEXT}], "role": "model"}, "finishReason": "STOP"}],
    "usageMetadata": USAGE,
}
PIECES = [{"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]} for text in (TEXT[:9], TEXT[9:])]
CHUNKS = [*PIECES, {"candidates": [{"finishReason": "STOP"}], "usageMetadata": USAGE}]


class TestContract(ProviderContract):
    plugin = plugin
    table: ClassVar[Mapping[str, Any]] = {"project": "my-project", "location": "eu"}
    key_setting = "access_token"
    paths: ClassVar[Mapping[str, str]] = {
        "gemini": f"{PUBLISHERS}/google/models/contract-model:generateContent",
        "anthropic.messages": f"{PUBLISHERS}/anthropic/models/contract-model:rawPredict",
        "anthropic.count_tokens": f"{PUBLISHERS}/anthropic/models/count-tokens:rawPredict",
    }
    answers: ClassVar[Mapping[str, Script]] = {
        "gemini": Script(body=encoded(ANSWER), events=tuple([sse.event(encoded(chunk)) for chunk in CHUNKS]))
    }
    listing = Script(body=b'{"publisherModels":[{"name":"publishers/google/models/gemini-3-pro"}]}')
