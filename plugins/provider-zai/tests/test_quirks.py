from __future__ import annotations

from typing import Any

import pytest

from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.recording import adapted, recorded
from lynkr_provider_zai import Config, plugin

ASKED = {"role": "user", "content": "a"}


def chat(body: dict[str, Any], model: str = "glm-4.6", **settings: Any) -> tuple[dict[str, Any], list[str]]:
    return adapted(recorded(plugin, Config(**settings)), "openai.chat", body, model)


@pytest.mark.parametrize(
    ("before", "after", "losses"),
    [
        ({"max_completion_tokens": 5, "user": "u"}, {"max_tokens": 5, "user_id": "u"}, []),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, []),
        ({"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}, ["reasoning_effort: the model thinks or does not"]),
        ({"temperature": 1.5}, {"temperature": 1}, ["temperature: 1.5 is over the provider's 1, which was sent"]),
        ({"n": 2}, {}, ["n: Z.ai has no such parameter"]),
        ({"thinking": {"type": "enabled"}, "do_sample": True, "seed": 1},) * 2 + ([],),
    ],
)
def test_keys_and_values(before: dict[str, Any], after: dict[str, Any], losses: list[str]) -> None:
    assert chat(before) == (after, losses)


def test_efforts_go_to_models_that_take_them() -> None:
    assert chat({"reasoning_effort": "low"}, "glm-5.2-air") == ({"reasoning_effort": "low"}, [])


def test_cache_marks_and_reasoning_go_along() -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [part]}, {"role": "assistant", "content": "b", "reasoning_content": "hm"}, ASKED]
    assert chat({"messages": messages}) == ({"messages": messages}, [])


def test_schemas_are_told_in_the_prompt_but_to_models_that_hold_to_them() -> None:
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body = {"messages": [ASKED], "response_format": format}
    after, losses = chat(body)
    assert (after["response_format"], len(after["messages"]), len(losses)) == ({"type": "json_object"}, 2, 1)
    assert chat(body, "glm-9", schema_models=("glm-9",)) == (body, [])


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "1002", "auth"), (429, "1113", "quota"), (400, "1211", "not_found"), (400, "1261", "context"), (400, "1301", "content"),
        (429, "1302", "rate_limited"), (429, "1303", "rate_limited"), (429, "1305", "overloaded"), (429, "1308", "quota"),
        (400, "1210", "invalid"), (500, "1234", "server"), (429, "9999", "rate_limited"), (400, "7777", "overloaded"),
    ],
)  # fmt: skip
def test_business_codes_say_what_an_error_is(status: int, code: str, kind: str) -> None:
    body = b'{"error":{"code":"%b","message":"no"}}' % code.encode()
    provider = recorded(plugin, Config(codes={"7777": "overloaded"}))
    assert provider.classify(find_dialect("openai.chat"), status, {}, body).kind == kind


@pytest.mark.parametrize(("word", "reason"), [("sensitive", "content_filter"), ("network_error", "error")])
def test_its_own_finish_reasons(word: str, reason: str) -> None:
    body = b'{"id":"1","choices":[{"index":0,"finish_reason":"%b","message":{"role":"assistant","content":"a"}}]}' % word.encode()
    assert find_dialect("openai.chat").decode_response(body).choices[0].finish_reason == reason
