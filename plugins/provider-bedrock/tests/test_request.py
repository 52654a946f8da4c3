from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from lynkr_core.request import Message, Part, Reasoning, Request, ToolCall, ToolCallResponse
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.factories import exchange, find_dialect
from lynkr_core.testing.rich import RICH
from lynkr_provider_bedrock.models import suit
from lynkr_provider_bedrock.request import encode_request

FRONTS = CHAT, MESSAGES, RESPONSES = ("openai.chat", "anthropic.messages", "openai.responses")
MAKERS = ["anthropic.claude-opus-4-8", "us.amazon.nova-pro-v1:0", "mistral.large", "cohere.command-r-v1:0", "openai.gpt-oss-120b-1:0",
          "meta.llama3-3-70b-instruct-v1:0", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"]  # fmt: skip
CLAUDE, NOVA, MISTRAL, COHERE, GPT, LLAMA, OPAQUE = MAKERS
PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQ="
EPHEMERAL = {"type": "ephemeral"}


def asked(front: str, body: dict[str, Any]) -> Request:
    return exchange(body, dialect=front).request


def written(front: str, model: str = CLAUDE, losses: list[str] | None = None, /, **body: Any) -> dict[str, Any]:
    """What goes to the model of a request with these keys."""
    told: list[str] = [] if losses is None else losses
    whole = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **body}
    fields = encode_request(asked(front, whole), told)
    suit(fields, model, told)
    return fields


def claude(**body: Any) -> dict[str, Any]:
    return {"model": "auto", "max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}], **body}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*content]}


def said(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [*content]}


def media(kind: str, mime: str, data: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "base64", "media_type": mime, "data": data}, **more}


USE = {"type": "tool_use", "id": "a 1", "name": "get.weather", "input": {"x": [1, None]}}
RESULT = {
    "type": "tool_result",
    "tool_use_id": "a 1",
    "content": [{"type": "text", "text": "3", "cache_control": EPHEMERAL}],
    "is_error": True,
}
RICHEST = claude(
    system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    messages=[
        user({"type": "text", "text": "look"}, media("image", "image/png", PNG), media("document", "application/pdf", PDF, title="a_b.pdf"),
             media("document", "application/pdf", PDF, title="a b.pdf"), {"type": "image", "source": {"type": "url", "url": "https://x.example/a"}}),
        said({"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "cmVk"}, USE,
             {**USE, "id": "b" * 70}),
        user({"type": "text", "text": "and?"}, RESULT,
             {**RESULT, "tool_use_id": "b" * 70, "content": [media("image", "image/webp", "UklG")]}),
        said({"type": "text", "text": "Sunny. "}), {"role": "user", "content": ""}, user({"type": "text", "text": " "}),
    ],
    tools=[{"name": "get.weather", "description": "", "input_schema": {"properties": {}}, "cache_control": EPHEMERAL},
           {"type": "web_search_20250305", "name": "web_search"}],
    tool_choice={"type": "any", "disable_parallel_tool_use": True}, temperature=0.5, top_p=0.5, top_k=7, stop_sequences=["END", "", "\n"],
    thinking={"type": "enabled", "budget_tokens": 20000}, metadata={"user_id": "u-1"}, service_tier="standard_only",
    output_config={"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"x": {"type": "object"}}}}},
    guardrailConfig={"guardrailIdentifier": "abc", "guardrailVersion": "1"}, x_unknown=1,
)  # fmt: skip


@pytest.mark.parametrize("model", MAKERS)
def test_the_richest_request_is_one_that_botocore_would_send(lint: Any, model: str) -> None:
    losses: list[str] = []
    fields = encode_request(asked(MESSAGES, RICHEST), losses)
    lint(fields, model)
    suit(fields, model, losses)
    body = lint(fields, model)
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert any(line.startswith("x_unknown") for line in losses)
    assert body["guardrailConfig"] == {"guardrailIdentifier": "abc", "guardrailVersion": "1"}


@pytest.mark.parametrize("model", [CLAUDE, LLAMA])
@pytest.mark.parametrize("front", FRONTS)
def test_every_sample_is_one_that_botocore_would_send(lint: Any, front: str, model: str) -> None:
    for body in samples.requests(front).values():
        fields = encode_request(asked(front, body), [])
        suit(fields, model, [])
        lint(fields, model)


@pytest.mark.parametrize("model", MAKERS)
@pytest.mark.parametrize("front", FRONTS)
def test_a_rich_answer_of_any_dialect_goes_back_as_history(lint: Any, front: str, model: str) -> None:
    parts = find_dialect(front).decode_response(RICH[front].body).choices[0].parts
    results = tuple(ToolCallResponse(id=part.id) for part in parts if isinstance(part, ToolCall))
    history = (Message(role="assistant", parts=parts), Message(role="tool", parts=results))
    losses: list[str] = []
    fields = encode_request(Request(dialect=front, model="m", messages=history), losses)
    suit(fields, model, losses)
    body = lint(fields, model)
    assert [use["toolUse"]["input"] for use in body["messages"][1]["content"] if "toolUse" in use] == [{"x": [1, None]}, {}]
    assert any(line.startswith("reasoning") for line in losses) == (front != MESSAGES)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["f", "g"]


def test_the_blocks_of_a_conversation() -> None:
    first, second, third, _ = encode_request(asked(MESSAGES, RICHEST), [])["messages"]
    text, image, document, other, url = first["content"]
    assert (text, image) == ({"text": "look"}, {"image": {"format": "png", "source": {"bytes": PNG}}})
    assert [document["document"]["name"], other["document"]["name"]] == ["a b", "a b 2"]
    assert url == {"text": "[image at https://x.example/a]"}
    assert second["content"][:2] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
    ]
    assert [next(iter(block)) for block in third["content"]] == ["toolResult", "cachePoint", "toolResult", "text"]
    assert third["content"][0]["toolResult"]["status"] == "error"
    assert third["content"][2]["toolResult"]["content"] == [{"image": {"format": "webp", "source": {"bytes": "UklG"}}}]


def test_cache_markers_become_cache_points() -> None:
    fields = encode_request(asked(MESSAGES, RICHEST), [])
    assert fields["system"] == [{"text": "be brief"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert fields["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}


@pytest.mark.parametrize(("model", "left"), [(CLAUDE, 3), (OPAQUE, 3), (NOVA, 2), (LLAMA, 0)])
def test_cache_points_go_only_where_they_are_taken(model: str, left: int) -> None:
    losses: list[str] = []
    fields = encode_request(asked(MESSAGES, RICHEST), losses)
    suit(fields, model, losses)
    blocks = (
        [block for turn in fields["messages"] for block in turn["content"]] + fields["system"] + fields["toolConfig"]["tools"]
    )
    assert sum("cachePoint" in block for block in blocks) == left
    assert any(line.startswith("cache_control") for line in losses) == (left < 3)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (CLAUDE, {"top_k": 5}),
        (NOVA, {"inferenceConfig": {"topK": 5}}),
        (MISTRAL, {"top_k": 5}),
        (COHERE, {"k": 5}),
        (LLAMA, None),
    ],
)
def test_top_k_is_said_in_the_models_words(model: str, expected: Any) -> None:
    losses: list[str] = []
    assert written(MESSAGES, model, losses, max_tokens=9, top_k=5).get("additionalModelRequestFields") == expected
    assert losses == ([] if expected else ["top_k: not known for this model"])


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        (CLAUDE, "high", {"thinking": {"type": "enabled", "budget_tokens": 16384}}),
        (OPAQUE, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}), (CLAUDE, "none", {"thinking": {"type": "disabled"}}),
        (GPT, "high", {"reasoning_effort": "high"}), (GPT, "medium", {"reasoning_effort": "medium"}), (GPT, "none", None),
        (NOVA, "high", None), (LLAMA, "none", None),
    ],
)  # fmt: skip
def test_effort_is_said_in_the_models_words(model: str, effort: str, expected: Any) -> None:
    losses: list[str] = []
    assert written(CHAT, model, losses, reasoning_effort=effort).get("additionalModelRequestFields") == expected
    assert bool(losses) == (model == NOVA)


def test_adaptive_thinking_and_its_effort_are_carried(lint: Any) -> None:
    body = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}, "max_tokens": 5000}
    fields = written(MESSAGES, CLAUDE, **body)
    assert fields["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}
    assert lint(fields)["outputConfig"] == {"effort": "max"}
    losses: list[str] = []
    assert "outputConfig" not in written(MESSAGES, LLAMA, losses, **body)
    assert any(line.startswith("reasoning") for line in losses)


def test_thinking_leaves_no_room_for_sampling_and_forced_tools() -> None:
    losses: list[str] = []
    tool = {"name": "f", "input_schema": {"type": "object"}}
    body = claude(thinking={"type": "enabled", "budget_tokens": 8500}, temperature=0.5, top_p=0.5, top_k=3, tools=[tool])
    fields = written(MESSAGES, CLAUDE, losses, **body, tool_choice={"type": "any"})
    assert fields["inferenceConfig"] == {"maxTokens": 9000}
    assert fields["additionalModelRequestFields"] == {"thinking": {"type": "enabled", "budget_tokens": 7976}}
    assert "toolChoice" not in fields["toolConfig"]
    assert sorted(line.partition(":")[0] for line in losses) == ["reasoning", "temperature", "tool_choice", "top_k", "top_p"]


@pytest.mark.parametrize(
    ("messages", "limit", "why"),
    [
        ([user({"type": "text", "text": "hi"}), said({"type": "text", "text": "{"})], 9000, "last message"),
        ([user({"type": "text", "text": "hi"}), said(USE), user(RESULT)], 9000, "tool loop"),
        ([user({"type": "text", "text": "hi"})], 1500, "no room"),
    ],
)
def test_thinking_is_off_where_it_is_refused(messages: list[Any], limit: int, why: str) -> None:
    losses: list[str] = []
    fields = written(
        MESSAGES, CLAUDE, losses, messages=messages, max_tokens=limit, thinking={"type": "enabled", "budget_tokens": 2000}
    )
    assert fields["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}
    assert any(why in line for line in losses)


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": samples.SCHEMA, "strict": True}}
FORCED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("model", "choice", "expected", "told"),
    [
        (CLAUDE, "auto", None, False), (LLAMA, "auto", None, False), (CLAUDE, "required", {"any": {}}, False),
        (CLAUDE, FORCED, {"tool": {"name": "f"}}, False), (MISTRAL, FORCED, {"any": {}}, True), (LLAMA, FORCED, None, True),
        (LLAMA, "required", None, True), (CLAUDE, {"type": "function", "function": {"name": "g"}}, None, True),
    ],
)  # fmt: skip
def test_a_forced_tool(model: str, choice: Any, expected: Any, told: bool) -> None:
    losses: list[str] = []
    config = written(CHAT, model, losses, tools=[FUNCTION], tool_choice=choice)["toolConfig"]
    assert config.get("toolChoice") == expected
    assert any(line.startswith("tool_choice") for line in losses) == told
    assert msgspec.json.decode(msgspec.json.encode(config["tools"])) == [
        {"toolSpec": {"name": "f", "inputSchema": {"json": samples.SCHEMA}, "strict": True}}
    ]


def test_forbidden_tools_are_left_out_unless_the_conversation_has_calls() -> None:
    losses: list[str] = []
    assert "toolConfig" not in written(CHAT, CLAUDE, losses, tools=[FUNCTION], tool_choice="none")
    assert losses == []
    history = samples.tool_results(CHAT)["messages"]
    assert "toolConfig" in written(CHAT, CLAUDE, losses, tools=[FUNCTION], tool_choice="none", messages=history)
    assert any(line.startswith("tool_choice") for line in losses)


def test_a_schema_for_the_answer_goes_natively_and_closed(lint: Any) -> None:
    losses: list[str] = []
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}, "enum": [{"type": "object"}]}
    format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    told = lint(written(CHAT, CLAUDE, losses, response_format=format))["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert told["name"] == "answer"
    assert told["schema"].count('"additionalProperties":false') == 2
    assert '"enum":[{"type":"object"}]' in told["schema"]
    assert [line.partition(":")[0] for line in losses] == ["response_format"]


def test_any_json_is_asked_for_in_words() -> None:
    losses: list[str] = []
    assert "JSON" in written(CHAT, CLAUDE, losses, response_format={"type": "json_object"})["system"][0]["text"]
    assert [line.partition(":")[0] for line in losses] == ["response_format"]


def test_settings_have_their_places(lint: Any) -> None:
    losses: list[str] = []
    more = {"temperature": 1.5, "top_p": 0.75, "max_tokens": 77, "stop": ["END", ""], "service_tier": "flex", "user": "u 1"}
    fields = lint(written(CHAT, CLAUDE, losses, **more, metadata={"k": "v", "bad": "ü"}))
    assert fields["inferenceConfig"] == {"maxTokens": 77, "temperature": 1.0, "topP": 0.75, "stopSequences": ["END"]}
    assert (fields["serviceTier"], fields["requestMetadata"]) == ({"type": "flex"}, {"k": "v", "user_id": "u 1"})
    assert fields["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert sorted(line.partition(":")[0] for line in losses) == ["metadata", "temperature"]


LOST = {"seed": 0, "frequency_penalty": 0.5, "presence_penalty": 0.5, "logprobs": True, "top_logprobs": 2, "n": 2, "logit_bias": {"1": 2},
        "prompt_cache_key": "k", "service_tier": "scale", "store": True, "parallel_tool_calls": False}  # fmt: skip


@pytest.mark.parametrize("key", LOST)
def test_what_has_no_place_is_told(key: str) -> None:
    losses: list[str] = []
    written(CHAT, CLAUDE, losses, tools=[FUNCTION], **{key: LOST[key]})
    assert [line.partition(":")[0] for line in losses] == [{"prompt_cache_key": "cache_key"}.get(key, key)]


def test_the_callers_own_words_win() -> None:
    own = {
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 5}, "x": 2.50},
        "serviceTier": {"type": "reserved"},
    }
    fields = written(MESSAGES, CLAUDE, max_tokens=9, top_k=3, service_tier="auto", **own)
    more = fields["additionalModelRequestFields"]
    assert (more["top_k"], bytes(more["thinking"])) == (3, b'{"type":"enabled","budget_tokens":5}')
    assert bytes(fields["serviceTier"]) == b'{"type":"reserved"}'


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{PNG}"}}, {"video": {"format": "mp4", "source": {"bytes": PNG}}}),
        ({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}, {"audio": {"format": "wav", "source": {"bytes": PNG}}}),
        ({"type": "image_url", "image_url": {"url": "s3://bucket/a.jpg"}}, {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.jpg"}}}}),
        ({"type": "image_url", "image_url": {"url": f"data:;base64,{PNG}"}}, {"image": {"format": "png", "source": {"bytes": PNG}}}),
        ({"type": "file", "file": {"filename": "n.md", "file_data": f"data:text/markdown;base64,{PNG}"}},
         {"document": {"format": "md", "name": "n", "source": {"bytes": PNG}}}),
    ],
)  # fmt: skip
def test_media_of_each_kind(lint: Any, part: dict[str, Any], block: dict[str, Any]) -> None:
    losses: list[str] = []
    fields = written(CHAT, NOVA, losses, messages=[user(part)])
    assert lint(fields)["messages"][0]["content"][0] == block
    assert losses == []


@pytest.mark.parametrize("mime", ["image/tiff", "image/svg+xml"])
def test_a_picture_of_a_foreign_format_is_told(mime: str) -> None:
    losses: list[str] = []
    data = base64.b64encode(b"II*").decode()
    fields = written(MESSAGES, CLAUDE, losses, max_tokens=9, messages=[user(media("image", mime, data))])
    assert fields["messages"][0]["content"] == [{"text": "[image that cannot be shown here]"}]
    assert losses == [f"image: Converse does not take {mime}"]


@pytest.mark.parametrize(
    "part",
    [
        Reasoning(text="x"),
        Reasoning(encrypted="gAAAAx"),
        Reasoning(encrypted="YQ==", id="rs_1"),
        Reasoning(text="x", signature="lynkr-a"),
    ],
)
def test_reasoning_of_other_vendors_is_not_sent(part: Part) -> None:
    losses: list[str] = []
    history = (Message(role="user"), Message(role="assistant", parts=(part,)))
    fields = encode_request(Request(dialect=CHAT, model="m", messages=history), losses)
    assert "reasoningContent" not in str(fields)
    assert any(line.startswith("reasoning") for line in losses)
