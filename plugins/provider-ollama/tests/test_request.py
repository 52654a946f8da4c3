"""Requests of callers who speak Ollama's native API. Bodies are hand-made from its API reference, as its Python client 0.6.3 writes them."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, Text, ToolCall, ToolCallResponse
from lynkr_core.testing import factories
from lynkr_provider_ollama.dialect import Ollama
from lynkr_provider_ollama.generate import OllamaGenerate

DIALECT = Ollama()
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": name, "arguments": {"n": 1}}} for name in "fgf"],
}
BODY = b"""{"model":"m","options":{"temperature":0.50,"num_ctx":4096,"num_predict":-1},"x":1.0e2,
 "messages":[{"role":"user","content":"a","y":2.50},{"role":"user","content":"b"}],"stream":false}"""


def read(body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECT.decode_request(DIALECT.peek(raw))


def conversation(*messages, **more):
    return read({"model": "m", "messages": [*messages], **more})


def written(request):
    return msgspec.json.encode(DIALECT.encode_request(request, []))


@pytest.mark.parametrize(
    ("said", "streams"), [({}, True), ({"stream": None}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_it_streams_unless_told_not_to(said, streams):
    envelope = DIALECT.peek(json.dumps({"model": "m", "messages": [], **said}).encode())
    assert envelope.stream is streams
    assert DIALECT.decode_request(envelope).stream is streams


def test_results_find_their_calls_by_name_then_by_order():
    results = [
        {"role": "tool", "tool_name": "g", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "tool", "content": "3"},
    ]
    request = conversation(CALLED, *results, CALLED, {"role": "tool", "tool_name": "f", "content": "4"})
    calls = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    answered = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolCallResponse)]
    assert len(set(calls)) == 6
    assert answered == [calls[1], calls[0], calls[2], calls[3]]
    assert [message.parts[0].name for message in request.messages[1:4]] == ["g", "f", "f"]


def test_ids_are_the_same_each_time_and_the_callers_own_where_there_are_some():
    own = {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}
    result = {"role": "tool", "tool_call_id": "a", "content": "1"}
    first, second = [conversation(CALLED, own, result) for _ in range(2)]
    assert first == second
    assert first.messages[2].parts[0].id == first.messages[1].parts[0].id == "a"


def test_images_have_the_type_that_their_bytes_tell():
    images = ["iVBORw0KGgo=", "/9j/4AAQ", "R0lGODlh", "UklGRiQA", "AAAA", "data:image/bmp;base64,Qk0="]
    (message,) = conversation({"role": "user", "content": "look", "images": images}).messages
    assert message.parts[0] == Text(text="look")
    blobs = [part for part in message.parts if isinstance(part, Blob)]
    kinds = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/*", "image/bmp"]
    assert [(blob.mime_type, blob.data) for blob in blobs] == list(zip(kinds, [*images[:5], "Qk0="], strict=True))


def test_what_only_ollama_knows_has_its_path():
    request = read(BODY)
    assert (request.temperature, request.max_tokens) == (0.5, None)
    assert {key: bytes(raw) for key, raw in request.extra.items()} == {
        "options.num_ctx": b"4096", "options.num_predict": b"-1", "x": b"1.0e2",
    }  # fmt: skip
    losses = []
    factories.find_dialect("openai.chat").encode_request(request, losses)
    assert [line.partition(":")[0] for line in losses] == ["options.num_ctx", "options.num_predict", "x"]


def test_an_edit_leaves_every_other_byte_as_it_came():
    request = read(BODY)
    edited = request.edit(messages=(request.messages[0], request.messages[1].edit(parts=(Text(text="c"),))))
    fields = json.loads(written(edited))
    assert b'{"role":"user","content":"a","y":2.50}' in written(edited)
    assert fields["messages"][1] == {"role": "user", "content": "c"}
    assert b'"temperature":0.50,"num_ctx":4096,"num_predict":-1' in written(edited)


def test_an_edit_of_a_setting_is_made_in_its_place():
    request = read(BODY)
    fields = json.loads(written(request.edit(temperature=None, max_tokens=5, stream=True, model="n")))
    assert fields["options"] == {"num_ctx": 4096, "num_predict": 5}
    assert (fields["stream"], fields["model"], fields["x"]) == (True, "n", 100.0)
    assert json.loads(written(request.edit(extra={})))["options"] == {"temperature": 0.5}


def test_an_edited_call_has_no_id_that_was_only_counted():
    request = conversation(CALLED, {"role": "tool", "content": "long"})
    message, result = request.messages
    call = message.parts[0].edit(arguments='{"n": 2}')
    short = result.edit(parts=(result.parts[0].edit(content=(Text(text="short"),)),))
    fields = json.loads(written(request.edit(messages=(message.edit(parts=(call, *message.parts[1:])), short))))
    assert fields["messages"][0]["tool_calls"][0] == {"function": {"name": "f", "arguments": {"n": 2}}}
    assert fields["messages"][0]["tool_calls"][1:] == CALLED["tool_calls"][1:]
    assert fields["messages"][1] == {"role": "tool", "content": "short", "tool_name": "f"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m", "messages": "hi"}, "messages"),
        ({"model": "", "messages": []}, "model"),
        ({"model": "m", "messages": [], "stream": 1}, "stream"),
        ({"model": "m", "messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "user", "images": "x"}]}, "messages[0].images"),
        ({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
         "messages[0].tool_calls[0].function.arguments"),
        ({"model": "m", "messages": [], "options": []}, "options"),
        ({"model": "m", "messages": [], "options": {"stop": "END"}}, "options.stop"),
        ({"model": "m", "messages": [], "options": {"seed": "x"}}, "options.seed"),
        ({"model": "m", "messages": [], "format": "xml"}, "format"),
        ({"model": "m", "messages": [], "think": 1}, "think"),
        ({"model": "m", "messages": [], "tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(body, param):
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    assert caught.value.param == param


def test_arguments_that_are_no_text_are_a_mistake():
    body = b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"x":"\xff"}}}]}]}'
    with pytest.raises(InvalidRequest, match="arguments"):
        read(body)


def test_whole_numbers_may_have_a_point():
    assert conversation(options={"num_predict": 100.0}).max_tokens == 100


def test_a_prompt_is_a_conversation():
    generate = OllamaGenerate()
    body = b'{"model":"m","prompt":"hi","system":"s","images":["iVBOR"],"suffix":"}","options":{"num_ctx":8,"seed":1}}'
    request = generate.decode_request(generate.peek(body))
    assert (request.system[0].text, request.messages[0].text, request.seed, request.stream) == ("s", "hi", 1, True)
    assert list(request.extra) == ["suffix", "options.num_ctx"]
    edited = request.edit(messages=(request.messages[0].edit(parts=(Text(text="ho"),)),), seed=2)
    fields = json.loads(msgspec.json.encode(generate.encode_request(edited, [])))
    assert fields["prompt"] == "ho"
    assert (fields["options"], fields["suffix"], "images" in fields) == ({"num_ctx": 8, "seed": 2}, "}", False)


def test_another_apis_request_is_no_prompt():
    with pytest.raises(InvalidRequest, match="/api/generate"):
        OllamaGenerate().encode_request(conversation(), [])


def test_it_knows_its_requests():
    fields = {"model": Raw(b'"m"'), "messages": Raw(b"[]")}
    assert DIALECT.claims({**fields, "options": Raw(b"{}")}, {}) == 3
    assert DIALECT.claims(fields, {}) == 0
    assert OllamaGenerate().claims({"model": 1, "prompt": 1}, {}) == 1
