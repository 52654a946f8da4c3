"""Bodies are hand-made from providers.md §5."""

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.dialects.openai_embeddings import OpenAIEmbeddings
from lynkr_core.errors import InvalidRequest, UpstreamError
from lynkr_core.request import Generic, Request, Usage

DIALECT = OpenAIEmbeddings()
ASKED = b'{"model":"e","input":["a","b"],"encoding_format":"base64","dimensions":1e2}'
DATA = b'[{"object":"embedding","index":0,"embedding":[1.50,-0.0]}]'
ANSWER = b'{"object":"list","data":%b,"model":"e-1","usage":{"prompt_tokens":8,"total_tokens":8}}' % DATA


def decode(body=ASKED):
    return DIALECT.decode_request(DIALECT.peek(body))


def encode(request):
    return msgspec.json.encode(DIALECT.encode_request(request, []))


def test_a_request_is_the_model_and_the_rest_as_it_came():
    request = decode()
    assert (request.model, request.stream, list(request.extra)) == ("e", False, ["input", "encoding_format", "dimensions"])
    assert encode(request) == ASKED


def test_an_edited_request_keeps_the_rest():
    assert encode(decode().edit(model="f")) == ASKED.replace(b'"e"', b'"f"')
    extra = {key: raw for key, raw in decode().extra.items() if key != "dimensions"} | {"user": Raw(b'"u"')}
    assert encode(decode().edit(extra=extra)) == b'{"model":"e","input":["a","b"],"encoding_format":"base64","user":"u"}'


@pytest.mark.parametrize(
    ("body", "param"), [(b'{"model":"e"}', "input"), (b'{"model":"e","input":5}', "input"), (b'{"input":"a"}', "model")]
)
def test_peek_says_what_is_wrong(body, param):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.peek(body)
    assert caught.value.param == param


def test_an_answer_passes_as_it_came_and_tells_its_usage():
    response = DIALECT.decode_response(ANSWER)
    assert isinstance(response.choices[0].parts[0], Generic)
    assert response.usage == DIALECT.usage(ANSWER) == Usage(input_tokens=8)
    assert DIALECT.encode_response(response, decode()) == ANSWER
    assert DIALECT.encode_response(response.edit(model="x"), decode()) == ANSWER.replace(b"e-1", b"x")


def test_an_answer_made_of_parts_has_the_vectors_byte_for_byte():
    response = msgspec.structs.replace(DIALECT.decode_response(ANSWER), native=None)
    assert b'"embedding":[1.50,-0.0]' in DIALECT.encode_response(response, decode())


def test_vectors_of_another_api_are_packed_when_base64_is_asked_for():
    response = msgspec.structs.replace(DIALECT.decode_response(ANSWER), native=None, dialect="other")
    assert b'"embedding":"AADAPwAAAIA="' in DIALECT.encode_response(response, decode())


@pytest.mark.parametrize("body", [b'{"error":{"message":"x"}}', b"<html>", b"", b"{}", b'{"data":null}'])
def test_what_is_no_answer_is_an_error(body):
    with pytest.raises(UpstreamError) as caught:
        DIALECT.decode_response(body)
    assert caught.value.kind == "server"


def test_there_are_no_streams_and_no_translations():
    for call in (DIALECT.decoder, lambda: DIALECT.encoder(decode(), DIALECT.peek(ASKED), 0)):
        with pytest.raises(InvalidRequest):
            call()
    with pytest.raises(InvalidRequest):
        DIALECT.encode_request(Request(dialect="openai.chat", model="m"), [])


def test_a_request_of_another_api_keeps_what_means_the_same():
    extra = {"input": Raw(b'["a"]'), "dimensions": Raw(b"8"), "truncate": Raw(b"true")}
    losses = []
    fields = DIALECT.encode_request(Request(dialect="other.embeddings", model="m", extra=extra), losses)
    assert msgspec.json.encode(fields) == b'{"model":"m","input":["a"],"dimensions":8}'
    assert losses == ["truncate: embeddings have no such parameter"]


def test_claims():
    assert DIALECT.claims({"model": 1, "input": 1}, {}) == 1
    assert DIALECT.claims({"model": 1, "messages": 1}, {}) == 0
