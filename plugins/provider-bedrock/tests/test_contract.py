from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lynkr_core.testing.canned import OPENAI_FAULTS, TEXT, Fault, Script, encoded
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.contracts.provider import ProviderContract, Stage
from lynkr_core.testing.eventstream import event
from lynkr_provider_bedrock import plugin

# answers, listings and errors hand-made from botocore 1.44.5's service models of bedrock-runtime and bedrock
USAGE = {"inputTokens": 12, "outputTokens": 7, "totalTokens": 19}
METRICS = {"latencyMs": 300}
ANSWER = Script(
    body=encoded({
        "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
        "stopReason": "end_turn", "usage": USAGE, "metrics": METRICS,
    }),
    events=(
        event("messageStart", {"role": "assistant", "p": "abcd"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT[:9]}, "p": "abcdefgh"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT[9:]}, "p": "a"}),
        event("contentBlockStop", {"contentBlockIndex": 0, "p": "abc"}),
        event("messageStop", {"stopReason": "end_turn", "p": "abcdef"}),
        event("metadata", {"usage": USAGE, "metrics": METRICS, "p": "abcdefghijk"}),
    ),
)  # fmt: skip
VECTOR = Script(body=encoded({"embedding": [0.25, -0.5], "inputTextTokenCount": 3, "embeddingsByType": {"float": [0.25, -0.5]}}))
MODELS = Script(body=encoded({"modelSummaries": [{"modelId": "amazon.nova-pro-v1:0", "modelArn": "arn:aws:bedrock:x"}]}))
PROFILES = Script(body=encoded({"inferenceProfileSummaries": [{"inferenceProfileId": "us.amazon.nova-pro-v1:0"}]}))


def failing(status: int, name: str, message: str, **headers: str) -> Script:
    named = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/", **headers}
    return Script(status=status, headers=named, body=encoded({"message": message}))


FAULTS = {
    "401": Fault("auth", failing(403, "UnrecognizedClientException", "The security token included in the request is invalid.")),
    "404": Fault("not_found", failing(404, "ResourceNotFoundException", "Could not resolve the foundation model.")),
    "429": Fault(
        "rate_limited",
        failing(429, "ThrottlingException", "Too many tokens, please wait before trying again.", **{"retry-after": "7"}),
        7.0,
    ),
    "500": Fault("server", failing(500, "InternalServerException", "The system encountered an unexpected error.")),
    "529": Fault("overloaded", failing(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")),
    "context": Fault("context", failing(400, "ValidationException", "Input is too long for requested model.")),
    "content": Fault("content", failing(400, "ValidationException", "Output blocked by content filtering policy")),
    "html": OPENAI_FAULTS["html"],
}


class TestContract(ProviderContract):
    plugin = plugin
    paths: ClassVar[Mapping[str, str]] = {
        "bedrock.converse": "/model/contract-model/converse",
        "bedrock.embeddings": "/model/contract-model/invoke",
    }
    answers: ClassVar[Mapping[str, Script]] = {"bedrock.converse": ANSWER, "bedrock.embeddings": VECTOR}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"bedrock.converse": FAULTS}

    def wired(self, table: Mapping[str, Any], url: str) -> dict[str, Any]:
        return {**super().wired(table, url), "control_url": url}

    def rehearse_listing(self, stage: Stage) -> None:
        stage.upstream.then(MODELS, PROFILES)

    def tools_in(self, sent: dict[str, Any]) -> Any:
        specs = [tool["toolSpec"] for tool in sent["toolConfig"]["tools"]]
        told = [{"name": s["name"], "description": s["description"], "parameters": s["inputSchema"]["json"]} for s in specs]
        return [{"type": "function", "function": function} for function in told]


class TestSigned(TestContract):
    """Its secret is in no header."""

    key_header = None

    def make_table(self, directory: Path) -> Mapping[str, Any]:
        return {"access_key_id": "AKIDEXAMPLE", "secret_access_key": samples.SECRET}
