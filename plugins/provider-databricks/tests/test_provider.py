from __future__ import annotations

import base64
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec
import pytest
from msgspec import Raw

from lynkr_core import PluginError, Secret
from lynkr_core.request import Reasoning, Text
from lynkr_core.testing import factories
from lynkr_core.testing.recording import RecordingTransport, recorded
from lynkr_provider_databricks import Config, plugin

URL = "https://dbc-1.cloud.databricks.com"
CHAT = factories.find_dialect("openai.chat")
ASK = {"role": "user", "content": "Weather?"}
A, B = ({"id": id, "type": "function", "function": {"name": "get", "arguments": "{}"}} for id in "ab")


def result(id: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def calls(*found: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(found), **more}


def adapted(messages: list[Any], raw: bool = True, **more: Any) -> tuple[Any, list[str], bool]:
    """What goes out, as plain data, for messages from the wire or made by a translation."""
    provider = recorded(plugin, Config(base_url=URL, api_key=Secret("dapi-1")))
    fields: dict[str, Any] = {"messages": Raw(msgspec.json.encode(messages)) if raw else messages, **more}
    changed = provider.adapt(fields, cast("Any", None), CHAT, losses := [])
    return msgspec.json.decode(msgspec.json.encode(fields)), losses, changed


@pytest.mark.parametrize("raw", [True, False])
def test_each_tool_result_stands_directly_after_its_call(raw: bool) -> None:
    sent, losses, _ = adapted([ASK, calls(A, B, content="Both."), result("b"), result("a"), ASK], raw)
    assert sent["messages"] == [ASK, calls(B, content="Both."), result("b"), calls(A), result("a"), ASK]
    assert losses == ["messages: Databricks takes no parallel tool results, so each call stands before its own"]


@pytest.mark.parametrize(
    "messages",
    [
        [ASK, calls(A), result("a"), ASK],
        [ASK, calls(A, B), result("a"), ASK],
        [ASK, calls(A, B), result("a"), result("c")],
        [ASK, calls(A, A), result("a"), result("a")],
        [ASK, calls(A, B)],
    ],
)
def test_other_turns_are_left_as_they_came(messages: list[Any]) -> None:
    assert adapted(messages) == ({"messages": messages}, [], False)


def test_empty_text_blocks_are_left_out() -> None:
    empty, full = {"type": "text", "text": ""}, {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    sent, losses, changed = adapted([{"role": "user", "content": [empty, full, {"type": "text", "text": " "}]}])
    assert (sent["messages"], losses, changed) == ([{"role": "user", "content": [full]}], [], True)
    whole = [{"role": "user", "content": [empty]}]
    assert adapted(whole)[0]["messages"] == whole  # the provider says what is wrong with a message of nothing


@pytest.mark.parametrize("content", ["", None])
def test_calls_and_results_that_say_nothing_have_no_content(content: Any) -> None:
    sent, losses, _ = adapted([ASK, calls(A, content=content), result("a", content)])
    assert sent["messages"] == [ASK, calls(A), {"role": "tool", "tool_call_id": "a"}]
    assert losses == []


def test_answers_that_say_and_call_nothing_are_left_out() -> None:
    assert adapted([ASK, {"role": "assistant", "content": ""}, ASK])[0]["messages"] == [ASK, ASK]


def test_names_and_earlier_thinking_are_taken_out_and_told() -> None:
    sent, losses, _ = adapted([{**ASK, "name": "ann"}, {"role": "assistant", "content": "Hm", "reasoning_content": "Let me see"}])
    assert sent["messages"] == [ASK, {"role": "assistant", "content": "Hm"}]
    assert sorted(losses) == ["messages.name: Databricks refuses it", "messages: earlier reasoning is refused by the provider"]


def test_the_token_limit_has_its_old_name() -> None:
    assert adapted([ASK], max_completion_tokens=5)[0] == {"messages": [ASK], "max_tokens": 5}


@pytest.mark.parametrize("messages", ["nonsense", [1, None], [{"role": 5}], [{"role": "assistant", "tool_calls": "x"}]])
def test_what_is_no_conversation_is_the_providers_to_refuse(messages: Any) -> None:
    assert adapted(messages)[0]["messages"] == messages


def test_other_dialects_are_left_alone() -> None:
    provider = recorded(plugin, Config(base_url=URL))
    fields = {"messages": [{**ASK, "name": "ann"}]}
    assert provider.adapt(fields, cast("Any", None), factories.find_dialect("anthropic.messages"), []) is False


def test_an_answer_whose_content_is_a_list_is_read() -> None:
    # hand-made from Databricks' foundation model API reference: Claude's thinking as a part of type reasoning
    parts = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm.", "signature": "s"}]},
        {"type": "text", "text": "Hi"},
    ]
    choice = {"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    answer = CHAT.decode_response(msgspec.json.encode({"id": "1", "model": "m", "choices": [choice]}))
    found = [part.text for part in answer.choices[0].parts if isinstance(part, (Reasoning, Text))]
    assert found == ["Hm.", "Hi"]
    chunk = msgspec.json.encode({"choices": [{"index": 0, "delta": {"content": parts}, "finish_reason": "stop"}]})
    events = CHAT.decoder().feed(b"data: " + chunk + b"\n\n")
    assert [event.value for event in events if hasattr(event, "value")] == ["Hm.", "Hi"]


class Workspace(RecordingTransport):
    """Gives a token, then the list of endpoints."""

    def send(self, endpoint: Any, headers: Any, body: bytes) -> Any:
        token = endpoint.url.endswith("/oidc/v1/token")
        self.body = b'{"access_token":"t1","expires_in":3600}' if token else b'{"endpoints":[{"name":"e1"}]}'
        return super().send(endpoint, headers, body)


@pytest.mark.anyio
@pytest.mark.parametrize("base", [URL, URL + "/", URL + "/serving-endpoints"])
async def test_a_service_principal_gets_its_token_from_the_workspace(base: str) -> None:
    config = Config(base_url=base, client_id="p 1", client_secret=Secret("s/1"))
    provider = recorded(plugin, config, workspace := Workspace())
    assert [await provider.list_models(), await provider.list_models()] == [["e1"], ["e1"]]
    token, *listings = workspace.sent
    assert token.endpoint.url == URL + "/oidc/v1/token"
    assert parse_qs(token.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["all-apis"]}
    assert base64.b64decode(token.headers[b"authorization"].removeprefix(b"Basic ")) == b"p%201:s%2F1"
    assert [sent.headers[b"authorization"] for sent in listings] == [b"Bearer t1"] * 2
    assert listings[0].endpoint.url == URL + "/api/2.0/serving-endpoints"


@pytest.mark.parametrize(
    "more", [{"client_id": "p"}, {"client_secret": Secret("s")}, {"client_id": "p", "client_secret": Secret("s")}]
)
def test_a_key_and_a_principal_exclude_each_other(more: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="set either"):
        recorded(plugin, Config(base_url=URL, api_key=Secret("dapi-1"), **more))


def test_its_models_are_those_that_catalogues_list_under_databricks() -> None:
    assert recorded(plugin, Config(base_url=URL)).vendor == "databricks"
