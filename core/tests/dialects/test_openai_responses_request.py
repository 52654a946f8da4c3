"""Requests of the Responses API. The bodies are hand-made from clients.md §Codex CLI and the official SDK's types."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.dialects.openai_responses import OpenAIResponses
from lynkr_core.errors import InvalidRequest
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

dialect = OpenAIResponses()

CODEX = """{
  "model": "gpt-6-astra", "input": [
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list \\u00e9 files", "x_new": 1.0e2}]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Then."}],
     "content": null, "encrypted_content": "gAAAAB+/="},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}], "phase": "commentary"},
    {"type": "function_call", "name": "exec_command", "arguments": "{\\"cmd\\": \\"ls\\"}", "call_id": "call_1"},
    {"type": "function_call", "namespace": "mcp__fs", "name": "read", "arguments": "{}", "call_id": "call_2", "id": "fc_2"},
    {"type": "function_call_output", "call_id": "call_1", "output": "a very long listing", "id": "fco_1"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "one"},
      {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
    {"type": "custom_tool_call", "call_id": "call_3", "name": "apply_patch", "input": "*** Begin Patch"},
    {"type": "custom_tool_call_output", "call_id": "call_3", "output": "Done!"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}
  ],
  "tools": [
    {"type": "function", "name": "exec_command", "description": "Run", "strict": false,
     "parameters": {"type": "object", "properties": {}, "$schema": "http://json-schema.org/draft-07/schema#"}},
    {"type": "namespace", "name": "mcp__fs", "description": "Files", "tools": [
      {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": true},
      {"type": "function", "name": "write", "parameters": {"type": "object"}}]},
    {"type": "web_search", "external_web_access": true},
    {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /./"}}
  ],
  "tool_choice": "auto", "parallel_tool_calls": true, "reasoning": {"effort": "medium", "summary": "auto"},
  "store": false, "stream": true, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
  "client_metadata": {"a": "b"}, "temperature": 1.0, "text": {"verbosity": "low"}
}"""


def decode(body):
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return dialect.decode_request(dialect.peek(data))


def encode(request, losses=None):
    return json.loads(msgspec.json.encode(dialect.encode_request(request, [] if losses is None else losses)))


def foreign(losses=None, **fields):
    return encode(Request(dialect="anthropic.messages", model="m", **fields), losses)


def test_peek_reads_what_the_kernel_needs():
    envelope = dialect.peek(b'{"model":"m","input":"x","stream":true,"max_output_tokens":7,"new":[1 , 2]}')
    assert (envelope.model, envelope.stream, envelope.max_tokens, envelope.usage_asked) == ("m", True, 7, True)
    assert bytes(envelope.fields["new"]) == b"[1 , 2]"


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"input":"x"}', b'{"model":1}', b'{"model":"m","stream":"yes"}'])
def test_peek_refuses_what_it_cannot_read(body):
    with pytest.raises(InvalidRequest):
        dialect.peek(body)


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"type": "message", "role": "robot", "content": "x"}, "input[0].role"),
        ({"type": "function_call", "name": "f", "arguments": "{}"}, "input[0].call_id"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text"),
        ({"role": "user", "content": [{"type": "input_text", "text": 1}]}, "input[0].content[0]"),
        ("text", "input[0]"),
    ],
)
def test_a_mistake_is_named_by_its_path(item, path):
    with pytest.raises(InvalidRequest) as caught:
        decode({"model": "m", "input": [item]})
    assert caught.value.param == path


def test_a_string_is_one_user_message():
    request = decode({"model": "m", "input": "hi", "instructions": "Be brief."})
    assert [(m.role, m.text) for m in request.messages] == [("user", "hi")]
    assert request.system == (Text(text="Be brief."),)


def test_every_item_of_codex_is_one_message():
    request = decode(CODEX)
    roles = [message.role for message in request.messages]
    assert roles == ["developer", "user", *["assistant"] * 4, "tool", "tool", "assistant", "tool", "assistant"]
    thought, _, call, nested, result, pictures, patch, patched, search = [m.parts[0] for m in request.messages[2:]]
    assert (thought.text, thought.encrypted, thought.id) == ("First.\n\nThen.", "gAAAAB+/=", None)
    assert (call.id, call.name, call.arguments) == ("call_1", "exec_command", '{"cmd": "ls"}')
    assert nested.name == "mcp__fs__read"
    assert result.content[0].text == "a very long listing"
    assert (pictures.content[1].mime_type, pictures.content[1].data, pictures.content[1].detail) == ("image/png", "AAAA", "low")
    assert (patch.kind, patch.arguments, patched.kind) == ("custom", "*** Begin Patch", "custom")
    assert isinstance(search, Generic)
    assert search.type == "web_search_call"


def test_options_of_codex():
    request = decode(CODEX)
    assert [tool.name for tool in request.tools] == [
        "exec_command", "mcp__fs__read", "mcp__fs__write", "web_search", "apply_patch",
    ]  # fmt: skip
    assert [tool.kind for tool in request.tools] == ["function", "function", "function", "web_search", "custom"]
    assert request.reasoning == ReasoningOptions(effort="medium", summary="auto")
    assert (request.cache_key, request.stream, request.tool_choice) == ("k", True, ToolChoice("auto"))
    assert set(request.extra) == {"store", "include", "client_metadata", "text.verbosity"}


def test_unedited_is_byte_for_byte():
    request = decode(CODEX)
    before = dialect.peek(CODEX.encode()).fields
    for one in (request, request.edit()):
        assert {key: bytes(raw) for key, raw in dialect.encode_request(one, []).items()} == {
            k: bytes(v) for k, v in before.items()
        }


def test_one_shortened_result_disturbs_nothing_else():
    request = decode(CODEX)
    message = request.messages[6]
    result = message.parts[0].edit(content=(Text(text="short"),))
    messages = [*request.messages]
    messages[6] = message.edit(parts=(result,))
    fields = dialect.encode_request(request.edit(messages=tuple(messages)), [])
    old, new = [msgspec.json.decode(f["input"], type=list[Raw]) for f in (dialect.peek(CODEX.encode()).fields, fields)]
    assert [i for i, pair in enumerate(zip(old, new, strict=True)) if bytes(pair[0]) != bytes(pair[1])] == [6]
    assert json.loads(bytes(new[6])) == json.loads(bytes(old[6])) | {"output": "short"}
    assert all(bytes(fields[key]) == bytes(raw) for key, raw in dialect.peek(CODEX.encode()).fields.items() if key != "input")


def test_an_edited_text_keeps_its_unknown_neighbours():
    request = decode(CODEX)
    message = request.messages[1]
    text = message.parts[0].edit(text="list files")
    fields = encode(request.edit(messages=(message.edit(parts=(text,)),)))
    assert fields["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "list files", "x_new": 100.0}]}
    ]


def test_changed_options_are_spliced():
    request = decode(CODEX)
    changed = request.edit(
        model="other", temperature=None, max_tokens=5, reasoning=ReasoningOptions(effort="low", summary="auto"),
        response_format=ResponseFormat(kind="json_object"), extra={k: v for k, v in request.extra.items() if k != "store"},
    )  # fmt: skip
    fields = encode(changed)
    assert (fields["model"], fields["max_output_tokens"], fields["reasoning"]["effort"]) == ("other", 5, "low")
    assert fields["text"] == {"verbosity": "low", "format": {"type": "json_object"}}
    assert "temperature" not in fields
    assert "store" not in fields
    assert fields["input"] == json.loads(CODEX)["input"]


def test_a_dropped_tool_leaves_its_namespace_in_place():
    request = decode(CODEX)
    tools = encode(request.edit(tools=tuple(tool for tool in request.tools if tool.name != "mcp__fs__write")))["tools"]
    expected = json.loads(CODEX)["tools"]
    del expected[1]["tools"][1]
    assert tools == expected


def test_an_edited_nested_tool_keeps_its_short_name():
    request = decode(CODEX)
    tools = [tool.edit(description="Reads") if tool.name == "mcp__fs__read" else tool for tool in request.tools]
    nested = encode(request.edit(tools=tuple(tools)))["tools"][1]["tools"]
    assert nested[0] == {
        "type": "function",
        "name": "read",
        "parameters": {"type": "object"},
        "strict": True,
        "description": "Reads",
    }


BROUGHT = """{"model": "gpt-6-astra", "tools": [{"type": "function", "name": "f", "parameters": {}}], "input": [
  {"role": "user", "content": "hi"},
  {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [
    {"type": "namespace", "name": "functions", "description": "", "tools": [{"type": "custom", "name": "exec"}]},
    {"type": "namespace", "name": "clock", "description": "", "tools": [{"type": "function", "name": "sleep"}]}]},
  {"role": "user", "content": "go"}]}"""


def test_tools_that_an_item_brings_are_tools():
    """So Codex CLI 0.169 sends them for models it knows (captured 2026-11-21, cut down)."""
    request = decode(BROUGHT)
    assert [(tool.name, tool.kind) for tool in request.tools] == [
        ("f", "function"), ("functions__exec", "custom"), ("clock__sleep", "function"),
    ]  # fmt: skip
    assert [message.text for message in request.messages] == ["hi", "go"]
    before = dialect.peek(BROUGHT.encode()).fields
    after = dialect.encode_request(request.edit(), [])
    assert {key: bytes(raw) for key, raw in after.items()} == {key: bytes(raw) for key, raw in before.items()}


def test_an_item_of_tools_stays_in_place_when_some_are_dropped():
    request, expected = decode(BROUGHT), json.loads(BROUGHT)
    some = encode(request.edit(tools=request.tools[:2]))
    del expected["input"][1]["tools"][1]
    assert some == expected
    none = encode(request.edit(tools=()))
    assert "tools" not in none
    assert none["input"] == [expected["input"][0], expected["input"][2]]


def test_a_message_of_any_grouping_becomes_items_in_order():
    assistant = Message(
        role="assistant", parts=(Text(text="I look."), ToolCall(id="t1", name="f", arguments=""), ToolCall(id="t2", name="g"))
    )
    user = Message(
        role="user", parts=(Text(text="and?"), ToolCallResponse(id="t1", content=(Text(text="r"),)), ToolCallResponse(id="t2"))
    )
    items = foreign(messages=(assistant, user))["input"]
    assert items == [
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "t1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "t2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "t1", "output": "r"},
        {"type": "function_call_output", "call_id": "t2", "output": ""},
        {"type": "message", "role": "user", "content": "and?"},
    ]


def test_foreign_fragments_are_never_written():
    native = Raw(b'{"type":"text","text":"secret shape"}')
    message = Message(role="user", parts=(Text(text="hi", native=native),), native=Raw(b'{"role":"user"}'))
    tool = Tool(name="f", parameters=Raw(b'{"type":"object"}'), native=Raw(b'{"name":"f","input_schema":{}}'))
    body = foreign(messages=(message,), tools=(tool,))
    assert body["input"] == [{"type": "message", "role": "user", "content": "hi"}]
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
    assert body["store"] is False


def test_media_from_elsewhere():
    parts = (
        Text(text="see"),
        Blob(modality="image", mime_type="image/png", data="AAAA"),
        Uri(modality="image", uri="http://127.0.0.1/a.png", detail="high"),
        Blob(modality="document", mime_type="application/pdf", data="BBBB"),
        File(file_id="file_of_another"),
        Blob(modality="audio", mime_type="audio/wav", data="CCCC"),
    )
    losses = []
    content = foreign(losses, messages=(Message(role="user", parts=parts),))["input"][0]["content"]
    assert content == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
        {"type": "input_image", "image_url": "http://127.0.0.1/a.png", "detail": "high"},
        {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,BBBB"},
    ]
    assert [loss.partition(":")[0] for loss in losses] == ["content.file_id", "content.audio"]


def test_only_openai_s_own_reasoning_is_sent():
    losses = []
    own = Reasoning(text="t", id="rs_1", encrypted="gAAAA")
    parts = (Reasoning(text="x", signature="sig"), Reasoning(encrypted="redacted"), own)
    items = foreign(losses, messages=(Message(role="assistant", parts=parts),))["input"]
    summary = [{"type": "summary_text", "text": "t"}]
    assert items == [{"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAA"}]
    assert len(losses) == 1


@pytest.mark.parametrize(
    ("sealed", "signature", "encrypted"),
    [("lynkr:sig", "sig", None), ("lynkr:encrypted:xyz", None, "xyz"), ("lynkr:", None, None), ("gAAAA", None, "gAAAA")],
)
def test_sealed_reasoning_is_opened(sealed, signature, encrypted):
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed}
    part = decode({"model": "m", "input": [item]}).messages[0].parts[0]
    assert (part.signature, part.encrypted) == (signature, encrypted)


def test_sealed_reasoning_never_reaches_openai():
    kept = {"role": "user", "content": 'say "lynkr: hi"'}
    body = {"model": "m", "input": [{"type": "reasoning", "summary": [], "encrypted_content": "lynkr:sig"}, kept]}
    envelope = dialect.peek(json.dumps(body).encode())
    fields = dict(envelope.fields)
    assert dialect.prepare(fields, envelope, True) is True
    assert json.loads(bytes(fields["input"])) == [kept]
    assert dialect.prepare(fields, envelope, True) is False
    request = dialect.decode_request(envelope)
    for one in (request, request.edit(model="n")):
        assert encode(one)["input"] == [kept]


def test_what_has_no_place_is_reported():
    losses = []
    fields = foreign(
        losses, stop=("x",), seed=1, n=2, top_k=3, logit_bias=Raw(b'{"1":2}'), extra={"betas": Raw(b"1")}, max_tokens=1,
        tool_choice=ToolChoice("required"), parallel_tool_calls=False, user="u" * 65, metadata=Raw(b'{"user_id":"x"}'),
        tools=(Tool(name="bash", kind="bash_20250124"),), service_tier="standard_only",
    )  # fmt: skip
    names = {loss.partition(":")[0] for loss in losses}
    assert names == {"stop", "seed", "n", "top_k", "logit_bias", "betas", "max_tokens", "tools.bash", "service_tier",
                     "user"}  # fmt: skip
    assert set(fields) == {"model", "input", "store", "max_output_tokens", "user"}
    assert (fields["max_output_tokens"], len(fields["user"])) == (16, 64)


def test_an_empty_logit_bias_and_n_of_one_are_no_losses():
    losses = []
    foreign(losses, logit_bias=Raw(b"{}"), n=1)
    assert losses == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ReasoningOptions(mode="on", budget=2048), {"effort": "low"}),
        (ReasoningOptions(mode="on", budget=8192), {"effort": "medium"}),
        (ReasoningOptions(mode="on", budget=31999, display="summarized"), {"effort": "high", "summary": "auto"}),
        (ReasoningOptions(mode="off"), {"effort": "none"}),
        (ReasoningOptions(mode="adaptive", effort="max"), {"effort": "max"}),
    ],
)
def test_reasoning_options(options, expected):
    fields = foreign(reasoning=options)
    assert fields["reasoning"] == expected
    assert ("include" in fields) == (options.mode != "off")


def test_structured_output_and_choice_of_a_tool():
    format = ResponseFormat(kind="json_schema", name="p", schema=Raw(b'{"type": "object"}'), strict=True)
    fields = foreign(
        response_format=format, tools=(Tool(name="f"),), tool_choice=ToolChoice("tool", "f"), system=(Text(text="S"),)
    )
    assert fields["text"] == {"format": {"type": "json_schema", "name": "p", "schema": {"type": "object"}, "strict": True}}
    assert fields["tool_choice"] == {"type": "function", "name": "f"}
    assert fields["instructions"] == "S"
    again = decode(fields)
    assert (again.response_format, again.tool_choice) == (format, ToolChoice("tool", "f"))


def test_a_choice_the_model_cannot_hold_is_not_forgotten():
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    request = decode({"model": "m", "input": "x", "tool_choice": choice})
    assert request.tool_choice == ToolChoice("required")
    assert "tool_choice.type" in request.extra
    assert encode(request.edit(model="n"))["tool_choice"] == choice


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"prompt": {"id": "pmpt_1"}},
        {"background": True},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
    ],
)
def test_kept_state_needs_a_provider_of_this_dialect(more):
    envelope = dialect.peek(json.dumps({"model": "m", "input": "x", **more}).encode())
    assert dialect.untranslatable(envelope)


def test_a_plain_request_can_go_anywhere():
    body = {
        "model": "m",
        "previous_response_id": None,
        "input": [{"role": "user", "content": '"item_reference"'}],
        "background": False,
    }
    assert dialect.untranslatable(dialect.peek(json.dumps(body).encode())) is None


def test_a_long_call_id_is_shortened_alike_in_call_and_result():
    call, result = ToolCall(id="x" * 80, name="f"), ToolCallResponse(id="x" * 80)
    items = foreign(messages=(Message(role="assistant", parts=(call,)), Message(role="tool", parts=(result,))))["input"]
    assert items[0]["call_id"] == items[1]["call_id"]
    assert len(items[0]["call_id"]) <= 64


texts = st.text(max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), texts)
unknown = st.dictionaries(st.text("xyz", min_size=3, max_size=5), scalars, max_size=2)
items = st.one_of(
    st.builds(
        lambda r, t, x: {"type": "message", "role": r, "content": t, **x}, st.sampled_from(["user", "system"]), texts, unknown
    ),
    st.builds(lambda t, x: {"role": "user", "content": [{"type": "input_text", "text": t, **x}]}, texts, unknown),
    st.builds(lambda t, x: {"type": "function_call", "call_id": "c", "name": "f", "arguments": t, **x}, texts, unknown),
    st.builds(lambda t, x: {"type": "function_call_output", "call_id": "c", "output": t, **x}, texts, unknown),
    st.builds(
        lambda t, x: {"type": "reasoning", "summary": [], "encrypted_content": t, **x}, st.text("abc", max_size=4), unknown
    ),
    st.builds(lambda x: {"type": "mystery", "name": 7, "content": {"a": []}, **x}, unknown),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(items, max_size=6), unknown, st.sampled_from([None, 1, 2]), st.booleans())
def test_unedited_is_identical_whatever_came(found, more, indent, ascii_only):
    body = json.dumps({"model": "m", "input": found, **more}, indent=indent, ensure_ascii=ascii_only).encode()
    before = dialect.peek(body)
    for request in (dialect.decode_request(before), dialect.decode_request(before).edit()):
        after = dialect.encode_request(request, [])
        assert {key: bytes(raw) for key, raw in after.items()} == {key: bytes(raw) for key, raw in before.fields.items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(items, min_size=1, max_size=6), st.data())
def test_an_edit_of_one_result_leaves_all_others(found, data):
    at = data.draw(st.integers(0, len(found)))
    found.insert(at, {"type": "function_call_output", "call_id": "e", "output": "long", "kept": 1})
    before = dialect.peek(json.dumps({"model": "m", "input": found}).encode())
    request = dialect.decode_request(before)
    messages = list(request.messages)
    result = messages[at].parts[0].edit(content=(Text(text="s"),))
    messages[at] = messages[at].edit(parts=(result,))
    after = msgspec.json.decode(dialect.encode_request(request.edit(messages=tuple(messages)), [])["input"], type=list[Raw])
    old = msgspec.json.decode(before.fields["input"], type=list[Raw])
    assert [bytes(raw) for i, raw in enumerate(after) if i != at] == [bytes(raw) for i, raw in enumerate(old) if i != at]
    assert json.loads(bytes(after[at])) == found[at] | {"output": "s"}
