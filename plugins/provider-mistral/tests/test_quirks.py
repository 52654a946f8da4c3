from __future__ import annotations

from typing import Any

import msgspec
import pytest
from mistralai.client.models import ChatCompletionRequest

from lynkr_core.exchange import Candidate
from lynkr_core.testing.canned import encoded
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_mistral import Config, plugin

NO = "the provider has no such parameter"
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def chat(body: dict[str, Any], **settings: Any) -> tuple[dict[str, Any], list[str]]:
    return adapted(recorded(plugin, Config(**settings)), "openai.chat", body)


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        ({"seed": 7}, {"random_seed": 7}, []),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}, []),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, []),
        ({"logit_bias": {}, "user": None, "store": False}, {}, [f"logit_bias: {NO}", f"store: {NO}"]),
        ({"n": 2, "tool_choice": "required", "safe_prompt": True, "prompt_mode": "reasoning"},) * 2 + ([],),
    ],
)
def test_fields_that_mistral_does_not_know(before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert chat(before) == (after, losses)


def test_names_are_for_tools_only() -> None:
    user, tool = (
        {"role": "user", "content": "a", "name": "Ann"},
        {"role": "tool", "tool_call_id": "x", "content": "b", "name": "f"},
    )
    after, losses = chat({"messages": [user, tool]})
    assert after["messages"] == [{"role": "user", "content": "a"}, tool]
    assert losses == ["messages.name: the provider has no such key in user messages"]


def test_roles_empty_answers_and_reasoning() -> None:
    said = {"role": "assistant", "content": "a", "reasoning_content": "hm", "refusal": None}
    asked = {"role": "user", "content": "b"}
    after, losses = chat({"messages": [{"role": "developer", "content": "s"}, {"role": "assistant", "content": ""}, said, asked]})
    assert after["messages"] == [{"role": "system", "content": "s"}, {"role": "assistant", "content": "a"}, asked]
    assert losses == ["messages: earlier reasoning is refused by the provider"]


def test_a_last_answer_is_a_prefix() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert chat({"messages": messages})[0]["messages"][1] == {"role": "assistant", "content": "b", "prefix": True}


def test_its_own_content_goes_through_untouched() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    messages = [{"role": "assistant", "content": [thinking, {"type": "text", "text": "a"}]}, {"role": "user", "content": "b"}]
    assert chat({"messages": messages}) == ({"messages": messages}, [])


def test_words_that_its_schemas_do_not_have() -> None:
    schema = {"$schema": "x", "$id": "y", "type": "object", "properties": {}, "additionalProperties": False}
    function = {"name": "f", "parameters": schema, "strict": True}
    after, losses = chat({"tools": [{"type": "function", "function": function, "cache_control": {"type": "ephemeral"}}]})
    assert after["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    assert len(losses) == 5


def test_cache_marks_are_taken_out_of_content() -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    after, losses = chat({"messages": [{"role": "user", "content": [part]}]})
    assert after["messages"][0]["content"] == [{"type": "text", "text": "a"}]
    assert losses == ["messages.content.cache_control: the provider refuses it"]


def test_ids_are_short_when_that_is_asked_for() -> None:
    messages = [
        {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "user", "content": "y"},
    ]  # fmt: skip
    assert chat({"messages": messages}) == ({"messages": messages}, [])
    after, _ = chat({"messages": messages}, short_ids=True)
    ids = {after["messages"][0]["tool_calls"][0]["id"], after["messages"][1]["tool_call_id"]}
    assert [len(id) for id in ids] == [9]


def test_embeddings_have_names_of_their_own() -> None:
    body = {"model": "m", "input": "a", "dimensions": 3, "user": "u", "encoding_format": "base64"}
    after, losses = adapted(recorded(plugin, Config()), "openai.embeddings", body)
    assert after == {"model": "m", "input": "a", "output_dimension": 3, "encoding_format": "base64"}
    assert losses == [f"user: {NO}"]


def test_a_validation_error_is_an_invalid_request() -> None:
    # hand-made from mistralai 3.7.0: HTTPValidationError
    body = b'{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]}'
    provider, dialect = recorded(plugin, Config()), find_dialect("openai.chat")
    error = provider.classify(dialect, 422, {}, body)
    assert error.kind == "invalid"
    assert "Extra inputs" in error.message
    text = b'{"object":"error","message":"Service tier capacity exceeded","type":"service_tier_capacity_exceeded","code":"3505"}'
    assert provider.classify(dialect, 429, {}, text).kind in ("rate_limited", "overloaded")
    text = b'{"message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length","code":"3051"}'
    assert provider.classify(dialect, 400, {}, text).kind == "context"


@pytest.mark.parametrize("front", samples.DIALECTS)
def test_what_goes_out_for_every_front_is_what_the_sdk_knows(front: str) -> None:
    """Linted by the request type of mistralai 3.7.0, which like the API refuses what it does not know."""
    provider, dialect = recorded(plugin, Config()), find_dialect(front)
    for name, body in samples.requests(front).items():
        fields = find_dialect("openai.chat").encode_request(dialect.decode_request(dialect.peek(encoded(body))), [])
        provider.adapt(fields, Candidate(provider=provider, model="m"), find_dialect("openai.chat"), [])
        sent = msgspec.json.decode(msgspec.json.encode(fields))
        known = {field.alias or key for key, field in ChatCompletionRequest.model_fields.items()}
        assert sent.keys() <= known, name
        ChatCompletionRequest.model_validate(sent)
