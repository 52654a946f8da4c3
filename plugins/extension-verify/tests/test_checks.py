"""What is found wrong with an answer, and what is not."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from lynkr_core.request import Request, ResponseFormat, Tool, ToolCall
from lynkr_extension_verify.checks import CHECKS, Answer, fault
from lynkr_extension_verify.scripts import wrong_script

ALL = tuple(CHECKS)
SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "mode": {"enum": ["r", "w"]},
        "lines": {"type": ["array", "null"], "items": {"type": "integer"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}
SORRY = "I'm sorry, but I can't help with that."

REFUSALS = (
    "I cannot assist with this request.",
    "К сожалению, я не могу помочь.",
    "抱歉，我无法提供帮助。",
    "Lo siento, pero no puedo hacer eso.",
    "Es tut mir leid, das kann ich nicht.",
)


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def request(schema: Any = SCHEMA, **more: Any) -> Request:
    return Request(dialect="openai.chat", model="m", tools=(Tool(name="edit", parameters=raw(schema)),), **more)


def found(
    text: str = "", *, ask: str = "How are you?", asked: Request | None = None, call: ToolCall | None = None, **more: Any
) -> str:
    answer = Answer(**{"text": text, "calls": (call,) if call else (), "whole": True, "finish": "stop", **more})
    return fault(answer, asked or request(), ask, ALL)[0]


def call(arguments: str, name: str = "edit", **more: Any) -> ToolCall:
    return ToolCall(id="1", name=name, arguments=arguments, **more)


@pytest.mark.parametrize(
    "text", ["Fine, thanks.", "4", "```py\nprint(1)\n```", "a\n" * 3, "| a | b |\n" + "|---|---|\n" * 40, "0" * 3000]
)
def test_good_answers_are_good(text):
    assert found(text) == ""


def test_nothing_is_empty_and_a_call_is_not():
    assert found("  \n") == "empty"
    assert found("", call=call('{"path": "a"}'), finish="tool_calls") == ""
    assert found("", finish="content_filter") == ""
    assert found("", whole=False, finish=None) == ""


def test_cut_for_length_but_not_by_the_callers_own_limit():
    assert found("and then", finish="length") == "truncated"
    assert found("and then", finish="length", output_tokens=50, asked=request(max_tokens=4000)) == "truncated"
    assert found("and then", finish="length", output_tokens=100, asked=request(max_tokens=100)) == ""
    assert found("and then", finish="length", asked=request(max_tokens=100)) == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"path": "a', "arguments that are no JSON"),
        ('["a"]', "arguments that are no object"),
        ("{}", "no 'path'"),
        ('{"path": 5}', "'path' that is no string"),
        ('{"path": "a", "mode": "x"}', "'mode' that is none of the values allowed"),
        ('{"path": "a", "lines": ["1"]}', "an item of 'lines' that is no integer"),
        ('{"path": "a", "lines": [true]}', "an item of 'lines' that is no integer"),
        ('{"path": "a", "colour": 1}', "'colour', which it does not take"),
    ],
)
def test_bad_calls(arguments, why):
    answer = Answer(calls=(call(arguments),), whole=True, finish="tool_calls")
    assert fault(answer, request(), "", ALL) == ("tool_call", f"calls edit with {why}")


@pytest.mark.parametrize(
    "arguments", ['{"path": "a"}', '{"path": "a", "lines": null}', '{"path": "a", "lines": [1, 2.0], "mode": "w"}']
)
def test_good_calls(arguments):
    assert found(call=call(arguments), finish="tool_calls") == ""


def test_tools_that_nobody_offers():
    assert found(call=call("{}", "delete"), finish="tool_calls") == "tool_call"
    own = Request(dialect="openai.chat", model="m", tools=(Tool(name="web", kind="web_search"),))
    assert found(call=call("{}", "delete"), finish="tool_calls", asked=own) == ""
    assert found(call=call("free text", kind="custom"), finish="tool_calls") == ""


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#/x"}, {"anyOf": [{}]}, {"type": "thing"}, {"properties": 5}, {"required": 7}, [], 5, {"enum": {}}, {"type": []}],
)
def test_schemas_that_it_cannot_read_are_kept_by_everybody(schema):
    assert found(call=call('{"a": {"b": [1]}}'), finish="tool_calls", asked=request(schema)) in (
        "",
        "tool_call" if schema == {"type": []} else "",
    )


def test_json_that_was_asked_for():
    asked = request(response_format=ResponseFormat(kind="json_schema", schema=raw({"type": "object", "required": ["n"]})))
    assert found('{"n": 1}', asked=asked) == ""
    assert [found(text, asked=asked) for text in ("Sure! {", '{"m": 1}', "[]")] == ["structure"] * 3
    assert found("{}", asked=request(response_format=ResponseFormat(kind="json_object"))) == ""


@pytest.mark.parametrize("loop", ["I will try again. ", "Let me check the file.\n", "и снова то же самое, ", "abc abd "])
def test_loops(loop):
    assert found("It begins well enough. " + loop * 60) == "repetition"
    assert found("It begins well enough. " + loop * 3) == ""


def test_refusals_in_five_languages_but_no_filter_and_no_talk_of_them():
    for text in (SORRY, *REFUSALS):
        assert found(text, ask="") == "refusal", text
    assert found(SORRY, finish="content_filter") == ""
    assert found("I can't reproduce it here. The test passes on main.") == ""
    assert found(SORRY + " But here is what I can do. " + "Some other words follow here. " * 3 + "x" * 600) == ""
    assert found("no", refused=True) == "refusal"


@pytest.mark.parametrize(
    ("ask", "answer", "wrong"),
    [
        ("Как испечь хлеб дома?", "To bake bread at home you need flour, water, salt and some yeast.", True),
        ("How do I bake bread at home tonight?", "要在家烤面包，你需要面粉、水、盐和酵母，然后把面团揉好放置两个小时。", True),
        ("怎么在家里烤面包？请告诉我", "要在家烤面包，你需要面粉、水、盐和酵母，然后把面团揉好放置两个小时。", False),
        ("Переведи на английский: хлеб пекут дома", "Bread is baked at home, and it needs flour, water and salt.", False),
        (
            "Напиши функцию сортировки",
            "```python\ndef sort(items):\n    return sorted(items, key=lambda item: item.name)\n```",
            False,
        ),
        ("Как дела у тебя сегодня?", "OK", False),
        ("hi", "你好！我能帮你做什么呢？请告诉我你需要什么帮助，我会尽力而为的。", False),
        ("请用英文写一封关于面包的信", "Dear Sir or Madam, I am writing to you about the bread that I bought.", False),
    ],
)
def test_the_wrong_writing(ask, answer, wrong):
    assert bool(wrong_script(ask, answer)) is wrong


def test_checks_take_time_with_the_answers_length_and_no_more():
    """A hundred times as long, and not a thousand times as slow: nothing goes over it again and again."""
    long = "word and word " * 20_000
    began = time.process_time()
    for text in (long, "a" * 280_000, "<" * 280_000, "```" * 90_000, "I'm sorry " * 28_000):
        fault(Answer(text=text, whole=True, finish="stop"), request(), "How do I do it all again?", ALL)
    assert time.process_time() - began < 10
