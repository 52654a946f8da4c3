"""Other dialects' requests as Cohere's, linted by the types of Cohere's SDK, and its answers for their callers."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest
from cohere import ClientV2, SystemChatMessageV2, UserChatMessageV2
from cohere.types import AssistantChatMessageV2, Thinking, ToolChatMessageV2, ToolV2

from lynkr_core.dialect import Dialect
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Reasoning, Request, Text
from lynkr_core.testing.contracts import samples
from lynkr_core.testing.factories import find_dialect
from lynkr_provider_cohere.dialect import Cohere

COHERE = Cohere()
SHAPES: Any = {
    "system": SystemChatMessageV2,
    "user": UserChatMessageV2,
    "assistant": AssistantChatMessageV2,
    "tool": ToolChatMessageV2,
}
PIXEL = "iVBORw0KGgo="
WEATHER = {"name": "get_weather", "description": "d", "parameters": {"type": "object", "properties": {}}}


def lint(body: dict[str, Any]) -> dict[str, Any]:
    """Fails for a key that the SDK's types do not have, and for a value of another type."""
    assert body.keys() <= inspect.signature(ClientV2.chat_stream).parameters.keys() | {"stream"}
    for message in body["messages"]:
        checked = SHAPES[message["role"]].model_validate(message)
        assert not checked.model_extra, message
    for tool in body.get("tools", ()):
        assert not ToolV2.model_validate(tool).model_extra
        assert set(tool["function"]) <= {"name", "description", "parameters"}
    Thinking.model_validate(body.get("thinking", {"type": "enabled"}))
    assert body.get("tool_choice") in (None, "REQUIRED", "NONE")
    return body


def decoded(front: str, body: dict[str, Any]) -> Request:
    dialect = find_dialect(front)
    return dialect.decode_request(dialect.peek(msgspec.json.encode(body)))


def sent(front: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    losses: list[str] = []
    fields = COHERE.encode_request(decoded(front, body), losses)
    return lint(msgspec.json.decode(msgspec.json.encode(fields))), losses


def chat(*messages: dict[str, Any], **more: Any) -> tuple[dict[str, Any], list[str]]:
    return sent("openai.chat", {"model": "m", "messages": list(messages), **more})


def claude(*messages: dict[str, Any], **more: Any) -> tuple[dict[str, Any], list[str]]:
    return sent("anthropic.messages", {"model": "m", "max_tokens": 9, "messages": list(messages), **more})


ASKED = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("front", samples.DIALECTS)
def test_every_front_can_ask(front: str) -> None:
    for body in samples.requests(front).values():
        _, losses = sent(front, body)
        assert losses == []


@pytest.mark.parametrize(
    ("more", "expected", "losses"),
    [
        ({"max_completion_tokens": 5, "top_p": 0.5, "seed": 7, "stop": "END"},
         {"max_tokens": 5, "p": 0.5, "seed": 7, "stop_sequences": ["END"]}, []),
        ({"top_p": 1}, {"p": 0.99}, ["top_p: 1 is out of Cohere's range, 0.99 was sent"]),
        ({"presence_penalty": -0.5}, {"presence_penalty": 0.0}, ["presence_penalty: -0.5 is out of Cohere's range, 0 was sent"]),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True}, ["top_logprobs: Cohere has no such parameter"]),
        ({"n": 2, "user": "u"}, {}, ["user: Cohere has no such parameter", "n: Cohere gives one answer"]),
        ({"stop": list("abcdef")}, {"stop_sequences": list("abcde")}, ["stop: Cohere takes 5 sequences, the others were left out"]),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, []),
        (
            {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "token_budget": 2048}},
            ["reasoning.effort: told as a budget of thinking tokens"],
        ),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}, []),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}},
            {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}}, [],
        ),
        ({"store": False}, {}, ["store: Cohere has no such parameter"]),
    ],
)  # fmt: skip
def test_settings(more: dict[str, Any], expected: dict[str, Any], losses: list[str]) -> None:
    assert chat(ASKED, **more) == ({"model": "m", "messages": [ASKED], **expected}, losses)


def tools(*names: str, **function: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {**WEATHER, "name": name, **function}} for name in names]


@pytest.mark.parametrize(("choice", "expected"), [("auto", None), ("required", "REQUIRED"), ("none", "NONE")])
def test_choices_between_tools(choice: str, expected: str | None) -> None:
    body, losses = chat(ASKED, tools=tools("a", "b"), tool_choice=choice, parallel_tool_calls=False)
    assert (body.get("tool_choice"), len(body["tools"])) == (expected, 2)
    assert losses == ["parallel_tool_calls: Cohere has no such parameter"]


def test_one_tool_by_its_name_is_the_only_one() -> None:
    named: Any = {"type": "function", "function": {"name": "b"}}
    body, losses = chat(ASKED, tools=tools("a", "b"), tool_choice=named)
    assert (body["tool_choice"], [tool["function"]["name"] for tool in body["tools"]]) == ("REQUIRED", ["b"])
    assert losses == ["tool_choice: told as the only tool, which is required"]


def test_strictness_is_of_all_tools_or_none() -> None:
    assert chat(ASKED, tools=tools("a", strict=True))[0]["strict_tools"] is True
    body, losses = chat(ASKED, tools=[*tools("a", strict=True), *tools("b")])
    assert "strict_tools" not in body
    assert losses == ["tools.strict: Cohere is strict with all tools or none, it was not asked to be"]


def test_tools_without_parameters_and_of_other_kinds() -> None:
    bare = {"type": "function", "function": {"name": "a"}}
    body, losses = chat(ASKED, tools=[bare, {"type": "custom", "custom": {"name": "patch"}}])
    assert [tool["function"]["parameters"] for tool in body["tools"]] == [{"type": "object", "properties": {}}]
    assert losses == ["tools: patch is of kind custom, which Cohere does not have"]


def test_a_conversation_of_claude_code() -> None:
    use = [{"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {"n": n}} for n in (1, 2)]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    results: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "two"}, image]},
        {"type": "text", "text": "and?"},
    ]
    body, losses = claude(
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]}, {"role": "assistant", "content": use},
        {"role": "user", "content": results}, system=[{"type": "text", "text": "be brief"}], top_k=900,
    )  # fmt: skip
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert body["messages"][1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert body["messages"][4]["content"].startswith("two")
    assert [part["type"] for part in body["messages"][5]["content"]] == ["image_url", "text"]
    assert body["k"] == 500
    assert losses == ["top_k: 900 is out of Cohere's range, 500 was sent"]


def test_thinking_that_everybody_can_read_goes_along() -> None:
    answer = {"role": "assistant", "content": "b", "reasoning_content": "hm"}
    body, losses = chat(ASKED, answer, ASKED)
    assert body["messages"][1]["content"] == [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "b"}]
    assert losses == []
    signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    body, losses = claude(ASKED, {"role": "assistant", "content": [signed, {"type": "text", "text": "b"}]}, ASKED)
    assert body["messages"][1] == {"role": "assistant", "content": "b"}
    assert losses == ["reasoning: earlier thinking is good for its own vendor only"]


def test_what_messages_cannot_hold() -> None:
    sound = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
    pdf = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}
    body, losses = chat({"role": "user", "name": "Ann", "content": [{"type": "text", "text": "a"}, sound, pdf]})
    assert body["messages"] == [{"role": "user", "content": "a"}]
    assert losses == [
        "messages[0]: a part of type input_audio cannot be carried here",
        "messages[0]: a part of type file cannot be carried here",
        "name: Cohere's messages have none",
    ]


PLANNED = {
    "id": "c1", "finish_reason": "TOOL_CALL", "usage": {"billed_units": {"input_tokens": 3, "output_tokens": 2}},
    "message": {
        "role": "assistant", "tool_plan": "I will call f.",
        "tool_calls": [{"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
}  # fmt: skip


def test_a_plan_finds_its_way_back_through_messages() -> None:
    """As thinking with a signature of lynkr's, which keeps what it was."""
    front = find_dialect("anthropic.messages")
    request = decoded("anthropic.messages", samples.with_tools("anthropic.messages"))
    answer = msgspec.json.decode(front.encode_response(COHERE.decode_response(msgspec.json.encode(PLANNED)), request))
    assert [block["type"] for block in answer["content"]] == ["thinking", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": "f_1", "content": "x"}
    body, losses = claude(ASKED, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]})
    assert body["messages"][1] == PLANNED["message"]
    assert losses == []


@pytest.mark.parametrize(
    ("front", "told"),
    [("openai.chat", '"tool_calls"'), ("anthropic.messages", '"tool_use"'), ("openai.responses", '"function_call"')],
)
def test_answers_reach_every_front(front: str, told: str) -> None:
    dialect: Dialect = find_dialect(front)
    written = dialect.encode_response(
        COHERE.decode_response(msgspec.json.encode(PLANNED)), decoded(front, samples.request(front, "hi"))
    )
    assert told in written.decode()
    assert dialect.decode_response(written).usage == COHERE.usage(msgspec.json.encode(PLANNED))


@pytest.mark.parametrize(("reason", "kind"), [("ERROR", "server"), ("TIMEOUT", "timeout")])
def test_an_answer_that_failed_is_none(reason: str, kind: str) -> None:
    body = msgspec.json.encode({**PLANNED, "finish_reason": reason})
    assert COHERE.usage(body) is None
    with pytest.raises(Exception, match=reason) as raised:
        COHERE.decode_response(body)
    assert raised.value.kind == kind  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "kind"), [(498, "auth"), (499, "server"), (422, "invalid"), (429, "rate_limited"), (503, "server")]
)
def test_statuses(status: int, kind: str) -> None:
    error = COHERE.decode_error(status, {}, b'{"message":"no","id":"1"}')
    assert (error.kind, error.message, error.status) == (kind, "no", status)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (
            {"billed_units": {"input_tokens": 3.0, "output_tokens": 2.0}, "tokens": {"input_tokens": 70, "output_tokens": 4}},
            (3, 2, 0),
        ),
        ({"tokens": {"input_tokens": 70, "output_tokens": 4}, "cached_tokens": 64}, (70, 4, 64)),
        ({"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 70, "output_tokens": 4}}, (70, 4, 0)),
    ],
)
def test_what_is_billed_is_told(usage: dict[str, Any], tokens: tuple[int, int, int]) -> None:
    found = COHERE.usage(msgspec.json.encode({**PLANNED, "usage": usage}))
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.cache_read) == tokens


OWN = {
    "model": "m", "documents": ["plain", {"data": {"n": 1.0}}],
    "messages": [ASKED, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "b", "x": 1}]}],
}  # fmt: skip


def test_documents_reach_others_as_a_prompt() -> None:
    fields = find_dialect("openai.chat").encode_request(decoded_own(OWN), losses := [])
    assert fields["messages"][0] == {"role": "system", "content": 'Document: plain\n\nDocument: {"data":{"n":1.0}}'}
    assert losses == ["reasoning: earlier thinking is good for its own vendor only"]


def decoded_own(body: dict[str, Any]) -> Request:
    return COHERE.decode_request(COHERE.peek(msgspec.json.encode(body)))


def test_an_edited_text_leaves_the_rest_as_it_came() -> None:
    request = decoded_own(OWN)
    asked, answered = request.messages
    text = answered.parts[1]
    assert isinstance(text, Text)
    edited = request.edit(messages=(asked, answered.edit(parts=(answered.parts[0], text.edit(text="c")))))
    body = msgspec.json.decode(msgspec.json.encode(COHERE.encode_request(edited, [])))
    parts = body["messages"][1]["content"]
    assert (parts[0], parts[1]["text"]) == ({"type": "thinking", "thinking": "hm"}, "c")
    assert {key: body[key] for key in ("documents", "model")} == {key: OWN[key] for key in ("documents", "model")}


def test_a_prompt_put_before_documents_is_a_system_message() -> None:
    request = decoded_own(OWN)
    body = msgspec.json.decode(
        msgspec.json.encode(COHERE.encode_request(request.edit(system=(Text(text="s"), *request.system)), []))
    )
    assert body["messages"][0] == {"role": "system", "content": "s"}
    assert body["documents"] == OWN["documents"]


def test_an_edited_setting() -> None:
    body = COHERE.encode_request(decoded_own(OWN).edit(top_p=0.5, model="n", max_tokens=7), [])
    assert (body["p"], body["model"], body["max_tokens"]) == (0.5, "n", 7)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"model": "m"}, "messages"), ({"messages": []}, "model"), ({"model": "m", "messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"model": "m", "messages": [], "p": "high"}, "p"), ({"model": "m", "messages": [], "documents": 7}, "documents"),
        ({"model": "m", "messages": [], "tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)  # fmt: skip
def test_mistakes_have_their_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        decoded_own(body)
    assert raised.value.param == path


def test_a_plan_is_reasoning() -> None:
    parts = COHERE.decode_response(msgspec.json.encode(PLANNED)).choices[0].parts
    assert isinstance(parts[0], Reasoning)
    assert parts[0].text == "I will call f."


@pytest.mark.parametrize(
    ("fields", "sure"),
    [({"messages": 1, "safety_mode": 1}, 3), ({"messages": 1, "p": 1}, 2), ({"messages": 1}, 0), ({"p": 1, "k": 1}, 0)],
)
def test_which_bodies_are_coheres(fields: dict[str, Any], sure: int) -> None:
    assert COHERE.claims(fields, {}) == sure
