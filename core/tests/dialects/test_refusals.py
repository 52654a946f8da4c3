"""Which parameter an error names. The error answers are as users quote them in issues of the providers' clients; bodies are hand-made."""

import json

import pytest

from lynkr_core.dialect import Refusal
from lynkr_core.dialects.refusals import refusals

SENT = {
    "model": "m", "messages": [], "temperature": 0.2, "top_p": 0.9, "stop": ["x"], "user": "u", "stream_options": {}, "logprobs": True,
    "presence_penalty": 1, "max_tokens": 9, "reasoning": {"effort": "minimal", "summary": "auto"}, "response_format": {"type": "json_object"},
    "text": {"verbosity": "low", "format": {"type": "json_schema"}}, "inferenceConfig": {"stopSequences": ["x"], "maxTokens": 9},
    "tools": [], "generationConfig": {"topK": 4, "responseSchema": {}}, "context_management": {},
}  # fmt: skip


def openai(message, code=None, param=None):
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def anthropic(message):
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


def extra(*places):
    return [
        {"type": "extra_forbidden", "loc": ["body", *place], "msg": "Extra inputs are not permitted", "input": 1}
        for place in places
    ]


def found(error):
    return refusals(json.dumps(error).encode(), json.dumps(SENT).encode())


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (openai("Unsupported parameter: 'top_p' is not supported with this model.", "unsupported_parameter", "top_p"), "top_p"),
        (openai("Unknown parameter: 'user'.", "unknown_parameter", "user"), "user"),
        (openai("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
                "unsupported_value", "temperature"), "temperature"),
        (openai("no", "unsupported_parameter", "text.verbosity"), "text.verbosity"),
        (openai("Unrecognized request argument supplied: logprobs"), "logprobs"),
        (openai("logprobs is not supported with this model"), "logprobs"),
        (openai("property 'stop' is unsupported"), "stop"),
        (openai("openai does not support parameters: ['presence_penalty'], for model=x"), "presence_penalty"),
        (openai("Extra inputs are not permitted, field: 'stream_options', value: {}"), "stream_options"),
        ({"code": "Client specified an invalid argument", "error": "Argument not supported on this model: presencePenalty"},
         "presence_penalty"),
        (openai("invalid temperature: only 1 is allowed for this model"), "temperature"),
        (anthropic("`temperature` is deprecated for this model."), "temperature"),
        (anthropic("context_management: Extra inputs are not permitted"), "context_management"),
        ({"object": "error", "message": {"detail": extra(["user"])}, "type": "invalid_request_error", "code": 3001}, "user"),
        ({"detail": [{"loc": ["body", "stop"], "msg": "extra fields not permitted"}]}, "stop"),
        ({"message": "Malformed input request: #: extraneous key [top_p] is not permitted, please reformat your input and try again."},
         "top_p"),
        ({"message": "This model doesn't support the stopSequences field. Remove stopSequences and try again."},
         "inferenceConfig.stopSequences"),
    ],
)  # fmt: skip
def test_the_parameter_is_found_where_it_was_sent(error, path):
    assert found(error) == [Refusal(path)]


@pytest.mark.parametrize(
    "key", ["model", "messages", "tools", "response_format", "max_tokens", "text.format", "text", "generationConfig"]
)
def test_what_gives_the_request_its_meaning_is_never_left_out(key):
    assert found(openai("no", "unsupported_parameter", key)) == []
    assert found(openai(f"Unsupported parameter: '{key}' is not supported with this model.")) == []
    assert found(anthropic(f"{key}: Extra inputs are not permitted")) == []


@pytest.mark.parametrize(
    "error",
    [
        openai("seed is not supported", "unsupported_parameter", "seed"),
        openai("temperature must be at most 2", "invalid_value", "temperature"),
        anthropic("prompt is too long"), anthropic("system.1.cache_control.ephemeral.scope: Extra inputs are not permitted"),
        {"detail": extra(["messages", 0, "name"])}, {"detail": extra(["user"], ["messages", 0, "name"])}, [], {}, "x", None, {"error": 5},
        {"error": {"code": "unsupported_parameter", "param": 5, "message": None}}, {"detail": [{"loc": 5}]},
    ],
)  # fmt: skip
def test_what_says_nothing_of_a_parameter_that_was_sent(error):
    assert found(error) == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"<html>temperature is not supported</html>", b"[" * 100_000])
def test_garbage_names_nothing(body):
    assert refusals(body, b"{}") == refusals(b'{"error": "`user` is unsupported"}', body) == []


def test_a_limit_goes_under_its_other_name():
    error = openai("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                   "unsupported_parameter", "max_tokens")  # fmt: skip
    assert found(error) == [Refusal("max_tokens", instead="max_completion_tokens")]


def test_a_value_is_refused_for_itself():
    error = openai("Unsupported value: 'minimal' is not supported with the 'x' model.", "unsupported_value", "reasoning.effort")
    assert found(error) == [Refusal("reasoning.effort", value=b'"minimal"')]


def test_two_that_exclude_each_other():
    error = anthropic("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    assert found(error) == [Refusal("top_p", beside="temperature")]


def test_all_that_are_too_many_are_found_at_once():
    assert found({"detail": extra(["user"], ["stop"])}) == [Refusal("user"), Refusal("stop")]
