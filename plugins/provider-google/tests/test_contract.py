"""The suites that lynkr-core gives. Bodies are hand-made from the Gemini API reference, as google-genai 3.4.0 reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lynkr_core import sse
from lynkr_core.testing.canned import TEXT, Fault, Script, encoded
from lynkr_core.testing.contracts.dialect import DialectContract
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_google import counting, plugin
from lynkr_provider_google import dialect as gemini

AGENT = rb"""{"systemInstruction":{"role":"user","parts":[{"text":"be \u00e9xact"}]},
 "contents":[{"role":"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},
   {"fileData":{"mimeType":"application/pdf","fileUri":"https://x.example/a.pdf"},"videoMetadata":{"fps":1.50}},{"hologram":{"h":1.0}}]},
  {"role":"model","parts":[{"text":"hm","thought":true},{"text":"reading","thoughtSignature":"c2lnMQ=="},
   {"functionCall":{"id":"a1","name":"read","args":{"path": "a.py", "n": 1.0}},"thoughtSignature":"c2lnMg=="},
   {"functionCall":{"name":"list","args":{}}}]},
  {"role":"user","parts":[{"functionResponse":{"id":"a1","name":"read","response":{"output":"one"}}},
   {"functionResponse":{"name":"list","response":{"files": ["a", 1e2]},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}},
   {"text":"and now?"}]}],
 "tools":[{"functionDeclarations":[{"name":"read","description":"reads","parametersJsonSchema":{"$schema":"http://s","type":"object"}},
   {"name":"list","parameters":{"type":"OBJECT","properties":{"d":{"type":"STRING"}}}}],"googleSearch":{}},{"codeExecution":{}}],
 "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["read"]}},
 "generationConfig":{"temperature":0.50,"topP":1,"topK":40,"maxOutputTokens":100,"stopSequences":["END"],"seed":7,"candidateCount":1,
  "presencePenalty":0.1,"frequencyPenalty":0,"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json",
  "responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingBudget":-1,"includeThoughts":true},"mediaResolution":"LOW"},
 "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"}],"cachedContent":"cachedContents/1","x-new":{"a":1e5}}"""
SNAKE = rb"""{"system_instruction":{"parts":[{"text":"x"}]},"contents":{"parts":[{"inline_data":{"mime_type":"image/png","data":"aGk="}}]},
 "generation_config":{"max_output_tokens":5},"tools":[{"function_declarations":[{"name":"f"}]}]}"""
USAGE = (
    rb'"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":7,"thoughtsTokenCount":5,"totalTokenCount":24,'
    rb'"cachedContentTokenCount":4}'
)
ANSWER = (
    rb"""{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Here: ","thoughtSignature":"c2lnMQ=="},
  {"functionCall":{"name":"read","args":{"path":"a.py"}},"thoughtSignature":"c2lnMg+/"},{"functionCall":{"id":"f2","name":"read","args":{}}},
  {"inlineData":{"mimeType":"image/png","data":"aGk="}}],"role":"model"},"finishReason":"STOP","index":0,
  "logprobsResult":{"chosenCandidates":[{"token":"H","tokenId":1,"logProbability":-0.5}],
   "topCandidates":[{"candidates":[{"token":"H","logProbability":-0.5},{"token":"J","logProbability":-1.5}]}]}},
 {"content":{"parts":[{"text":"or"}],"role":"model"},"finishReason":"MAX_TOKENS","index":1}],
 %b,"modelVersion":"gemini-3-pro","responseId":"resp1","createTime":"2026-11-21T07:00:00Z"}"""
    % USAGE
)
CALLS = (
    rb'{"functionCall":{"name":"f","args":{"x": 1.0}},"thoughtSignature":"c2lnMg=="},{"functionCall":{"name":"f","args":{"x":2}}}'
)
NAMED = rb'"modelVersion":"gemini-3-pro","responseId":"r1"'


def chunk(parts: bytes, more: bytes = NAMED, finish: bytes = b"") -> bytes:
    return b'{"candidates":[{"content":{"parts":[%b],"role":"model"},%b"index":0}],%b}' % (parts, finish, more)


CHUNKS = (
    chunk(b'{"text":"let me","thought":true}', USAGE + b"," + NAMED),
    chunk(b'{"text":" see","thought":true}'),
    chunk(rb'{"text":"Gr\u00fc"}'),
    chunk('{"text":"ße 👋","thoughtSignature":"c2lnMQ=="}'.encode(), b'"responseId":"r1"'),
    chunk(CALLS),
    chunk(b'{"text":""}', USAGE + b"," + NAMED, b'"finishReason":"STOP",'),
)
STREAM = b"".join([sse.event(chunk) for chunk in CHUNKS])
CRLF = STREAM.replace(b"\n\n", b"\r\n\r\n")


class TestDialect(DialectContract):
    plugin = gemini.plugin
    requests: ClassVar[Mapping[str, bytes]] = {
        "agent": AGENT,
        "snake": SNAKE,
        "short": b'{"contents":[{"parts":[{"text":"hi"}]}]}',
    }
    responses: ClassVar[Mapping[str, bytes]] = {"answer": ANSWER}
    streams: ClassVar[Mapping[str, bytes]] = {"stream": STREAM, "crlf": CRLF}


class TestCounting(DialectContract):
    plugin = counting.plugin
    requests: ClassVar[Mapping[str, bytes]] = {
        "contents": b'{"contents":[{"parts":[{"text":"hi"}]}]}',
        "whole": b'{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"hi"}]}]}}',
    }
    responses: ClassVar[Mapping[str, bytes]] = {"count": b'{"totalTokens":31,"promptTokensDetails":[]}'}


def failed(status: int, word: str, message: str, *details: Mapping[str, object]) -> Script:
    return Script(
        status=status, body=encoded({"error": {"code": status, "message": message, "status": word, "details": list(details)}})
    )


INFO = "type.googleapis.com/google.rpc."
FAULTS: dict[str, Fault] = {
    "401": Fault(
        "auth", failed(400, "INVALID_ARGUMENT", "API key not valid.", {"@type": INFO + "ErrorInfo", "reason": "API_KEY_INVALID"})
    ),
    "404": Fault("not_found", failed(404, "NOT_FOUND", "models/x is not found for API version v1beta")),
    "429": Fault(
        "rate_limited", failed(429, "RESOURCE_EXHAUSTED", "Too many.", {"@type": INFO + "RetryInfo", "retryDelay": "13s"}), 13.0
    ),
    "500": Fault("server", failed(500, "INTERNAL", "An internal error has occurred.")),
    "529": Fault("overloaded", failed(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")),
    "context": Fault(
        "context", failed(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8).")
    ),
    "content": Fault("content", failed(400, "INVALID_ARGUMENT", "The prompt violates Google's Responsible AI practices.")),
}
PIECES = (TEXT[:9], TEXT[9:])
GOOD = Script(
    body=encoded(
        {
            "candidates": [{"content": {"parts": [{"text": TEXT}], "role": "model"}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19},
        }
    ),
    events=(
        *[sse.event(encoded({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]})) for text in PIECES],
        sse.event(b'{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12}}'),
    ),
)
LISTING = Script(body=b'{"models":[{"name":"models/gemini-3-pro","supportedGenerationMethods":["generateContent"]}]}')


class TestProvider(ProviderContract):
    plugin = plugin
    base_path = "/v1beta"
    key_header = "x-goog-api-key"
    paths: ClassVar[Mapping[str, str]] = {"gemini": "/models/contract-model:generateContent"}
    answers: ClassVar[Mapping[str, Script]] = {"gemini": GOOD}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"gemini": FAULTS}
    listing = LISTING
