"""What is decided without a pattern or a second look, because it nearly always can be, is decided as it would be with one."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from lynkr_core.dialects import callids
from lynkr_core.dialects.names import safe_id, safe_name
from lynkr_core.request import Message, Request, Text, Tool, ToolCall, ToolCallResponse
from lynkr_core.testing.factories import find_dialect

quick = settings(max_examples=200, deadline=None, database=None)
WORDS = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("abcXYZ019_-"), max_size=70)
IDS = st.sampled_from(["a", "b", "c"])
CALLS = st.lists(IDS, max_size=4)


@quick
@given(WORDS)
def test_a_name_or_id_stays_when_the_pattern_says_so(word):
    assert (safe_name(word) == word) is bool(re.fullmatch("[a-zA-Z0-9_-]{1,64}", word))
    assert (safe_id(word) == word) is bool(re.fullmatch("[a-zA-Z0-9_-]+", word))


@pytest.mark.parametrize("id", ["call_1", "call_1__lynkr-b-QUJD", "__lynkr-t-", ""])
def test_an_id_is_bare_without_its_signature(id):
    assert callids.bare(id) == callids.unpack(id)[0]


@quick
@given(CALLS, CALLS, st.booleans())
def test_each_call_has_one_result_and_each_result_its_call_whatever_came(called, answered, before):
    """Results stand first in their turn; what has no call is said in words."""
    calls = tuple([ToolCall(id=id, name="f") for id in called])
    rest = (Text(text="and"),)
    results = tuple([ToolCallResponse(id=id, content=(Text(text=f"was {id}"),)) for id in answered])
    parts = (*rest, *results) if before else (*results, *rest)
    messages = (Message(role="user", parts=(Text(text="go"),)), Message(role="assistant", parts=calls))
    request = Request(dialect="x", model="m", messages=(*messages, Message(role="user", parts=parts)))
    fields = find_dialect("anthropic.messages").encode_request(request, [])
    turns = msgspec.json.decode(msgspec.json.encode(fields["messages"]))
    asked = [block["id"] for turn in turns for block in turn["content"] if block["type"] == "tool_use"]
    last = turns[-1]["content"]
    kinds = [block["type"] == "tool_result" for block in last]
    assert kinds == sorted(kinds, reverse=True)
    assert sorted(asked) == sorted([block["tool_use_id"] for block in last if block["type"] == "tool_result"])


@pytest.mark.parametrize(
    ("schema", "same"),
    [
        ('{"type":"object","properties":{}}', True),
        ('{"type": "object", "properties": {}}', True),
        ('{"properties":{},"type":"object"}', True),
        ('{"type":"object"}', True),
        ('{"type":"objects","properties":{}}', False),
        ('{"properties":{"type":"object"}}', False),
    ],
)
def test_a_schema_of_an_object_stays_as_it_came(schema, same):
    tool = Tool(name="f", parameters=Raw(schema.encode()))
    request = Request(dialect="x", model="m", messages=(Message(role="user", parts=(Text(text="go"),)),), tools=(tool,))
    (sent,) = find_dialect("anthropic.messages").encode_request(request, [])["tools"]
    assert (sent["input_schema"] == tool.parameters) is same
    assert msgspec.json.decode(msgspec.json.encode(sent["input_schema"]))["type"] == "object"
