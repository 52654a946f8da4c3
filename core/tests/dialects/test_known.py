"""What is read at once is the same, fragments too, as what the careful readers make of it; and nothing in it is left over."""

import json
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.request import Items, Text, placed
from lynkr_core.testing.factories import find_dialect

KEYS = {"anthropic.messages": "messages", "openai.chat": "messages", "openai.responses": "input"}
dialects = pytest.mark.parametrize("name", KEYS)
often = settings(max_examples=200, deadline=None, database=None)
MARK = {"cache_control": {"type": "ephemeral"}}
SIGNED = ["lynkr-x", "abc", "google:abc"]


def some(*pieces):
    return st.lists(st.sampled_from(pieces), max_size=3) | st.sampled_from(["", "hé\n", None])


def mixed(*items):
    return st.sampled_from(items) | st.builds(
        lambda item, more: item | more, st.sampled_from(items), st.sampled_from([MARK, {"x": 1}])
    )


MESSAGES_TEXT = [
    {"type": "text", "text": "a"},
    {"type": "text", "text": "b", **MARK, "citations": [{"url": "u"}]},
    {"type": "text", "text": "", "x": 1},
]
MEDIA = [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
    {"type": "image", "source": {"type": "url", "url": "https://a.invalid/x", "y": 1}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hé"}, "title": "t"},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    {"type": "document", "source": {"type": "file", "file_id": "f"}, **MARK},
]
MESSAGES_BLOCKS = [
    *MESSAGES_TEXT, *MEDIA,
    *[{"type": "thinking", "thinking": "t", "signature": signature} for signature in SIGNED],
    {"type": "redacted_thinking", "data": "gAAAA"},
    {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1.50}, **MARK},
    {"type": "tool_use", "id": "c", "name": "f"},
    {"type": "tool_result", "tool_use_id": "c", "content": [*MESSAGES_TEXT[:2], MEDIA[0]], "is_error": True},
    {"type": "tool_result", "tool_use_id": "c", "content": "plain"},
    {"type": "tool_result", "tool_use_id": "c"},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
]  # fmt: skip
CHAT_PIECES = [
    {"type": "text", "text": "a"}, {"type": "text", "text": "b", **MARK}, {"type": "text", "text": "c", "x": 1}, {"text": "untyped"},
    {"type": "image_url", "image_url": "data:image/png;base64,aGk="}, {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
    {"type": "file", "file": {"file_id": "f"}},
]  # fmt: skip
CHAT_CALLS = [
    {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}, {"function": {"name": "g", "arguments": ""}},
    {"id": "d", "function": {"name": "f", "arguments": {"a": 1}}}, {"id": "e", "type": "custom", "custom": {"name": "f", "input": "x"}},
    {"id": "h", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "s"}}},
]  # fmt: skip
RESPONSES_PIECES = [
    {"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b", "annotations": [], "logprobs": []},
    {"type": "output_text", "text": "c", "annotations": [{"type": "url_citation"}]}, {"type": "input_text", "text": "d", "x": 1},
    {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"}, {"type": "input_image", "file_id": "f"},
    {"type": "refusal", "refusal": "no"},
]  # fmt: skip
CONVERSATIONS = {
    "anthropic.messages": st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": some(*MESSAGES_BLOCKS)}),
    "openai.chat": st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "developer"]), "content": some(*CHAT_PIECES)}),
        st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.just("c"), "content": some(*CHAT_PIECES)}),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": some(*CHAT_PIECES)},
            optional={
                "tool_calls": st.lists(st.sampled_from(CHAT_CALLS), max_size=2) | st.none(), "refusal": st.sampled_from([None, "no"]),
                "reasoning_content": st.sampled_from([None, "", "hm"]), "annotations": st.sampled_from([None, [], [{"type": "url"}]]),
                "audio": st.sampled_from([None, {"id": "a"}]), "function_call": st.none(), "name": st.just("n"), "x": st.just(1),
            },
        ),
    ),
    "openai.responses": st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "developer"]), "content": some(*RESPONSES_PIECES)},
            optional={"type": st.just("message"), "id": st.just("m"), "status": st.just("completed")},
        ),
        mixed(
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}', "id": "i"},
            {"type": "function_call", "call_id": "c", "name": "f", "namespace": "n"},
            {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
            {"type": "function_call_output", "call_id": "c", "output": "o"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": RESPONSES_PIECES[:1]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "gAAAA"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "lynkr:encrypted:x"},
            {"type": "web_search_call", "id": "w"},
        ),
    ),
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {}}
TOOLS = {
    "anthropic.messages": mixed({"name": "f", "input_schema": SCHEMA, "description": "d"}, {"name": "f", "type": "bash_20250124"}),
    "openai.chat": mixed(
        {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}, {"function": {"name": "f", "x": 1}},
        {"type": "custom", "custom": {"name": "f"}},
    ),
    "openai.responses": mixed(
        {"type": "function", "name": "f", "parameters": SCHEMA, "strict": None}, {"type": "custom", "name": "f", "format": {}},
        {"type": "web_search"}, {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
    ),
}  # fmt: skip
READERS = {
    "anthropic.messages": ("read_known_messages", "read_known_system", "read_known_tools"),
    "openai.chat": ("read_known_messages", "read_known_tools"),
    "openai.responses": ("read_known_input", "read_known_tools"),
}


def read(name, fields):
    dialect = find_dialect(name)
    request = dialect.decode_request(dialect.peek(json.dumps(fields, ensure_ascii=False).encode()))
    return request, list(dialect.leftovers(request))


def carefully(name, fields):
    module = import_module(f"lynkr_core.dialects.{name.replace('.', '_')}.request")
    with pytest.MonkeyPatch.context() as patch:
        for reader in READERS[name]:
            patch.setattr(module, reader, lambda raw: None)
        return read(name, fields)


@dialects
@often
@given(st.data())
def test_it_makes_no_difference_how_a_request_is_read(name, data):
    conversation = data.draw(st.lists(CONVERSATIONS[name], max_size=2))
    fields = {"model": "m", "max_tokens": 9, KEYS[name]: conversation, "tools": data.draw(st.lists(TOOLS[name], max_size=1))}
    if name == "anthropic.messages":
        fields["system"] = data.draw(some(*MESSAGES_TEXT))
    request, left = read(name, fields)
    assert (request, left) == carefully(name, fields)
    assert [bytes(message.native) for message in request.messages] == [
        bytes(m.native) for m in carefully(name, fields)[0].messages
    ]


@dialects
def test_most_requests_are_read_at_once(name):
    fields = {"model": "m", "max_tokens": 9, KEYS[name]: [{"type": "message", "role": "user", "content": "hi"}]}
    if name != "openai.responses":
        del fields[KEYS[name]][0]["type"]
    assert read(name, fields)[0].messages[0].known
    assert not carefully(name, fields)[0].messages[0].known


def test_a_fragment_is_cut_out_when_it_is_asked_for():
    outer = Items(Raw(b'[{"content":[ 1, {"a" : 2.50}]}]'))
    inner = Items(placed(outer, 0), "content")
    part = Text(text="x", native=placed(inner, 1))
    assert (inner.cut, outer.cut) == (None, None)
    assert bytes(part.edit(text="y").native) == b'{"a" : 2.50}'
    assert part == Text(text="x", native=Raw(b'{"a" : 2.50}'))
    assert part.known
    assert not Text(text="x", native=Raw(b"1")).known
    with pytest.raises(AttributeError):
        part.native = None
