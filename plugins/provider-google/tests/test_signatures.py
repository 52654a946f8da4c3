"""A thought signature goes out to a client of each API and comes back to Gemini on the very part it came with.

Answers are hand-made from Google's guide to thought signatures: the first of parallel calls is signed, and so may be the last text.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.dialects import callids
from lynkr_core.dialects.fold import fold
from lynkr_core.testing.canned import CANNED, Script, encoded
from lynkr_core.testing.factories import find_dialect

SIGNED = base64.b64encode(bytes(range(250))).decode()
PARTS: list[dict[str, Any]] = [
    {"text": "let me look", "thought": True},
    {"functionCall": {"name": "weather", "args": {"city": "Zürich"}}, "thoughtSignature": SIGNED},
    {"functionCall": {"name": "weather", "args": {"city": "Bern"}}},
]
ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": PARTS}, "finishReason": "STOP"}], "responseId": "r1",
    "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 9},
}  # fmt: skip
PLAIN = Script(body=encoded(ANSWER))
STREAM = Script(events=(sse.event(encoded(ANSWER)),))
SAID = Script(body=encoded({"candidates": [{"content": {"parts": [{"text": "cold"}]}, "finishReason": "STOP"}]}))
TOOLS: dict[str, Any] = {
    "/v1/chat/completions": {"type": "function", "function": {"name": "weather"}},
    "/v1/responses": {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}},
    "/v1/messages": {"name": "weather", "input_schema": {"type": "object"}},
}
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}


def question(path: str, model: str, history: list[Any], stream: bool = False) -> dict[str, Any]:
    key = "input" if path.endswith("responses") else "messages"
    limit = {"max_tokens": 100} if path.endswith("messages") else {}
    return {"model": model, key: [{"role": "user", "content": "hi"}, *history], "tools": [TOOLS[path]], "stream": stream, **limit}


def history(path: str, answer: dict[str, Any]) -> list[Any]:
    """What a client sends back: the answer as it came, and a result for each call, in reverse."""
    if path.endswith("completions"):
        message = answer["choices"][0]["message"]
        calls = [{key: call[key] for key in ("id", "type", "function")} for call in message["tool_calls"]]  # drops unknown keys
        results = [{"role": "tool", "tool_call_id": call["id"], "content": call["function"]["arguments"]} for call in calls]
        return [{"role": "assistant", "content": message["content"], "tool_calls": calls}, *results[::-1]]
    if path.endswith("responses"):
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        results = [{"type": "function_call_output", "call_id": c["call_id"], "output": c["arguments"]} for c in calls]
        return [*answer["output"], *results[::-1]]
    calls = [block for block in answer["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": call["input"]["city"]} for call in calls]
    return [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": results[::-1]}]


async def asked(stage: Any, path: str, stream: bool) -> dict[str, Any]:
    """The first turn's answer as a whole, however it was sent."""
    stage.upstream.then(STREAM if stream else PLAIN)
    answer = await stage.client.post(path, json=question(path, "google/gemini-3-pro", [], stream))
    assert answer.status == 200, answer.text
    if not stream:
        return answer.json()
    dialect = find_dialect(FRONTS[path])
    decoder = dialect.decoder()
    response = fold([*decoder.feed(answer.body), *decoder.close()], dialect.name)
    request = dialect.decode_request(dialect.peek(msgspec.json.encode(question(path, "m", []))))
    return msgspec.json.decode(dialect.encode_response(response, request))


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("path", list(FRONTS))
async def test_the_signature_of_a_call_comes_back(stage: Any, path: str, stream: bool) -> None:
    told = history(path, await asked(stage, path, stream))
    stage.upstream.then(SAID)
    assert (await stage.client.post(path, json=question(path, "google/gemini-3-pro", told))).status == 200
    contents = stage.upstream.last.json()["contents"]
    calls = [part for part in contents[1]["parts"] if "functionCall" in part]
    results = [part["functionResponse"] for part in contents[2]["parts"]]
    assert [part.get("thoughtSignature") for part in calls] == [SIGNED, None]
    assert [part["functionCall"]["args"]["city"] for part in calls] == ["Zürich", "Bern"]
    assert [(one["id"], one["name"]) for one in results] == [(part["functionCall"]["id"], "weather") for part in calls]
    assert "Zürich" in str(results[0]["response"])


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "model"), [("/v1/chat/completions", "other/m"), ("/v1/messages", "claude/m"), ("/v1/messages", "other/m"),
                                             ("/v1/chat/completions", "claude/m")])  # fmt: skip
async def test_another_vendor_never_sees_a_signature(stage: Any, path: str, model: str) -> None:
    told = history(path, await asked(stage, path, False))
    answer = await stage.client.post(path, json=question(path, model, told))
    assert answer.status == 200, answer.text
    sent = stage.upstream.last.body
    assert b"lynkr" not in sent
    assert SIGNED[:40].encode() not in sent
    assert sent.count(b'"call_') == 4  # two calls and two results, by the same short ids


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
async def test_the_signature_of_a_text_comes_back(stage: Any, path: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [{"text": "It is cold."}, {"text": " Very.", "thoughtSignature": SIGNED}]
    whole = {**ANSWER, "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
    monkeypatch.setitem(globals(), "PLAIN", Script(body=encoded(whole)))
    monkeypatch.setitem(globals(), "STREAM", Script(events=(sse.event(encoded(whole)),)))
    told = history(path, await asked(stage, path, stream))
    told = [one for one in told if one.get("content") != []] + [{"role": "user", "content": "go on"}]
    stage.upstream.then(SAID)
    await stage.client.post(path, json=question(path, "google/gemini-3-pro", told))
    sent = stage.upstream.last.json()["contents"]
    assert [part for part in sent[1]["parts"] if part.get("thoughtSignature") == SIGNED and "Very." in part["text"]]
    await stage.client.post(path, json=question(path, "claude/m", told))
    assert SIGNED[:40].encode() not in stage.upstream.last.body


@pytest.mark.anyio
async def test_a_call_of_another_vendor_gets_the_stand_in_on_newer_models_only(stage: Any) -> None:
    call = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    told = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "x"},
    ]
    for model, id, signature in (("gemini-3-pro", "toolu_1", "skip_thought_signature_validator"), ("gemini-2.5-pro", None, None)):
        stage.upstream.then(SAID)
        await stage.client.post("/v1/chat/completions", json=question("/v1/chat/completions", f"google/{model}", told))
        asked, answered = (content["parts"][0] for content in stage.upstream.last.json()["contents"][1:])
        assert asked["functionCall"].get("id") == answered["functionResponse"].get("id") == id
        assert asked.get("thoughtSignature") == signature


@pytest.mark.parametrize("signature", [SIGNED, "plain text, no base64", "YQ==", "a", "skip_thought_signature_validator", "é"])
def test_an_id_gives_back_what_was_packed(signature: str) -> None:
    packed = callids.pack("call_1", signature)
    assert callids.unpack(packed) == ("call_1", signature)
    assert packed.replace("_", "").replace("-", "").isalnum()
    assert packed.isascii()


def test_a_text_that_speaks_of_ids_is_left_alone() -> None:
    body = encoded([{"id": callids.pack("a", SIGNED), "text": f"see {callids.pack('a', SIGNED)}"}])
    fields: dict[str, Any] = {"messages": msgspec.Raw(body)}
    assert callids.strip(fields, "messages")
    assert msgspec.json.decode(fields["messages"]) == [{"id": "a", "text": f"see {callids.pack('a', SIGNED)}"}]


@pytest.mark.anyio
async def test_a_gemini_caller_keeps_claudes_signature_and_google_never_sees_it(stage: Any) -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "claude-sig=="}
    whole = msgspec.json.decode(CANNED["anthropic.messages"].body)
    stage.upstream.then(Script(body=encoded({**whole, "content": [thinking, *whole["content"]]})))
    asked = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    answer = (await stage.client.post("/v1beta/models/claude/m:generateContent", json=asked)).json()
    content = answer["candidates"][0]["content"]
    base64.b64decode(content["parts"][0]["thoughtSignature"], validate=True)
    again = {"contents": [*asked["contents"], content, {"role": "user", "parts": [{"text": "on"}]}]}
    stage.upstream.always(CANNED["anthropic.messages"])
    await stage.client.post("/v1beta/models/claude/m:generateContent", json=again)
    assert stage.upstream.last.json()["messages"][1]["content"][0] == thinking
    stage.upstream.always(SAID)
    await stage.client.post("/v1beta/models/google/gemini-3-pro:generateContent", json=again)
    assert stage.upstream.last.json()["contents"][1]["parts"] == [{"text": content["parts"][1]["text"]}]
