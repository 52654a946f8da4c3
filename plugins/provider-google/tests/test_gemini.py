"""The dialect by itself. Bodies are hand-made from the Gemini API reference, as google-genai 3.4.0 reads them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw, structs

from lynkr_core import sse
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.events import End, Failure, Finish, PartStart, UsageEvent
from lynkr_core.request import Message, Reasoning, Text, ToolCall, ToolCallResponse
from lynkr_core.testing.canned import Script, encoded
from lynkr_core.testing.factories import find_dialect
from lynkr_provider_google.dialect.logprobs import read_logprobs, write_logprobs

GEMINI = find_dialect("gemini")
STREAM = "/v1beta/models/m:streamGenerateContent"


def request(body: dict[str, Any], path: str = "/v1beta/models/m:generateContent") -> Any:
    return GEMINI.decode_request(GEMINI.peek(encoded(body), path))


def answer(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}]}


def events(*chunks: dict[str, Any]) -> list[Any]:
    decoder = GEMINI.decoder()
    return [*decoder.feed(b"".join([sse.event(encoded(chunk)) for chunk in chunks])), *decoder.close()]


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-3-pro:generateContent", "gemini-3-pro", False),
        ("/v1/models/google/gemini-3-pro:streamGenerateContent", "google/gemini-3-pro", True),
        ("/v1/models/ollama/llama3:8b:streamGenerateContent?alt=sse", "ollama/llama3:8b", True),
        ("", "body-model", True),
    ],
)
def test_the_path_says_model_and_manner(path: str, model: str, stream: bool) -> None:
    envelope = GEMINI.peek(
        b'{"contents":[],"model":"models/body-model","stream":true,"generationConfig":{"maxOutputTokens":9}}', path
    )
    assert (envelope.model, envelope.stream, envelope.max_tokens) == (model, stream, 9)


def test_a_stream_that_is_no_sse_is_refused_where_the_query_is_known() -> None:
    with pytest.raises(InvalidRequest, match="alt=sse"):
        GEMINI.peek(b"{}", STREAM + "?key=x")
    assert GEMINI.peek(b"{}", STREAM + "?key=x&alt=sse").stream


def test_results_find_their_calls_by_name_and_order() -> None:
    calls = [{"functionCall": {"name": name, "args": {}}} for name in ("f", "g", "f")]
    results = [
        {"functionResponse": {"name": name, "response": {"result": text}}} for name, text in (("f", "1"), ("f", "2"), ("g", "3"))
    ]
    asked, answered = request({"contents": [{"role": "model", "parts": calls}, {"parts": results}]}).messages
    ids = {part.id: part.name for part in asked.parts}
    assert len(ids) == 3
    assert [ids[part.id] for part in answered.parts] == ["f", "f", "g"]
    assert [part.content[0].text for part in answered.parts] == ["1", "2", "3"]
    assert answered.parts[0].id == asked.parts[0].id


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"output": "o"}, "o", False),
        ({"error": "e"}, "e", True),
        ({"output": {"a": 1}}, '{"output":{"a":1}}', False),
        ({"output": "o", "more": 1}, '{"output":"o","more":1}', False),
        ({"error": "x, y"}, "x, y", True),
        ({}, "{}", False),
    ],
)
def test_a_result_is_told_as_text(response: dict[str, Any], text: str, is_error: bool) -> None:
    part = {"functionResponse": {"name": "f", "response": response}}
    result = request({"contents": [{"parts": [part]}]}).messages[0].parts[0]
    assert isinstance(result, ToolCallResponse)
    assert (result.content[0].text, result.is_error) == (text, is_error)  # pyright: ignore[reportAttributeAccessIssue]


def test_an_edited_request_keeps_every_other_byte() -> None:
    body = (
        b'{"contents":[{"role":"user","parts":[{"text":"a","x": 1.50}],"y":2e1},{"role":"model","parts":[{"text":"b"}]}],'
        b'"generationConfig":{"temperature":0.50,"new": 1.0},"safetySettings":[ ]}'
    )
    before = GEMINI.decode_request(GEMINI.peek(body, STREAM))
    part = before.messages[0].parts[0].edit(text="A")
    edited = before.edit(messages=(before.messages[0].edit(parts=(part,)), before.messages[1]), max_tokens=7)
    fields = GEMINI.encode_request(edited, [])
    expected = body.replace(b'"text":"a"', b'"text":"A"').replace(b'"new": 1.0', b'"new": 1.0,"maxOutputTokens":7')
    assert msgspec.json.decode(encoded(fields)) == msgspec.json.decode(expected)
    assert b'"x":1.50' in encoded(fields)
    assert b"2e1" in encoded(fields)
    assert b"0.50" in encoded(fields)


def test_a_setting_taken_away_and_a_message_put_in() -> None:
    before = request({"contents": "hi", "generation_config": {"temperature": 1, "topK": 3}, "tools": [{"googleSearch": {}}]})
    assert [tool.kind for tool in before.tools] == ["googleSearch"]
    more = Message(role="assistant", parts=(Text(text="ja"), ToolCall(id="c", name="f", arguments='{"a":1}')))
    fields = GEMINI.encode_request(before.edit(messages=(*before.messages, more), temperature=None, tools=()), [])
    sent = msgspec.json.decode(encoded(fields))
    assert sent["generation_config"] == {"topK": 3}
    assert sent["contents"][1]["parts"][1] == {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}
    assert "tools" not in sent


def test_a_blocked_prompt_is_a_refusal_in_both_manners() -> None:
    body = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}}
    choice = GEMINI.decode_response(encoded(body)).choices[0]
    assert choice.finish_reason == "content_filter"
    assert choice.parts == (Text(text="The prompt was blocked: PROHIBITED_CONTENT", refusal=True),)
    found = events(body)
    assert isinstance(found[-1], End)
    assert Finish("content_filter") in found
    assert isinstance(found[1], PartStart)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("NEW_WORD", "stop"),
    ],
)
def test_a_finish_reason(word: str, expected: str) -> None:
    body = answer({"text": "x"}, finishReason=word)
    assert GEMINI.decode_response(encoded(body)).choices[0].finish_reason == expected
    assert Finish(expected) in events(body)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE", "OTHER"])
def test_an_answer_that_failed_is_none(word: str) -> None:
    body = answer({"text": "half"}, finishReason=word, finishMessage="why")
    with pytest.raises(UpstreamError, match=f"{word}: why") as raised:
        GEMINI.decode_response(encoded(body))
    assert raised.value.kind == "server"
    assert isinstance(events(body)[-1], Failure)


def test_a_stream_without_a_finish_reason_is_cut_and_its_usage_is_known() -> None:
    found = events({**answer({"text": "half"}), "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}})
    assert isinstance(found[-1], Failure)
    assert found[-1].error.kind == "cut"
    assert isinstance(found[-2], UsageEvent)
    assert (found[-2].usage.input_tokens, found[-2].usage.output_tokens) == (4, 2)


@pytest.mark.parametrize("wrapped", [False, True], ids=["chunk", "array"])
def test_an_error_inside_a_stream(wrapped: bool) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    decoder = GEMINI.decoder()
    data = encoded([error]) if wrapped else sse.event(encoded(answer({"text": "a"}))) + sse.event(encoded(error))
    last = [*decoder.feed(data), *decoder.close()][-1]
    assert isinstance(last, Failure)
    assert (last.error.kind, last.error.status) == ("overloaded", 503)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18}, (10, 8, 3, 0)),
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 15}, (10, 5, 3, 0)),
        (
            {"promptTokenCount": 10, "toolUsePromptTokenCount": 4, "candidatesTokenCount": 5, "cachedContentTokenCount": 6},
            (14, 5, 0, 6),
        ),
        ({"promptTokenCount": None}, (0, 0, 0, 0)),
    ],
)
def test_tokens_are_counted_once(usage: dict[str, Any], expected: tuple[int, ...]) -> None:
    found = GEMINI.usage(encoded({"usageMetadata": usage}))
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.reasoning, found.cache_read) == expected


def test_calls_without_ids_get_the_same_ones_each_time_and_others_in_the_next_answer() -> None:
    body = {**answer({"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}, finishReason="STOP"), "responseId": "r1"}
    first, again, other = (GEMINI.decode_response(encoded({**body, "responseId": id})) for id in ("r1", "r1", "r2"))
    ids = [part.id for part in first.choices[0].parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 2
    assert first.choices == again.choices
    assert not set(ids) & {part.id for part in other.choices[0].parts if isinstance(part, ToolCall)}
    assert [event.part.id for event in events(body) if isinstance(event, PartStart)] == ids  # pyright: ignore[reportAttributeAccessIssue]
    assert first.choices[0].finish_reason == "tool_calls"


def test_an_edited_answer_keeps_what_was_not_changed() -> None:
    body = {**answer({"text": "a", "x": 1}, finishReason="STOP", groundingMetadata={"g": 1}), "modelVersion": "m", "new": 2}
    response = GEMINI.decode_response(encoded(body))
    choice = response.choices[0]
    edited = response.edit(
        choices=(structs.replace(choice, parts=(choice.parts[0].edit(text="b"), Reasoning(text="t"))),), model="n"
    )
    written = msgspec.json.decode(GEMINI.encode_response(edited, request({"contents": []})))
    parts = [{"text": "b", "x": 1}, {"text": "t", "thought": True}]
    assert written == {**answer(*parts, finishReason="STOP", groundingMetadata={"g": 1}), "modelVersion": "n", "new": 2}


def test_log_probabilities_have_the_form_of_the_other_apis() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "e", "logProbability": -1}]}],
    }
    found = read_logprobs(Raw(encoded(result)))
    assert found is not None
    top = {"token": "e", "logprob": -1.0, "bytes": [101]}
    told = {"token": "é", "logprob": -0.5, "bytes": [195, 169], "top_logprobs": [top]}
    assert msgspec.json.decode(found) == {"content": [told], "refusal": None}
    assert write_logprobs(Raw(encoded([told])))["logprobsResult"]["chosenCandidates"] == result["chosenCandidates"]


@pytest.mark.parametrize(
    ("status", "message", "details", "kind"),
    [
        (400, "API key not valid. Please pass a valid API key.", [{"reason": "API_KEY_INVALID"}], "auth"),
        (429, "You exceeded your current quota", [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}], "quota"),
        (429, "Resource exhausted", [{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}], "rate_limited"),
        (400, "Request payload size exceeds the limit: 20971520 bytes.", [], "context"),
        (504, "Deadline expired", [], "timeout"),
        (400, "Function call is missing a thought_signature", ["no object", {"reason": 7}], "invalid"),
    ],
)
def test_an_error_is_called_by_its_kind(status: int, message: str, details: list[Any], kind: str) -> None:
    body = {"error": {"code": status, "message": message, "status": "X", "details": details}}
    assert GEMINI.decode_error(status, {}, encoded(body)).kind == kind


@pytest.mark.anyio
async def test_texts_are_embedded_by_gemini(stage: Any) -> None:
    stage.upstream.then(
        Script(body=b'{"embeddings":[{"values":[0.25,-1]},{"values":[1e-2]}],"usageMetadata":{"promptTokenCount":3}}')
    )
    asked = {"model": "google/gemini-embedding-1", "input": ["a", "b"], "dimensions": 2, "encoding_format": "float"}
    found = (await stage.client.post("/v1/embeddings", json=asked)).json()
    assert stage.upstream.last.path == "/v1beta/models/gemini-embedding-1:batchEmbedContents"
    one = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2, "model": "models/gemini-embedding-1"}
    assert stage.upstream.last.json() == {"requests": [one, {**one, "content": {"parts": [{"text": "b"}]}}]}
    assert [item["embedding"] for item in found["data"]] == [[0.25, -1], [0.01]]
    assert found["usage"]["prompt_tokens"] == 3
    refused = await stage.client.post("/v1/embeddings", json={**asked, "input": [[1, 2]]})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "input")


@pytest.mark.anyio
async def test_anthropics_count_is_asked_of_gemini(stage: Any) -> None:
    stage.upstream.then(Script(body=b'{"totalTokens":31}'))
    asked = {"model": "google/gemini-3-pro", "system": "S", "messages": [{"role": "user", "content": "hi"}]}
    assert (await stage.client.post("/v1/messages/count_tokens", json=asked)).json() == {"input_tokens": 31}
    whole = stage.upstream.last.json()["generateContentRequest"]
    assert whole["model"] == "models/gemini-3-pro"
    assert whole["systemInstruction"] == {"parts": [{"text": "S"}]}
