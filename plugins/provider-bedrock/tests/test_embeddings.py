from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_core import InvalidRequest, UpstreamError
from lynkr_core.testing.contracts import fuzz
from lynkr_core.testing.factories import exchange
from lynkr_provider_bedrock.embeddings import Embeddings, suit

DIALECT = Embeddings()
# hand-made from AWS's "Titan Embeddings" and "Cohere Embed" pages
TITAN = {"embedding": [0.25, -0.5], "inputTextTokenCount": 3, "embeddingsByType": {"float": [0.25, -0.5]}}
COHERE = {"id": "1", "texts": ["a", "b"], "response_type": "embeddings_floats", "embeddings": [[0.25], [0.5]]}


def written(model: str, losses: list[str], **body: Any) -> dict[str, Any]:
    request = exchange({"model": "m", "input": "hi", **body}, dialect="openai.embeddings").request
    fields = DIALECT.encode_request(request, losses)
    suit(fields, model, losses)
    return msgspec.json.decode(msgspec.json.encode(fields))


@pytest.mark.parametrize("body", [TITAN, COHERE, {**COHERE, "embeddings": {"float": [[0.25], [0.5]]}}])
def test_vectors_in_the_order_of_the_texts(body: dict[str, Any]) -> None:
    response = DIALECT.decode_response(msgspec.json.encode(body))
    data = msgspec.json.decode(response.choices[0].parts[0].native)
    assert [one["embedding"] for one in data] == ([[0.25, -0.5]] if body is TITAN else [[0.25], [0.5]])
    assert [one["index"] for one in data] == list(range(len(data)))
    assert (response.usage is not None) == (body is TITAN)


def test_cohere_takes_many_texts_and_its_own_words() -> None:
    losses: list[str] = []
    body = written(
        "us.cohere.embed-v4:0", losses, input=["a", "b"], input_type="search_query", truncate="END", normalize=True, user="u"
    )
    assert body == {"texts": ["a", "b"], "input_type": "search_query", "truncate": "END"}
    assert [line.partition(":")[0] for line in losses] == ["user", "normalize"]


def test_what_titan_has_no_place_for_is_told() -> None:
    losses: list[str] = []
    body = written("amazon.titan-embed-text-v2:0", losses, input_type="query", normalize=False, x_new=1, dimensions=None)
    assert body == {"inputText": "hi", "normalize": False}
    assert sorted(line.partition(":")[0] for line in losses) == ["input_type", "x_new"]


def test_several_texts_are_refused_by_the_model_s_name() -> None:
    with pytest.raises(InvalidRequest, match="titan-embed-text-v2:0 takes one text in each request, not 2"):
        written("amazon.titan-embed-text-v2:0", [], input=["a", "b"])


def test_a_broken_answer_raises_nothing_but_an_upstream_error() -> None:
    for sample in (TITAN, COHERE):
        for place, body in fuzz.mutations(msgspec.json.encode(sample)):
            try:
                DIALECT.decode_response(body)
            except UpstreamError:
                continue
            except Exception as error:
                raise AssertionError(f"{place}: {error!r}") from error
    for body in (*fuzz.NO_OBJECTS, b"{}", b'{"embeddings":{"int8":[[1]]}}', b'{"message":"gone wrong"}'):
        with pytest.raises(UpstreamError):
            DIALECT.decode_response(body)
