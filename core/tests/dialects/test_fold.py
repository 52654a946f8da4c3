"""Streams folded into whole responses and back."""

import msgspec
import pytest
from msgspec import Raw

from lynkr_core.dialects.fold import Fold, fold, unfold
from lynkr_core.errors import UpstreamError
from lynkr_core.events import Delta, Failure, Finish, Grammar, Logprobs, PartEnd, PartStart, Start, UsageEvent
from lynkr_core.request import Choice, Reasoning, Response, Text, ToolCall, Usage

RESPONSE = Response(
    dialect="d", id="r", model="m", created=7, service_tier="default", usage=Usage(input_tokens=3, output_tokens=2),
    choices=(
        Choice(
            parts=(Reasoning(text="t", signature="s", encrypted="e", id="rs"), Text(text="x", annotations=Raw(b'[{"a":1.0}]')),
                   ToolCall(id="a", name="f", arguments='{"x": 1.0}'), ToolCall(id="b", name="g", arguments="free", kind="custom")),
            finish_reason="tool_calls", logprobs=Raw(b'{"content":[1.0]}'),
        ),
        Choice(parts=(Text(text="no", refusal=True),), finish_reason="stop", stop_sequence="END"),
    ),
)  # fmt: skip


def test_unfold_and_fold_are_opposites_and_keep_the_grammar():
    grammar = Grammar()
    assert fold([grammar.check(event) for event in unfold(RESPONSE)], "d") == RESPONSE


def test_pieces_are_put_together():
    events = [Start(id="r", model="m"), PartStart(0, Text(text="")), Delta(0, "a"), Delta(0, "[1]", "annotations"), Delta(0, "b"),
              Delta(0, '{"k":2.0}', "annotations"), PartEnd(0), Logprobs(Raw(b'{"content":[1],"refusal":null}')),
              Logprobs(Raw(b'{"content":[2],"refusal":null}')), Finish("stop")]  # fmt: skip
    choice = fold(events).choices[0]
    assert choice.parts == (Text(text="ab", annotations=Raw(b'[1,{"k":2.0}]')),)
    assert msgspec.json.decode(choice.logprobs) == {"content": [1, 2], "refusal": None}


def test_a_function_without_arguments_has_an_empty_object():
    call = ToolCall(id="a", name="f", arguments="")
    assert fold([Start(id="r", model="m"), PartStart(0, call), PartEnd(0), Finish("stop")]).choices[0].parts[0].arguments == "{}"


def test_the_last_usage_counts():
    events = [Start(id="r", model="m", usage=Usage(input_tokens=1)), UsageEvent(Usage(input_tokens=2)), Finish("stop")]
    assert fold(events).usage == Usage(input_tokens=2)
    assert fold(events[:1]).usage == Usage(input_tokens=1)


def test_a_failure_is_raised_and_what_came_before_it_is_kept():
    gathered = Fold("d")
    for event in unfold(RESPONSE)[:3]:
        gathered.add(event)
    with pytest.raises(UpstreamError, match="gone"):
        gathered.add(Failure(UpstreamError("cut", "gone")))
    assert gathered.response().choices[0].finish_reason == "error"
    assert gathered.response().choices[0].parts[0].text == "t"
