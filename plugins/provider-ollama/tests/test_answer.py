"""Answers and streams. Lines are hand-made from Ollama's API reference, as its Python client 0.6.3 reads them."""

from __future__ import annotations

import json

import msgspec
import ollama
import pytest
from msgspec import Raw

from lynkr_core.dialects.fold import fold, unfold
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, End, Failure, PartStart
from lynkr_core.request import Choice, Generic, Reasoning, Response, Text, ToolCall, Usage
from lynkr_core.testing import factories
from lynkr_provider_ollama.dialect import Ollama
from lynkr_provider_ollama.embeddings import OllamaEmbeddings

DIALECT = Ollama()
CALL = {"function": {"name": "f", "arguments": {"x": 1}}}
OVER = {
    "error": {
        "code": 400,
        "message": "request (9 tokens) exceeds the available context size",
        "type": "exceed_context_size_error",
    }
}


def line(done=False, **message):
    return json.dumps({"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": done}).encode() + b"\n"


def told(*parts, reason="stop", **more):
    """An answer of another provider, as the client reads it: whole, and gathered from a stream."""
    response = Response(
        dialect="x", id="1", model="m", choices=(Choice(parts=parts, finish_reason=reason, **more),), usage=Usage()
    )
    request = DIALECT.decode_request(DIALECT.peek(b'{"model":"m","messages":[]}'))
    whole = json.loads(DIALECT.encode_response(response, request))
    encoder = DIALECT.encoder(request, DIALECT.peek(b'{"model":"m","messages":[]}'), 1)
    lines = b"".join([encoder.encode(event) for event in unfold(response)]).splitlines()
    return ollama.ChatResponse(**whole), [ollama.ChatResponse(**json.loads(line)) for line in lines]


def decoded(*pieces):
    decoder = DIALECT.decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def test_a_call_without_an_id_gets_one_of_its_own():
    parts = [DIALECT.decode_response(line(True, tool_calls=[CALL, CALL])).choices[0].parts for _ in range(2)]
    ids = {part.id for found in parts for part in found}
    assert len(ids) == 4
    assert all(id.startswith("call_") for id in ids)
    streamed = fold(decoded(line(tool_calls=[CALL]), line(tool_calls=[CALL]), line(True)))
    assert len({part.id for part in streamed.choices[0].parts}) == 2
    assert streamed.choices[0].finish_reason == "tool_calls"


def test_an_answer_that_is_not_done_is_half_an_answer():
    with pytest.raises(UpstreamError) as caught:
        DIALECT.decode_response(line(content="Hel"))
    assert caught.value.kind == "cut"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"error":"model runner has unexpectedly stopped"}', "server", "unexpectedly stopped"),
        (json.dumps({"error": json.dumps(OVER)}).encode(), "context", "exceeds the available"),
        (b"[]", "server", "Ollama"),
        (b"{}", "server", "no message"),
        (b"<html>", "server", "not JSON"),
        (b"", "server", "empty"),
        (line(True, tool_calls=[{"function": {"name": "f", "arguments": "x"}}]), "server", "arguments"),
        (
            line(True, tool_calls=[{"function": {"name": "f", "arguments": {"x": "y"}}}]).replace(b"y", b"\xff"),
            "server",
            "arguments",
        ),
    ],
)
def test_an_error_or_garbage_inside_a_200(body, kind, words):
    with pytest.raises(UpstreamError, match=words) as caught:
        DIALECT.decode_response(body)
    assert caught.value.kind == kind
    last = decoded(line(content="a"), body.replace(b"\n", b"") + b"\n", line(True))[-1]
    assert isinstance(last, Failure) or not body


def test_an_error_in_the_stream_ends_it():
    *_, last = decoded(line(content="Hel"), b'{"error":"out of memory"}\n', line(True))
    assert isinstance(last, Failure)
    assert (last.error.kind, last.error.message) == ("server", "out of memory")


@pytest.mark.parametrize("rest", [b"", line(content="lo"), line(True)[:-9], b'{"error":'])
def test_a_stream_without_its_last_line_is_cut(rest):
    *_, last = decoded(line(content="Hel"), rest)
    assert isinstance(last, Failure)
    assert last.error.kind == "cut"


def test_the_last_line_may_have_no_end_and_empty_ones_count_for_nothing():
    events = decoded(b"\n", line(content="Hel"), b"\r\n \n", line(True)[:-1])
    assert isinstance(events[-1], End)
    assert fold(events).choices[0].parts == (Text(text="Hel"),)


def test_thinking_text_and_images_are_parts_in_their_order():
    events = decoded(line(thinking="hm"), line(thinking="m", content="so"), line(images=["iVBOR"]), line(content="!"), line(True))
    assert [type(event.part).__name__ for event in events if isinstance(event, PartStart)] == [
        "Reasoning",
        "Text",
        "Blob",
        "Text",
    ]
    assert [event.value for event in events if isinstance(event, Delta)] == ["hm", "m", "so", "!"]


def test_a_model_that_was_only_loaded_says_nothing():
    response = DIALECT.decode_response(
        b'{"model":"m","message":{"role":"assistant","content":""},"done_reason":"load","done":true}'
    )
    assert (response.choices[0].parts, response.choices[0].finish_reason, response.usage) == ((), "stop", None)


def test_an_endless_line_is_refused():
    decoder = DIALECT.decoder()
    events = [event for _ in range(9) for event in decoder.feed(b"x" * 1024 * 1024)]
    assert [type(event) for event in events] == [Failure]


# towards the caller
def test_thinking_text_and_calls_reach_the_client():
    parts = (
        Reasoning(text="hm", signature="s"),
        Text(text="so"),
        Text(text="!"),
        ToolCall(id="a", name="f", arguments='{"x": 1.50}'),
    )
    whole, stream = told(*parts, reason="tool_calls")
    assert (whole.message.thinking, whole.message.content, whole.done_reason) == ("hm", "so!", "stop")
    assert "".join(piece.message.content for piece in stream) == "so!"
    assert "".join(piece.message.thinking or "" for piece in stream) == "hm"
    calls = [call for piece in stream for call in piece.message.tool_calls or ()]
    assert calls == list(whole.message.tool_calls)
    assert (calls[0].function.name, calls[0].function.arguments) == ("f", {"x": 1.5})


@pytest.mark.parametrize(("kind", "written"), [("custom", "*** free"), ("custom", '{"x": 1}'), ("function", '{"x": 1')])
def test_arguments_that_are_no_object_are_not_lost(kind, written):
    whole, stream = told(ToolCall(id="a", name="f", kind=kind, arguments=written))
    for answer in (whole, next(piece for piece in stream if piece.message.tool_calls)):
        assert answer.message.tool_calls[0].function.arguments == {"input": written}


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "error"])
def test_the_end_has_its_reason(reason):
    whole, stream = told(Text(text="so"), reason=reason)
    assert whole.done_reason == stream[-1].done_reason == reason


@pytest.mark.parametrize("form", [b"[%b]", b'{"content":[%b],"refusal":null}'])
def test_log_probabilities_reach_the_client_in_its_form(form):
    chance = b'{"token":"so","logprob":-0.1,"bytes":[115,111],"top_logprobs":[{"token":"so","logprob":-0.1}]}'
    whole, stream = told(Text(text="so"), logprobs=Raw(form % chance))
    assert whole.logprobs[0].top_logprobs[0].token == "so"
    assert [piece.logprobs for piece in stream if piece.logprobs] == [whole.logprobs]


def test_log_probabilities_reach_other_callers_in_theirs():
    body = line(True, content="so").replace(b'"done"', b'"logprobs":[{"token":"so","logprob":-0.1}],"done"')
    chat = factories.find_dialect("openai.chat")
    request = chat.decode_request(chat.peek(b'{"model":"m","messages":[]}'))
    answer = json.loads(chat.encode_response(DIALECT.decode_response(body), request))
    assert answer["choices"][0]["logprobs"]["content"] == [{"token": "so", "logprob": -0.1}]


def test_an_edited_answer_keeps_the_rest():
    body = line(True, content="Hello").replace(b'"done"', b'"load_duration":1.50,"done"')
    response = DIALECT.decode_response(body)
    choice = response.choices[0].edit(parts=(Text(text="Ho"),))
    again = DIALECT.encode_response(response.edit(choices=(choice,), model="n"), None)
    assert b'"load_duration":1.50' in again
    assert (json.loads(again)["message"], json.loads(again)["model"]) == ({"role": "assistant", "content": "Ho"}, "n")


def test_vectors_travel_in_openais_form_and_back():
    dialect = OllamaEmbeddings()
    response = dialect.decode_response(b'{"model":"m","embeddings":[[0.50,1],[2]],"prompt_eval_count":3}')
    (part,) = response.choices[0].parts
    assert part.native == Raw(
        b'[{"object":"embedding","index":0,"embedding":[0.50,1]},{"object":"embedding","index":1,"embedding":[2]}]'
    )
    packed = Generic(type="embeddings", native=Raw(b'[{"embedding":"AAAAPwAAgD8="},{"embedding":[2.50]}]'))
    made = Response(dialect="x", id="", model="m", choices=(Choice(parts=(packed,)),), usage=Usage(input_tokens=3))
    assert dialect.encode_response(made, None) == b'{"model":"m","embeddings":[[0.5,1.0],[2.50]],"prompt_eval_count":3}'


def test_openais_embeddings_are_asked_for_natively():
    front, losses = factories.find_dialect("openai.embeddings"), []
    request = front.decode_request(
        front.peek(b'{"model":"m","input":["a"],"dimensions":8,"encoding_format":"base64","user":"u"}')
    )
    fields = msgspec.json.encode(OllamaEmbeddings().encode_request(request, losses))
    assert fields == b'{"model":"m","input":["a"],"dimensions":8}'
    assert losses == ["user: Ollama has no such parameter"]
