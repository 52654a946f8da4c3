from __future__ import annotations

from typing import Any

import msgspec
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from lynkr_core import UpstreamError
from lynkr_core.dialects.fold import fold
from lynkr_core.events import End, Failure, Finish, UsageEvent
from lynkr_core.request import Reasoning, Text, ToolCall, Usage
from lynkr_core.testing.contracts import fuzz
from lynkr_core.testing.contracts.streams import comparable, decoded, splits, spoken
from lynkr_core.testing.eventstream import event, exception, frame
from lynkr_core.testing.factories import find_dialect
from lynkr_provider_bedrock.converse import Converse

DIALECT = Converse()
# hand-made from botocore 1.44.5's service model of bedrock-runtime
USAGE = {"inputTokens": 40, "outputTokens": 20, "totalTokens": 145, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 25,
         "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 5}]}  # fmt: skip
COUNTED = Usage(input_tokens=125, output_tokens=20, cache_read=60, cache_write=25, cache_write_1h=5, service="flex")
CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "Hm 🤔 so.", "signature": "c2ln"}}},
    {"reasoningContent": {"redactedContent": "cmVkYWN0ZWQ="}},
    {"text": 'Grüße "\\\n'}, {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"x": [1, None]}}},
    {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
]  # fmt: skip
PARTS = [
    Reasoning(text="Hm 🤔 so.", signature="c2ln"), Reasoning(encrypted="cmVkYWN0ZWQ="), Text(text='Grüße "\\\n'),
    ToolCall(id="t1", name="f", arguments='{"x":[1,null]}'), ToolCall(id="t2", name="g", arguments="{}"),
]  # fmt: skip
WHOLE: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": CONTENT}}, "stopReason": "tool_use", "usage": USAGE,
    "metrics": {"latencyMs": 5}, "serviceTier": {"type": "flex"},
}  # fmt: skip


def delta(index: int, **piece: Any) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": index, "delta": piece, "p": "abcd"})


def stop(index: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": index})


def call(index: int, id: str, name: str, *pieces: str) -> list[bytes]:
    start = {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}}
    return [event("contentBlockStart", start), *[delta(index, toolUse={"input": piece}) for piece in pieces], stop(index)]


METADATA = event("metadata", {"usage": USAGE, "metrics": {"latencyMs": 5}, "serviceTier": {"type": "flex"}})
STREAM = [
    event("messageStart", {"role": "assistant"}), delta(0, reasoningContent={"text": "Hm 🤔"}), delta(0, reasoningContent={"text": " so."}),
    delta(0, reasoningContent={"signature": "c2ln"}), stop(0), delta(1, reasoningContent={"redactedContent": "cmVkYWN0ZWQ="}), stop(1),
    delta(2, text="Grü"), event("someday", {"new": 1}), delta(2, text='ße "\\\n'), stop(2), *call(3, "t1", "f", '{"x":[', "1,null]}"),
    *call(4, "t2", "g"), event("messageStop", {"stopReason": "tool_use"}), METADATA,
]  # fmt: skip


def test_a_whole_answer() -> None:
    response = DIALECT.decode_response(msgspec.json.encode(WHOLE))
    assert list(response.choices[0].parts) == PARTS
    assert (response.choices[0].finish_reason, response.usage, response.service_tier) == ("tool_calls", COUNTED, "flex")
    assert DIALECT.usage(msgspec.json.encode(WHOLE)) == COUNTED


def test_a_stream_says_the_same_as_the_whole() -> None:
    events = decoded(DIALECT, STREAM)
    assert comparable(fold(events).choices) == comparable(DIALECT.decode_response(msgspec.json.encode(WHOLE)).choices)
    assert isinstance(events[-1], End)
    assert isinstance(events[-2], UsageEvent)
    assert events[-2].usage == COUNTED


def test_botocore_reads_the_same_answer(service: ServiceModel) -> None:
    shape = service.operation_model("Converse").output_shape
    raw = {"status_code": 200, "headers": {"x-amzn-requestid": "r"}, "body": msgspec.json.encode(WHOLE)}
    parsed = create_parser("rest-json").parse(raw, shape)
    assert parsed["output"]["message"]["content"][1] == {"reasoningContent": {"redactedContent": b"redacted"}}
    assert parsed["output"]["message"]["content"][3]["toolUse"]["input"] == {"x": [1, None]}
    assert parsed["usage"] == USAGE


def test_botocore_reads_the_same_stream(service: ServiceModel) -> None:
    """The text, calls and stop reason that botocore's event parser finds are those that we do."""
    shape = service.operation_model("ConverseStream").output_shape.members["stream"]
    parser = create_parser("rest-json")._event_stream_parser
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(STREAM))
    found = [parser.parse(message.to_response_dict(), shape) for message in buffer]
    deltas = [one["contentBlockDelta"]["delta"] for one in found if "contentBlockDelta" in one]
    ours = fold(decoded(DIALECT, STREAM)).choices[0]
    assert "".join(one.get("text", "") for one in deltas) == ours.parts[2].text
    assert "".join(one["toolUse"]["input"] for one in deltas if "toolUse" in one) == ours.parts[3].arguments
    assert [one["messageStop"]["stopReason"] for one in found if "messageStop" in one] == ["tool_use"]
    assert found[-1]["metadata"]["usage"] == USAGE


def test_a_stream_is_the_same_however_it_is_cut() -> None:
    whole = spoken(decoded(DIALECT, STREAM))[1:]  # the first has an id of ours
    for pieces in splits(b"".join(STREAM)):
        assert spoken(decoded(DIALECT, pieces))[1:] == whole


@pytest.mark.parametrize("kept", range(len(STREAM)))
def test_a_stream_ends_only_after_its_message_has_stopped(kept: int) -> None:
    whole = kept >= len(STREAM) - 1
    for torn in (b"", STREAM[kept][:-1]):
        last = decoded(DIALECT, [*STREAM[:kept], torn])[-1]
        assert isinstance(last, End if whole and not torn else Failure)
        assert isinstance(last, End) or last.error.kind == "cut"


def test_a_garbled_stream_is_a_failure() -> None:
    stream = b"".join(STREAM)
    for place in range(0, len(stream), 37):
        for junk in (b"\x00\xff", b"\n\ndata: []\n\n", b'{"message":"x"}' * 3):
            last = decoded(DIALECT, [stream[:place] + junk + stream[place:]])[-1]
            assert isinstance(last, Failure | End)
            assert isinstance(last, Failure) or place >= len(stream) - 37
    assert isinstance(decoded(DIALECT, [b"<!doctype html><title>Sign in</title>"])[-1], Failure)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b"\xff", b'{"delta":7}', b'{"delta":{"text":7}}', b'{"delta":{"toolUse":[]}}']
)
def test_events_of_wrong_shapes_are_a_failure(payload: bytes) -> None:
    bad = frame(payload, event_type="contentBlockDelta", message_type="event")
    last = decoded(DIALECT, [STREAM[0], bad])[-1]
    assert isinstance(last, Failure)
    assert last.error.kind == "server"


def test_what_bedrock_runs_itself_is_not_for_the_caller() -> None:
    opened = {
        "contentBlockIndex": 0,
        "start": {"toolUse": {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use"}},
    }
    shown = {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "s1", "status": "success"}}}
    stream = [STREAM[0], event("contentBlockStart", opened), delta(0, toolUse={"input": "{}"}), stop(0), event("contentBlockStart", shown),
              delta(1, toolResult=[{"text": "found"}]), stop(1), delta(2, text="So."), delta(2, citation={"title": "t"}), stop(2),
              event("messageStop", {"stopReason": "end_turn"}), METADATA]  # fmt: skip
    assert fold(decoded(DIALECT, stream)).choices[0].parts == (Text(text="So."),)


def test_redacted_reasoning_in_pieces_is_one() -> None:
    halves = [delta(0, reasoningContent={"redactedContent": half}) for half in ("cmVk", "YWN0ZWQ=")]
    (part,) = fold(decoded(DIALECT, [STREAM[0], *halves, stop(0), *STREAM[-2:]])).choices[0].parts
    assert part == Reasoning(encrypted="cmVkYWN0ZWQ=")


@pytest.mark.parametrize(
    ("word", "reason"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("model_context_window_exceeded", "length"),
     ("content_filtered", "content_filter"), ("guardrail_intervened", "content_filter"), ("malformed_tool_use", "error"), ("new", "stop")],
)  # fmt: skip
def test_reasons_to_stop(word: str, reason: str) -> None:
    more = {"stopReason": word, "additionalModelResponseFields": {"stop_sequence": "END"}}
    choice = DIALECT.decode_response(msgspec.json.encode({**WHOLE, **more})).choices[0]
    assert (choice.finish_reason, choice.stop_sequence) == (reason, "END")
    events = decoded(DIALECT, [STREAM[0], event("messageStop", more)])
    assert events[1:] == [Finish(reason, "END"), events[-1]]


def test_every_reason_to_stop_that_botocore_knows_is_known(service: ServiceModel) -> None:
    from lynkr_provider_bedrock.response import FINISH

    assert set(FINISH) == set(service.shape_for("StopReason").enum)


def test_a_broken_answer_raises_nothing_but_an_upstream_error() -> None:
    for place, body in fuzz.mutations(msgspec.json.encode(WHOLE)):
        try:
            DIALECT.decode_response(body)
        except UpstreamError:
            continue
        except Exception as error:
            raise AssertionError(f"{place}: {error!r}") from error
    for body in fuzz.NO_OBJECTS:
        with pytest.raises(UpstreamError):
            DIALECT.decode_response(body)


ERRORS = [
    (429, "ThrottlingException", "Too many tokens, please wait before trying again.", "rate_limited"),
    (429, "ModelNotReadyException", "Model is not ready", "warming"), (408, "ModelTimeoutException", "took too long", "timeout"),
    (424, "ModelErrorException", "unexpected", "server"), (500, "InternalServerException", "x", "server"),
    (503, "ServiceUnavailableException", "x", "overloaded"), (400, "ServiceQuotaExceededException", "x", "quota"),
    (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", "auth"),
    (403, "ExpiredTokenException", "The security token included in the request is expired", "auth"),
    (404, "ResourceNotFoundException", "This model version has reached the end of its life.", "not_found"),
    (400, "ValidationException", "The provided model identifier is invalid.", "not_found"),
    (400, "ValidationException", "Invocation of model ID x with on-demand throughput isn’t supported.", "not_found"),
    (400, "ValidationException", "The model returned the following errors: prompt is too long: 9 tokens > 8 maximum", "context"),
    (400, "ValidationException", "expected maxLength: 5, actual: 9", "context"), (400, "ValidationException", "messages: bad", "invalid"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "name", "message", "kind"), ERRORS)
def test_errors_by_the_name_of_the_exception(status: int, name: str, message: str, kind: str) -> None:
    for headers, body in (
        ({b"x-amzn-errortype": f"{name}:http://internal/".encode()}, {"message": message}),
        ({}, {"__type": f"com.amazon.coral.service#{name}", "Message": message}),
    ):
        error = DIALECT.decode_error(status, headers, msgspec.json.encode(body))
        assert (error.kind, error.status, error.code, error.message) == (kind, status, name, message)


@pytest.mark.parametrize(("status", "name", "message", "kind"), ERRORS)
def test_exceptions_in_a_stream(status: int, name: str, message: str, kind: str) -> None:
    last = decoded(DIALECT, [STREAM[0], exception(name[0].lower() + name[1:], {"message": message})])[-1]
    assert isinstance(last, Failure)
    assert (last.error.kind, last.error.message) == (kind, message)


def test_every_exception_that_botocore_knows_has_a_kind(service: ServiceModel) -> None:
    names = {shape.name for shape in service.operation_model("Converse").error_shapes}
    names |= {shape.name for shape in service.operation_model("InvokeModel").error_shapes}
    names |= {
        name for name, shape in service.shape_for("ConverseStreamOutput").members.items() if shape.metadata.get("exception")
    }
    for name in names - {"ValidationException", "validationException"}:
        assert DIALECT.decode_error(400, {b"x-amzn-errortype": name.encode()}, b"{}").kind != "invalid", name


def test_an_error_frame_is_a_failure() -> None:
    bad = frame(b"", message_type="error", error_code="InternalError", error_message="broke")
    last = decoded(DIALECT, [STREAM[0], bad])[-1]
    assert isinstance(last, Failure)
    assert (last.error.kind, last.error.message, last.error.code) == ("server", "broke", "InternalError")


@pytest.mark.parametrize(
    "body",
    [b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}', b'{"message":"gone wrong"}'],
)
def test_an_error_inside_a_200(body: bytes) -> None:
    with pytest.raises(UpstreamError, match=r"Unknown|gone wrong"):
        DIALECT.decode_response(body)


@pytest.mark.parametrize("status", [400, 429, 500])
def test_any_error_body_is_classified(status: int) -> None:
    for body in fuzz.ERRORS:
        error = DIALECT.decode_error(status, {}, body)
        assert (error.status, bool(error.message)) == (status, True)


def test_it_is_found_by_its_name() -> None:
    assert type(find_dialect("bedrock.converse")) is Converse
