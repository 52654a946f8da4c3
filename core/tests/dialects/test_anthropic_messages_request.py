"""Requests of the Messages dialect. Bodies are hand-made from `clients.md` §3 (Claude Code) and the SDK's parameter types."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.dialect import Envelope
from lynkr_core.dialects.anthropic_messages import AnthropicMessages
from lynkr_core.dialects.anthropic_messages.signatures import make
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, File, Generic, Message, Reasoning, Request, Text, ToolCall, ToolCallResponse, Uri

DIALECT = AnthropicMessages()
CLAUDE_CODE = b"""{
 "model": "claude-x", "max_tokens": 32000, "stream": true, "temperature": 1.0,
 "system": [ {"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"},
   {"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral","ttl":"1h"}} ],
 "messages": [
  {"role":"user","content":"fix it"},
  {"role":"system","content":"mid-conversation"},
  {"role":"assistant","content":[ {"type":"thinking","thinking":"hm","signature":"sig=="},
    {"type":"redacted_thinking","data":"xyz"},
    {"type":"text","text":"reading"}, {"type":"tool_use","id":"toolu_1","name":"Read","input":{"path": "a.py", "n": 1.0},
      "caller":{"type":"direct"}},
    {"type":"tool_use","id":"toolu_2","name":"Bash","input":{}} ]},
  {"role":"user","content":[
    {"type":"tool_result","tool_use_id":"toolu_1","content":"line one","cache_control":{"type":"ephemeral"}},
    {"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text", "text":"boom"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]},
    {"type":"text","text":"and now?"},
    {"type":"search_result","source":"s","title":"t","content":[],"zzz":1e2} ]}
 ],
 "tools": [ {"name":"Read","description":"reads","input_schema":{"$schema":"http://s","type":"object"},"defer_loading":true},
   {"type":"web_search_20250305","name":"web_search","max_uses":5} ],
 "tool_choice": {"type":"any","disable_parallel_tool_use":true},
 "thinking": {"type":"enabled","budget_tokens":31999,"display":"summarized"},
 "output_config": {"effort":"high", "task_budget": 7},
 "metadata": {"user_id":"{\\"a\\":1}"}, "context_management": {"edits":[]}, "stop_sequences": ["END"]
}"""


def decode(body: bytes | dict[str, Any]) -> Request:
    return DIALECT.decode_request(DIALECT.peek(body if isinstance(body, bytes) else json.dumps(body).encode()))


def fields(request: Request) -> dict[str, bytes]:
    losses: list[str] = []
    found = DIALECT.encode_request(request, losses)
    assert losses == []
    return {key: bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value) for key, value in found.items()}


def original() -> dict[str, bytes]:
    return {key: bytes(value) for key, value in DIALECT.peek(CLAUDE_CODE).fields.items()}


def test_peek_reads_the_top_level_only():
    envelope = DIALECT.peek(CLAUDE_CODE)
    assert (envelope.model, envelope.stream, envelope.max_tokens) == ("claude-x", True, 32000)
    assert bytes(envelope.fields["temperature"]) == b"1.0"


def test_every_block_of_claude_code_becomes_its_part():
    request = decode(CLAUDE_CODE)
    assistant, results = request.messages[2].parts, request.messages[3].parts
    assert [type(part) for part in assistant] == [Reasoning, Reasoning, Text, ToolCall, ToolCall]
    assert [type(part) for part in results] == [ToolCallResponse, ToolCallResponse, Text, Generic]
    assert assistant[0].signature == "sig=="
    assert assistant[1].encrypted == "xyz"
    assert assistant[3].arguments == '{"path": "a.py", "n": 1.0}'
    assert results[0].content[0].text == "line one"
    assert bytes(results[0].cache) == b'{"type":"ephemeral"}'
    assert results[1].is_error
    assert isinstance(results[1].content[1], Blob)
    assert [message.role for message in request.messages] == ["user", "system", "assistant", "user"]


def test_options_are_read():
    request = decode(CLAUDE_CODE)
    assert (request.reasoning.mode, request.reasoning.budget, request.reasoning.effort) == ("on", 31999, "high")
    assert request.tool_choice.mode == "required"
    assert request.parallel_tool_calls is False
    assert request.user == '{"a":1}'
    assert request.stop == ("END",)
    assert set(request.extra) == {"context_management", "output_config.task_budget"}
    assert [tool.kind for tool in request.tools] == ["function", "web_search_20250305"]
    assert [part.text for part in request.system][1] == "You are Claude Code."


def test_an_unedited_request_is_written_byte_for_byte():
    assert fields(decode(CLAUDE_CODE)) == original()


def test_a_request_marked_edited_without_changes_is_the_same_too():
    assert fields(decode(CLAUDE_CODE).edit()) == original()


def shorten(request: Request, at: int, text: str) -> Request:
    """As a compressor does: one tool result gets another text."""
    messages = list(request.messages)
    parts = list(messages[3].parts)
    parts[at] = parts[at].edit(content=(Text(text=text),))
    messages[3] = messages[3].edit(parts=tuple(parts))
    return request.edit(messages=tuple(messages))


@given(st.text(min_size=1), st.sampled_from([0, 1]))
def test_editing_one_tool_result_leaves_every_other_fragment(text: str, at: int):
    request = decode(CLAUDE_CODE)
    written = fields(shorten(request, at, text))
    assert {key for key, value in written.items() if value != original()[key]} <= {"messages"}
    turns = msgspec.json.decode(written["messages"], type=list[Raw])
    assert turns[:3] == [message.native for message in request.messages[:3]]
    blocks = msgspec.json.decode(turns[3], type=dict[str, Raw])["content"]
    natives = [part.native for part in request.messages[3].parts]
    found = msgspec.json.decode(blocks, type=list[Raw])
    assert [i for i in range(4) if found[i] != natives[i]] == [at]
    changed = json.loads(bytes(found[at]))
    assert changed == json.loads(bytes(natives[at])) | {"content": text}


def test_an_edited_option_keeps_the_unknown_keys_beside_it():
    request = decode(CLAUDE_CODE)
    written = fields(request.edit(reasoning=msgspec.structs.replace(request.reasoning, effort="low"), max_tokens=10))
    assert json.loads(written["output_config"]) == {"effort": "low", "task_budget": 7}
    assert written["max_tokens"] == b"10"
    assert written["temperature"] == b"1.0"
    assert written["messages"] == original()["messages"]


def test_what_an_edit_takes_away_is_taken_out():
    request = decode(CLAUDE_CODE)
    result = request.messages[3].parts[1].edit(is_error=False)
    message = request.messages[3].edit(parts=(request.messages[3].parts[0].edit(cache=None), result))
    adaptive = msgspec.structs.replace(request.reasoning, mode="adaptive", budget=None)
    written = fields(request.edit(messages=(*request.messages[:3], message), reasoning=adaptive))
    assert json.loads(written["thinking"]) == {"type": "adaptive", "display": "summarized"}
    blocks = json.loads(written["messages"])[3]["content"]
    assert [set(block) for block in blocks] == [{"type", "tool_use_id", "content"}] * 2


def test_edited_tools_and_system():
    request = decode(CLAUDE_CODE)
    tool = request.tools[0].edit(description="r")
    system = request.system[1].edit(text="Short.")
    written = fields(request.edit(tools=(tool, request.tools[1]), system=(request.system[0], system)))
    assert json.loads(written["tools"])[0] == {
        "name": "Read", "description": "r", "input_schema": {"$schema": "http://s", "type": "object"}, "defer_loading": True,
    }  # fmt: skip
    assert json.loads(written["system"])[1] == {
        "type": "text", "text": "Short.", "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }  # fmt: skip
    assert b'"$schema":"http://s"' in written["tools"]


def test_removed_parts_and_options_are_gone():
    request = decode(CLAUDE_CODE)
    written = fields(request.edit(tools=(), system=(), tool_choice=None, parallel_tool_calls=None, extra={}))
    assert set(original()) - set(written) == {"tools", "system", "tool_choice", "context_management"}


def test_a_string_system_and_content_keep_their_form():
    body = {"model": "m", "max_tokens": 1, "system": "Be kind.", "messages": [{"role": "user", "content": "hi"}]}
    request = decode(body)
    assert request.system[0].text == "Be kind."
    edited = request.messages[0].edit(parts=(request.messages[0].parts[0].edit(text="ho"),))
    written = fields(request.edit(messages=(edited,)))
    assert written["messages"] == b'[{"role":"user","content":"ho"}]'
    assert written["system"] == b'"Be kind."'


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"type": "base64", "media_type": "application/pdf", "data": "aGk="}, Blob),
        ({"type": "text", "media_type": "text/plain", "data": "hi"}, Blob),
        ({"type": "url", "url": "u"}, Uri),
        ({"type": "file", "file_id": "f"}, File),
        ({"type": "content", "content": [{"type": "text", "text": "x"}]}, Generic),
    ],
)
def test_documents_by_their_source(source: dict[str, Any], kind: type):
    block = {"type": "document", "source": source, "title": "T", "context": "c"}
    part = decode({"model": "m", "messages": [{"role": "user", "content": [block]}]}).messages[0].parts[0]
    assert type(part) is kind
    assert json.loads(bytes(part.native)) == block
    assert getattr(part, "modality", "document") == "document"


def test_unknown_blocks_may_use_our_keys_for_other_things():
    block = {"type": "container_upload", "data": {"x": 1}, "text": 5}
    part = decode({"model": "m", "messages": [{"role": "user", "content": [block]}]}).messages[0].parts[0]
    assert part == Generic(type="container_upload", native=part.native)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"[]", "object"),
        (b"{", "JSON"),
        (b'{"messages":[]}', "model"),
        (b'{"model":"m"}', "messages"),
        (b'{"model":"m","messages":{}}', "messages"),
        (b'{"model":"m","messages":[{"role":"robot","content":"x"}]}', "messages[0].role"),
        (b'{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}', "messages[0].content[0].text"),
        (b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":3}]}]}', "messages[0].content[0]"),
        (b'{"model":"m","messages":[],"max_tokens":"x"}', "max_tokens"),
        (b'{"model":"m","messages":[],"tools":[{"name":3}]}', "tools[0]"),
        (b'{"model":"m","messages":[],"tool_choice":{"type":"robot"}}', "tool_choice.type"),
    ],
)
def test_mistakes_are_named_by_their_path(body: bytes, path: str):
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.decode_request(DIALECT.peek(body))
    assert path in caught.value.message


def test_structured_output_in_both_spellings():
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    body = {"model": "m", "messages": []}
    new = decode(body | {"output_config": {"format": schema}})
    old = decode(body | {"output_format": schema})
    assert new.response_format == old.response_format
    assert bytes(new.response_format.schema) == b'{"type": "object"}'


OURS = {"type": "thinking", "thinking": "t", "signature": make("rs_1", "enc")}


def loop(first: dict[str, Any]) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "a", "name": "n", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": [first, call]}]
    thinking = {"type": "enabled", "budget_tokens": 2000}
    return {
        "model": "m",
        "max_tokens": 9000,
        "thinking": thinking,
        "messages": [*messages, {"role": "user", "content": [result]}],
    }


def test_our_own_signature_gives_back_what_it_keeps():
    part = decode(loop(OURS)).messages[1].parts[0]
    assert (part.text, part.signature, part.id, part.encrypted) == ("t", None, "rs_1", "enc")


def test_own_thinking_never_goes_to_a_real_upstream():
    envelope = DIALECT.peek(json.dumps(loop(OURS)).encode())
    forwarded: dict[str, Any] = dict(envelope.fields)
    assert DIALECT.prepare(forwarded, envelope, True) is True
    written = json.loads(msgspec.json.encode(forwarded))
    assert [block["type"] for block in written["messages"][1]["content"]] == ["tool_use"]
    assert written["thinking"] == {"type": "disabled"}
    assert b"lynkr-" not in fields(decode(loop(OURS)))["messages"]


def test_real_thinking_and_mere_mentions_are_left_alone():
    body = loop({"type": "thinking", "thinking": f'see "{make(None, None)}"', "signature": "real"})
    envelope = DIALECT.peek(json.dumps(body).encode())
    forwarded: dict[str, Any] = dict(envelope.fields)
    assert DIALECT.prepare(forwarded, envelope, True) is False
    assert forwarded == envelope.fields


def test_an_assistant_turn_of_own_thinking_alone_is_dropped():
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": [OURS]}]}
    assert json.loads(fields(decode(body))["messages"]) == [{"role": "user", "content": "a"}]


def test_messages_added_by_a_plugin_are_written():
    request = decode(CLAUDE_CODE)
    written = fields(request.edit(messages=(*request.messages, Message(role="user", parts=(Text(text="more"),)))))
    assert json.loads(written["messages"])[-1] == {"role": "user", "content": "more"}


def test_an_envelope_is_enough():
    envelope = Envelope(fields={"model": Raw(b'"m"'), "messages": Raw(b"[]")}, model="m")
    assert DIALECT.decode_request(envelope).messages == ()


RESULT = '{"type": "tool_result", "is_error": %s, "x": [1,  2], "tool_use_id": "\\u0061", "cache_control": %s, "content": %s}'
CACHED = '{"type": "ephemeral"}'


@pytest.mark.parametrize("error", ["true", "false", "null"])
@pytest.mark.parametrize("cached", [CACHED, "null"])
@pytest.mark.parametrize("said", ['"b\\u0061d"', '[{"type": "text", "y": {"z":  0}, "text": "bad", "citations": null}]'])
@pytest.mark.parametrize("id", ["a", "\\u0061"])
def test_what_is_said_anew_keeps_every_key_beside_it_as_it_was_spelt(error: str, cached: str, said: str, id: str):
    result = (RESULT % (error, cached, said)).replace("\\u0061", id, 1)
    body = '{"model": "m", "max_tokens": 1, "messages": [{"z": 1.0, "role": "user", "content": [%s, {"type": "text", "text": "go"}]}]}'
    request = decode((body % result).encode())
    message = request.messages[0]
    first = message.parts[0]
    assert isinstance(first, ToolCallResponse)

    def sent(part: ToolCallResponse) -> str:
        edited = message.edit(parts=(part, message.parts[1]))
        return bytes(fields(request.edit(messages=(edited,)))["messages"]).decode()

    text = first.content[0]
    assert isinstance(text, Text)
    written = sent(first.edit(content=(text.edit(text="good"),)))
    before = json.loads(body % result)["messages"]
    assert json.loads(written) == json.loads(json.dumps(before).replace('"bad"', '"good"'))
    assert '"x":[1,  2]' in written
    assert '"z":1.0' in written
    assert f'"tool_use_id":"{id}"' in written
    assert f'"is_error":{error}' in written
    assert '{"type": "text", "text": "go"}' in written
    other = json.loads(sent(first.edit(is_error=error != "true", cache=None)))[0]["content"][0]
    assert other.get("is_error") is (True if error != "true" else None)
    assert other.get("cache_control") is None
