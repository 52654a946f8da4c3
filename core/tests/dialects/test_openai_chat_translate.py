"""Requests of another dialect, written as chat. The shapes are what Claude Code and Codex send (clients.md §3)."""

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.dialects.losses import CACHE_MARKERS
from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.request import (
    Blob,
    File,
    Generic,
    Message,
    Reasoning,
    ReasoningOptions,
    Request,
    ResponseFormat,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Uri,
)

IMAGE = Blob(modality="image", mime_type="image/png", data="AAAA")


def translate(dialect="anthropic.messages", **fields):
    losses = []
    request = Request(dialect=dialect, model="m", native=Raw(b'{"foreign":1}'), **fields)
    return msgspec.json.decode(msgspec.json.encode(OpenAIChat().encode_request(request, losses))), losses


def messages(*nodes, dialect="anthropic.messages"):
    fields, losses = translate(dialect, messages=nodes)
    return fields["messages"], losses


def call(id="a", name="f", arguments="{}"):
    return ToolCall(id=id, name=name, arguments=arguments, native=Raw(b'{"type":"tool_use"}'))


def test_system_parts_become_the_first_message_without_the_attribution_block():
    system = (
        Text(text="x-anthropic-billing-header: cc_version=2"),
        Text(text="A", cache=Raw(b'{"type":"ephemeral"}')),
        Text(text="B"),
    )
    fields, losses = translate(system=system, messages=(Message(role="system", parts=(Text(text="mid"),)),))
    assert fields["messages"] == [{"role": "system", "content": "A\n\nB"}, {"role": "system", "content": "mid"}]
    assert [loss.partition(":")[0] for loss in losses] == ["system", "cache_control"]


def test_an_empty_system_prompt_is_dropped():
    assert translate(system=(Text(text=""),))[0]["messages"] == []


def test_results_come_before_the_text_that_stands_beside_them():
    results = (ToolCallResponse(id="a", content=(Text(text="1"), Text(text="2"))), ToolCallResponse(id="b"))
    out, losses = messages(
        Message(role="assistant", parts=(call("a"), call("b"))), Message(role="user", parts=(*results, Text(text="go on")))
    )
    assert [message["role"] for message in out] == ["assistant", "tool", "tool", "user"]
    assert [message["content"] for message in out] == [None, "1\n\n2", "", "go on"]
    assert [message.get("tool_call_id") for message in out[1:3]] == ["a", "b"]
    assert losses == []


def test_images_in_results_follow_in_a_user_message_after_all_results():
    first = Message(role="tool", parts=(ToolCallResponse(id="a", content=(Text(text="see"), IMAGE)),))
    second = Message(role="tool", parts=(ToolCallResponse(id="b", content=(Text(text="ok"),)),))
    out, losses = messages(first, second, Message(role="assistant", parts=(Text(text="x"),)))
    assert [message["role"] for message in out] == ["tool", "tool", "user", "assistant"]
    assert out[0]["content"] == "see\n\n[image attached in the next user message]"
    assert out[2]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert losses == []


def test_images_in_results_join_the_text_beside_them():
    parts = (ToolCallResponse(id="a", content=(IMAGE,)), Text(text="what is it?"))
    out, _ = messages(Message(role="user", parts=parts))
    assert [item["type"] for item in out[1]["content"]] == ["image_url", "text"]


def test_assistant_items_of_one_turn_become_one_message():
    nodes = [Message(role="assistant", parts=(part,)) for part in (Text(text="I look"), call("a"), call("b"))]
    out, _ = messages(*nodes, Message(role="tool", parts=(ToolCallResponse(id="a"),)), dialect="openai.responses")
    assert [message["role"] for message in out] == ["assistant", "tool"]
    assert (out[0]["content"], [c["id"] for c in out[0]["tool_calls"]]) == ("I look", ["a", "b"])


def test_calls_are_written_in_chats_form():
    custom = ToolCall(id="c", name="patch", arguments="*** free", kind="custom")
    out, _ = messages(Message(role="assistant", parts=(call(arguments=""), custom)))
    assert out[0]["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** free"}},
    ]


def test_a_long_id_is_shortened_alike_in_call_and_result():
    id = "functions.get_weather:0:" + "x" * 60
    out, _ = messages(Message(role="assistant", parts=(call(id),)), Message(role="tool", parts=(ToolCallResponse(id=id),)))
    short = out[0]["tool_calls"][0]["id"]
    assert len(short) <= 40
    assert out[1]["tool_call_id"] == short


def test_foreign_thinking_is_left_out_and_told():
    out, losses = messages(
        Message(role="assistant", parts=(Reasoning(text="hm", signature="s"), Text(text="x"))),
        Message(role="assistant", parts=(Reasoning(encrypted="e"),)),
    )
    assert out == [{"role": "assistant", "content": "x"}]
    assert losses == ["reasoning: earlier thinking is good for its own vendor only"]


def test_user_content_of_every_kind():
    text = Blob(modality="document", mime_type="text/plain", data="aGk=")
    pdf = Blob(modality="document", mime_type="application/pdf", data="QQ==", name="a.pdf")
    sound = Blob(modality="audio", mime_type="audio/mpeg", data="QQ==")
    link = Uri(modality="image", uri="https://x.example/a.png", detail="low")
    out, losses = messages(Message(role="user", parts=(Text(text="a"), Text(text=""), text, pdf, sound, link)))
    assert out[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "hi"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
    ]
    assert losses == []


def test_what_chat_cannot_carry_is_told_and_leaves_no_empty_message():
    parts = (Generic(type="server_tool_use"), File(file_id="file_1"), Uri(modality="document", uri="https://x.example/a.pdf"))
    out, losses = messages(Message(role="user", parts=parts))
    assert out == []
    assert losses == [
        "messages[0]: a part of type server_tool_use cannot be carried here",
        "messages[0]: the file file_1 is stored at another vendor",
        "messages[0]: a part of type document cannot be carried here",
    ]


def test_a_failed_tool_is_told_as_a_loss():
    _, losses = messages(Message(role="user", parts=(ToolCallResponse(id="a", is_error=True, content=(Text(text="no"),)),)))
    assert losses == ["tool results: is_error cannot be told, the text stands for itself"]


def test_tools_and_choice():
    tools = (
        Tool(name="f", description="d", parameters=Raw(b'{"n":1.50}'), cache=Raw(b"{}"), native=Raw(b"{}")),
        Tool(name="s", kind="web_search"),
    )
    fields, losses = translate(tools=tools, tool_choice=ToolChoice("tool", "f"), parallel_tool_calls=False)
    assert fields["tools"] == [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"n": 1.5}}}]
    assert fields["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert fields["parallel_tool_calls"] is False
    assert losses == ["tools: s is of kind web_search, which chat does not have", CACHE_MARKERS]


def test_a_free_text_tool_is_carried_and_its_grammar_told():
    """Codex CLI's apply_patch, clients.md §3."""
    tool = Tool(name="patch", kind="custom", native=Raw(b'{"type":"custom","name":"patch","format":{"type":"grammar"}}'))
    fields, losses = translate("openai.responses", tools=(tool,))
    assert fields["tools"] == [{"type": "custom", "custom": {"name": "patch"}}]
    assert losses == ["tools: the grammar of patch cannot be carried"]


def test_nothing_about_tools_is_sent_without_tools():
    fields, _ = translate(
        tools=(Tool(name="s", kind="web_search"),), tool_choice=ToolChoice("required"), parallel_tool_calls=True
    )
    assert fields.keys() == {"model", "messages"}


def test_a_choice_of_a_dropped_tool_is_the_models():
    tools = (Tool(name="s", kind="web_search"), Tool(name="f"))
    fields, losses = translate(tools=tools, tool_choice=ToolChoice("tool", "s"))
    assert fields["tool_choice"] == "auto"
    assert "tool_choice: there is no tool 's' here, the model may choose" in losses


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (ReasoningOptions(mode="off"), "none"),
        (ReasoningOptions(mode="adaptive", display="omitted"), None),
        (ReasoningOptions(mode="adaptive", effort="high"), "high"),
        (ReasoningOptions(mode="on", budget=2048), "low"),
        (ReasoningOptions(mode="on", budget=8192), "medium"),
        (ReasoningOptions(mode="on", budget=31999), "high"),
    ],
)
def test_thinking_becomes_an_effort(reasoning, effort):
    assert translate(reasoning=reasoning)[0].get("reasoning_effort") == effort


def test_settings_and_what_has_no_place():
    fields, losses = translate(
        max_tokens=5, temperature=0.5, stop=("x",), stream=True, top_k=3, user="u", metadata=Raw(b'{"user_id":"u"}'), cache_key="k",
        service_tier="standard_only", response_format=ResponseFormat(kind="json_schema", schema=Raw(b'{"type":"object"}'), strict=True),
        extra={"context_management": Raw(b"{}")},
    )  # fmt: skip
    assert fields == {
        "model": "m", "messages": [], "max_tokens": 5, "temperature": 0.5, "stop": ["x"], "user": "u", "prompt_cache_key": "k",
        "response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}, "strict": True}},
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert losses == [
        "top_k: chat has no such parameter",
        "service_tier: chat has no 'standard_only'",
        "context_management: chat has no such parameter",
    ]
