"""The suite for compressors passes for good ones and fails for bad ones."""

import pytest

COMPRESSOR = """
import re
from lynkr_core.remarks import save
from lynkr_core.request import Text, ToolCallResponse
from lynkr_core.testing.contracts.compressor import CompressorContract

COLOURS = re.compile(r"\\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\\\\\))")

class Plain:
    def __init__(self, config, context):
        self.name, self.count, self.calls = context.name, context.tokens.count, 0

    def short(self, text):
        return COLOURS.sub("", text)

    def part(self, part):
        if isinstance(part, ToolCallResponse):
            content = tuple([self.part(inner) for inner in part.content])
            return part if content == part.content else part.edit(content=content)
        if not isinstance(part, Text) or "[" not in part.text:
            return part
        short = self.short(part.text)
        return part.edit(text=short) if self.count(short) < self.count(part.text) else part

    def message(self, message, place, last):
        if message.role == "assistant":
            return message
        parts = tuple([self.part(part) if isinstance(part, ToolCallResponse) else part for part in message.parts])
        return message if parts == message.parts else message.edit(parts=parts)

    def transform_request(self, exchange, request):
        self.calls += 1
        messages = tuple([self.message(m, place, len(request.messages) - 1) for place, m in enumerate(request.messages)])
        if messages == request.messages:
            return None
        new = request.edit(messages=messages)
        save(exchange, self.name, self.tokens(request) - self.tokens(new))
        return new

    def tokens(self, request):
        return sum(self.count(t.text) for m in request.messages for p in m.parts if isinstance(p, ToolCallResponse)
                   for t in p.content if isinstance(t, Text))

class TestPlain(CompressorContract):
    plugin = plugin_of(Plain)
    examples = 20

    def expand(self, request):
        return request
"""


def test_a_good_compressor_passes(run_suite):
    assert set(run_suite(COMPRESSOR).results.values()) == {"passed"}


@pytest.mark.parametrize(
    ("old", "new", "failing"),
    [
        ("sub(\"\", text)", "sub(str(self.calls), text)", "test_the_same_request_gives_the_same_bytes"),
        ('if message.role == "assistant"', "if place == last", "test_what_was_sent_stays_as_it_was_sent"),
        ("if self.count(short) < self.count(part.text) else part", "", "test_nothing_gets_larger"),
        ("sub(\"\", text)", "sub(\"\", text)[:200]", "test_what_is_left_out_can_be_found_again"),
        ("sub(\"\", text)", "sub(\"\", text)[:200]", "test_whatever_a_tool_gives_is_kept_and_not_larger"),
        ("self.tokens(request) - self.tokens(new)", "0", "test_what_is_saved_is_told"),
        ("return None", "return request.edit(temperature=1.0)", "test_a_greeting_is_left_alone"),
        ("request.edit(messages=messages)", "request.edit(messages=messages, tools=())", "test_what_must_not_be_touched_is_not"),
        ("request.edit(messages=messages)", "request.edit(messages=messages, seed=8)", "test_what_must_not_be_touched_is_not"),
        ("self.calls += 1", "[p.content[0].text[0] for m in request.messages for p in m.parts if isinstance(p, ToolCallResponse)]",
         "test_odd_results_are_no_reason_to_fail"),
    ],
)  # fmt: skip
def test_a_bad_compressor_fails(run_suite, old, new, failing):
    assert old in COMPRESSOR
    source = COMPRESSOR.replace(old, new)
    if "larger" in failing and not new:
        source = source.replace('COLOURS.sub("", text)', 'COLOURS.sub("<colour/>" * 9, text)')
    assert failing in run_suite(source, failing).failed


def test_a_lossy_one_says_so(run_suite):
    source = COMPRESSOR.replace('sub("", text)', 'sub("", text)[:2000]')
    assert run_suite(source + "\n    lossless = False\n").failed == set()
