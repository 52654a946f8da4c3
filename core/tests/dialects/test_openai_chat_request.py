"""Requests into the model and back in the same dialect. Bodies are hand-made from clients.md §3."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from lynkr_core.dialects.openai_chat import OpenAIChat
from lynkr_core.dialects.splice import splice
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import (
    Blob,
    File,
    Generic,
    Message,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Uri,
)

DIALECT = OpenAIChat()
AGENT = rb"""{"model": "m", "temperature": 2.50, "x-new": {"a": 1e5}, "messages": [
 {"role":"developer","content":"be \u00e9xact","zz":0.10},
 {"role":"user","content":[{"type":"text","text":"look","cache_control":{"type":"ephemeral"}},
   {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
   {"type":"image_url","image_url":{"url":"https://x.example/a.png"}}, {"type":"hologram","h":1.0}]},
 {"role":"assistant","content":null,"reasoning":"hm","reasoning_details":[{"signature":"s"}],"tool_calls":[
   {"id":"a","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0 }"},"kept":1},
   {"id":"b","type":"custom","custom":{"name":"patch","input":"*** free"}}]},
 {"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"long","n":1.00}], "keep" : 7},
 {"role":"tool","tool_call_id":"b","content":"done"}],
 "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","n":1.50},"strict":true},"q":1},
   {"type":"custom","custom":{"name":"patch"}}, {"type":"web_search"}],
 "tool_choice":{"type":"function","function":{"name":"f"}}, "max_completion_tokens": 100, "stop":"END", "reasoning_effort":"high"}"""


def decode(body):
    return DIALECT.decode_request(DIALECT.peek(body if isinstance(body, bytes) else msgspec.json.encode(body)))


def raw_fields(body):
    return {key: bytes(value) for key, value in msgspec.json.decode(body, type=dict[str, Raw]).items()}


def encode(request):
    losses = []
    fields = DIALECT.encode_request(request, losses)
    assert losses == []
    return msgspec.json.encode(fields)


def raw_list(value):
    return [bytes(item) for item in msgspec.json.decode(value, type=list[Raw])]


def test_a_request_is_read_into_the_model():
    request = decode(AGENT)
    developer, user, assistant, result, last = request.messages
    assert (developer.role, developer.text) == ("developer", "be éxact")
    assert [type(part) for part in user.parts] == [Text, Blob, Uri, Generic]
    assert (user.parts[1].mime_type, user.parts[1].data, user.parts[1].detail) == ("image/png", "AAAA", "low")
    assert bytes(user.parts[0].cache) == b'{"type":"ephemeral"}'
    assert [type(part) for part in assistant.parts] == [Reasoning, ToolCall, ToolCall]
    assert assistant.parts[1].arguments == '{ "x": 1.0 }'
    assert (assistant.parts[2].kind, assistant.parts[2].arguments) == ("custom", "*** free")
    assert isinstance(result.parts[0], ToolCallResponse)
    assert (result.parts[0].id, last.parts[0].content[0].text) == ("a", "done")


def test_settings_are_read_into_the_model():
    request = decode(AGENT)
    assert (request.max_tokens, request.temperature, request.stop) == (100, 2.5, ("END",))
    assert request.tool_choice == ToolChoice("tool", "f")
    assert request.reasoning.effort == "high"
    assert [tool.kind for tool in request.tools] == ["function", "custom", "web_search"]
    assert list(request.extra) == ["x-new"]


def test_an_unedited_request_is_what_came_in():
    assert list(raw_fields(encode(decode(AGENT))).items()) == list(raw_fields(AGENT).items())


def test_editing_one_tool_result_leaves_every_other_fragment_alone():
    request = decode(AGENT)
    message = request.messages[3]
    result = message.parts[0]
    short = result.edit(content=(result.content[0].edit(text="sh\u00f6rt"),))
    messages = (*request.messages[:3], message.edit(parts=(short,)), request.messages[4])
    out, before = raw_fields(encode(request.edit(messages=messages))), raw_fields(AGENT)
    new, old = raw_list(out.pop("messages")), raw_list(before.pop("messages"))
    assert out == before
    assert new[:3] + new[4:] == old[:3] + old[4:]
    assert new[3] == '{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"shört","n":1.00}],"keep":7}'.encode()


def test_editing_a_setting_touches_only_its_key():
    out, before = raw_fields(encode(decode(AGENT).edit(temperature=0.5, max_tokens=9, stop=("A", "B")))), raw_fields(AGENT)
    assert (out["temperature"], out["max_completion_tokens"], out["stop"]) == (b"0.5", b"9", b'["A","B"]')
    assert {key for key in before if out[key] != before[key]} == {"temperature", "max_completion_tokens", "stop"}
    assert list(out) == list(before)


def test_editing_a_tool_keeps_its_unknown_keys_and_the_others():
    request = decode(AGENT)
    tool = request.tools[0].edit(description="does f")
    out, before = (
        raw_list(raw_fields(body)["tools"]) for body in (encode(request.edit(tools=(tool, *request.tools[1:]))), AGENT)
    )
    body = b'{"name":"f","parameters":{"type":"object","n":1.50},"strict":true,"description":"does f"}'
    assert out[0] == b'{"type":"function","function":' + body + b',"q":1}'
    assert out[1:] == before[1:]


def test_without_tools_no_choice_between_them_is_sent():
    fields = msgspec.json.decode(encode(decode(AGENT).edit(tools=())))
    assert not {"tools", "tool_choice"} & fields.keys()


def test_dropping_the_thinking_drops_all_its_spellings():
    request = decode(AGENT)
    assistant = request.messages[2]
    messages = (*request.messages[:2], assistant.edit(parts=assistant.parts[1:]), *request.messages[3:])
    fields = msgspec.json.decode(encode(request.edit(messages=messages)))["messages"][2]
    assert fields.keys() == {"role", "content", "tool_calls"}
    assert fields["tool_calls"][0]["kept"] == 1


def test_new_messages_and_a_new_system_prompt_join_those_that_came():
    request = decode({"model": "m", "messages": [{"role": "user", "content": "a", "k": 1}]})
    more = Message(role="user", parts=(ToolCallResponse(id="x", content=(Text(text="r"),)), Text(text="b")))
    fields = msgspec.json.decode(encode(request.edit(system=(Text(text="S"),), messages=(*request.messages, more))))
    assert fields["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "a", "k": 1},
        {"role": "tool", "tool_call_id": "x", "content": "r"},
        {"role": "user", "content": "b"},
    ]


def test_a_request_made_here_is_written_whole():
    request = Request(
        dialect="openai.chat", model="m", messages=(Message(role="assistant", parts=(Reasoning(text="t"), Text(text="x"))),),
        tools=(Tool(name="f", parameters=Raw(b"{}")),), parallel_tool_calls=False, max_tokens=3, stream=True, extra={"e": Raw(b"1.0")},
    )  # fmt: skip
    assert msgspec.json.decode(encode(request)) == {
        "model": "m", "messages": [{"role": "assistant", "content": "x", "reasoning_content": "t"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "parallel_tool_calls": False, "max_tokens": 3, "stream": True, "e": 1.0,
    }  # fmt: skip


def test_the_old_function_calls_are_understood():
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    request = decode({"model": "m", "messages": [call, {"role": "function", "name": "f", "content": "4"}]})
    assert request.messages[0].parts[0].id == request.messages[1].parts[0].id == "function_f"


def test_files_and_sound_are_read():
    parts = [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
    ]
    file, pdf, sound = decode({"model": "m", "messages": [{"role": "user", "content": parts}]}).messages[0].parts
    assert isinstance(file, File)
    assert (pdf.modality, pdf.mime_type, pdf.name, pdf.data) == ("document", "application/pdf", "a.pdf", "QQ==")
    assert (sound.modality, sound.mime_type) == ("audio", "audio/mp3")


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0].function.name"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop": 3}, "stop"),
    ],
)
def test_a_mistake_is_told_with_its_place(keys, param):
    with pytest.raises(InvalidRequest) as caught:
        decode({"model": "m", "messages": []} | keys)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "keys", [{"logit_bias": {}}, {"stop": None}, {"tools": None}, {"user": None}, {"n": 1}, {"max_tokens": 5.0}]
)
def test_what_clients_send_without_meaning_it_is_taken(keys):
    assert decode({"model": "m", "messages": []} | keys).model == "m"


NUMBERS = st.sampled_from(["2.50", "1e5", "0.10", "-0", "1E-7", "123456789012345678901234567890"])
TEXTS = st.text(max_size=8).map(lambda text: msgspec.json.encode(text).decode()) | st.sampled_from(
    [r'"\u00e9"', r'"\ud83d\ude00"', r'"\/"']
)
VALUES = st.recursive(
    NUMBERS | TEXTS | st.sampled_from(["null", "true", "[ ]"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + " , ".join(items) + "]"),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(extra=st.dictionaries(st.sampled_from(["alpha", "beta", "gamma"]), VALUES), text=TEXTS, inner=VALUES, number=NUMBERS)
def test_any_request_comes_back_value_by_value(extra, text, inner, number):
    keys = {f"k_{name}": value for name, value in extra.items()} | {"model": '"m"', "temperature": number}
    user = f'{{ "role":"user","content":{text},"u":{inner}}}'
    assistant = f'{{"role":"assistant", "content":{text}, "v":{number}}}'
    fragments = [user, f'{{"role":"tool","tool_call_id":"a","content":{text}}}', assistant]
    keys["messages"] = "[ " + " , ".join(fragments) + "]"
    body = ("{" + ",".join(f'"{key}": {value}' for key, value in keys.items()) + "}").encode()
    request = decode(body)
    assert list(raw_fields(encode(request)).items()) == list(raw_fields(body).items())
    tool = request.messages[1].edit(parts=(request.messages[1].parts[0].edit(content=(Text(text="x"),)),))
    messages = (request.messages[0], tool, request.messages[2])
    out = raw_fields(encode(request.edit(messages=messages)))
    assert raw_list(out["messages"]) == [
        fragments[0].encode(),
        b'{"role":"tool","tool_call_id":"a","content":"x"}',
        fragments[2].encode(),
    ]
    assert {key: value for key, value in out.items() if key != "messages"} == {
        key: value for key, value in raw_fields(body).items() if key != "messages"
    }


def test_splice_changes_keys_in_place_and_takes_keys_out():
    assert bytes(splice(Raw(b'{"a": 1.0,"b":2,"c":3}'), {"b": "x", "c": UNSET, "d": Raw(b"1e3")})) == b'{"a":1.0,"b":"x","d":1e3}'
    assert bytes(splice(None, {"a": 1})) == b'{"a":1}'
