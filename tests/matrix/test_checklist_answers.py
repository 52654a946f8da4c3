"""Lines 19 to 27 of the translation checklist: answers, whole and streamed."""

from __future__ import annotations

import msgspec
import pytest

from lynkr_core import sse
from lynkr_core.testing.canned import encoded

from . import column_anthropic_messages, column_openai_chat, column_openai_responses
from .asking import CHAT, COLUMN, CROSSED, FRONT, MESSAGES, RESPONSES, Asking
from .features import ODD_TEXT, SCHEMA

pytestmark = pytest.mark.anyio
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
says = {CHAT: column_openai_chat.says, MESSAGES: column_anthropic_messages.says, RESPONSES: column_openai_responses.says}
text = {CHAT: lambda t: {"content": t}, MESSAGES: column_anthropic_messages.text, RESPONSES: column_openai_responses.text}
ENDS = {"end": "stop", "end for calls": "tool_calls", "end at the limit": "length", "end by a filter": "content_filter"}


@streams
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_19_stop_reasons(ask: Asking, front, back, end, stream):
    asked = await ask(front, back, COLUMN[back].answers[end], stream)
    assert asked.heard()["end"] == FRONT[front].expects.get(end, ENDS[end])


@pytest.mark.parametrize(
    ("word", "end"),
    [("pause_turn", "stop"), ("model_context_window_exceeded", "length"), ("stop_sequence", "stop"), ("unheard_of", "stop")],
)
async def test_line_19_rarer_stop_reasons(ask: Asking, word, end):
    script = column_anthropic_messages.says(text[MESSAGES]("x"), stop=word)
    assert (await ask(CHAT, MESSAGES, script)).heard()["end"] == end


@streams
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_20_tokens_are_counted_once_and_the_cached_ones_in_each_apis_way(ask: Asking, front, back, stream):
    asked = await ask(front, back, COLUMN[back].answers["tokens"], stream)
    heard = asked.heard()
    assert (heard["tokens"], heard["cached"], heard["written"], heard["reasoning"]) == ((100, 20), 60, 30, 5)
    if front == MESSAGES and not stream:
        assert asked.answer.json()["usage"]["input_tokens"] == 10, "this API counts the cached ones apart"


@pytest.mark.parametrize("back", [CHAT, RESPONSES])
async def test_line_20_input_tokens_are_there_from_the_start_and_right_at_the_end(ask: Asking, back):
    events = (await ask(MESSAGES, back, COLUMN[back].answers["tokens"], stream=True)).events()
    assert events[0]["message"]["usage"]["input_tokens"] > 0
    assert events[-2]["usage"]["input_tokens"] == 10


@pytest.mark.parametrize("back", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("asked_for", [True, False])
async def test_line_21_chunks(ask: Asking, back, asked_for):
    """One id, `finish_reason` in each, the role first, `[DONE]` last; usage when it was asked for, and then alone."""
    options = {"include_usage": asked_for}
    asked = await ask(CHAT, back, COLUMN[back].answers["parallel calls"], stream=True, stream_options=options)
    chunks = asked.events()
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all("finish_reason" in choice for chunk in chunks for choice in chunk["choices"])
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert asked.answer.body.endswith(b"data: [DONE]\n\n")
    assert [chunk["choices"] for chunk in chunks if "usage" in chunk] == ([[]] if asked_for else [])


async def test_line_21_usage_is_asked_of_the_provider_and_not_shown_to_who_did_not(ask: Asking):
    for front in (MESSAGES, RESPONSES):
        assert (await ask(front, CHAT, stream=True)).sent["stream_options"] == {"include_usage": True}
        assert "usage" not in (await ask(CHAT, front, stream=True, stream_options={"include_usage": False})).answer.text


@pytest.mark.parametrize("back", [CHAT, MESSAGES])
async def test_line_22_the_responses_stream(ask: Asking, back):
    asked = await ask(RESPONSES, back, COLUMN[back].answers["text"], stream=True, tools=[FRONT[RESPONSES].tools("f")])
    events = asked.events()
    kinds = [event["type"].removeprefix("response.") for event in events if not event["type"].endswith("delta")]
    assert kinds == ["created", "in_progress", "output_item.added", "content_part.added", "output_text.done", "content_part.done",
                     "output_item.done", "completed"]  # fmt: skip
    whole = events[-1]["response"]
    assert whole["tools"][0]["name"] == "f"
    assert {"tool_choice", "parallel_tool_calls", "incomplete_details", "error", "metadata", "temperature"} <= set(whole)
    assert set(whole["usage"]["input_tokens_details"]) == {"cached_tokens", "cache_write_tokens"}


@pytest.mark.parametrize(("end", "status"), [("end at the limit", "incomplete"), ("end", "completed")])
async def test_line_22_ends_say_what_they_are(ask: Asking, end, status):
    asked = await ask(RESPONSES, CHAT, COLUMN[CHAT].answers[end], stream=True)
    assert asked.events()[-1]["type"] == f"response.{status}"


@pytest.mark.parametrize("back", [CHAT, RESPONSES])
async def test_line_23_the_messages_stream(ask: Asking, back):
    asked = await ask(MESSAGES, back, COLUMN[back].answers["text"], stream=True)
    kinds = [event["type"] for event in asked.events()]
    assert (kinds.count("message_start"), kinds.count("message_stop"), kinds[-1]) == (1, 1, "message_stop")
    assert b"[DONE]" not in asked.answer.body
    if back == RESPONSES:
        assert "ping" in kinds, "the provider's keep-alive is passed on in this API's way"


FORMATS = {
    CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
    MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    RESPONSES: {"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}},
}


@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_24_the_schema_reaches_the_provider_and_its_json_the_caller(ask: Asking, front, back):
    answer = text[back]('{"x":1}')
    script = says[back](answer)
    asked = await ask(front, back, script, **FORMATS[front])
    assert encoded(SCHEMA) in encoded(asked.sent)
    assert asked.heard()["text"] == '{"x":1}'


@pytest.mark.parametrize("key", ["previous_response_id", "conversation", "background"])
async def test_line_25_what_another_provider_keeps_is_refused_and_never_forgotten(ask: Asking, key):
    asked = await ask(RESPONSES, MESSAGES, **{key: True if key == "background" else "resp_1"})
    assert (asked.answer.status, asked.sent) == (400, None)
    assert key in asked.answer.text


@streams
async def test_line_26_refusals_citations_and_log_probabilities_where_both_have_them(ask: Asking, stream):
    for feature, key in (("refusal", "refusal"), ("citations", "citations"), ("log probabilities", "logprobs")):
        for front, back in ((CHAT, RESPONSES), (RESPONSES, CHAT)):
            assert (await ask(front, back, COLUMN[back].answers[feature], stream)).heard()[key], (feature, front)


@streams
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_line_27_every_character_is_exact(ask: Asking, front, back, stream):
    asked = await ask(front, back, says[back](text[back](ODD_TEXT)), stream)
    assert asked.heard()["text"] == ODD_TEXT


async def test_line_27_line_ends_of_a_stream_may_be_any_and_data_of_several_lines(ask: Asking):
    script = COLUMN[CHAT].answers["text"]
    crlf = script.but(events=tuple([event.replace(b"\n", b"\r\n") for event in script.events]))
    halves = [event.replace(b',"choices"', b',\ndata: "choices"') for event in script.events]
    for one in (crlf, script.but(events=tuple(halves))):
        assert (await ask(MESSAGES, CHAT, one, stream=True)).heard()["text"] == COLUMN_TEXT


async def test_line_27_an_emoji_cut_in_two_by_the_provider_is_whole_again(ask: Asking):
    """As JavaScript servers do, whose strings are of UTF-16; each half is an escape of its own."""
    chunk = sse.event(encoded(column_openai_chat.chunk({"index": 0, "delta": {"content": "HALF"}, "finish_reason": None})))
    halves = [chunk.replace(b"HALF", half) for half in (rb"a \ud83d", rb"\ude00 b")]
    script = COLUMN[CHAT].answers["empty pieces"]
    script = script.but(events=(script.events[0], *halves, *script.events[4:]))
    asked = await ask(MESSAGES, CHAT, script, stream=True)
    assert asked.heard()["text"].startswith("a 😀 b")


COLUMN_TEXT = msgspec.json.decode(COLUMN[CHAT].answers["text"].body)["choices"][0]["message"]["content"]
