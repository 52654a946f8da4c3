"""What is lowered, what is refused, and who answers."""

import msgspec
import pytest

from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.exchange import Principal
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED
from lynkr_core.testing.client import Client
from lynkr_policy_caps import plugin
from lynkr_policy_caps.ceiling import lowered
from lynkr_policy_caps.drift import same

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
HELLO = {"role": "user", "content": "Hello"}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
GATEWAY = """
[provider.cloud]
use = "{use}"
api_key = "sk-test"
base_url = "{url}"
models = ["m", "m-2026-01-01", "gpt-test"]
[policy.caps]
{caps}
"""


def gateway(provider, caps, use="openai"):
    kernel = assemble(parse(GATEWAY.format(url=provider.url, use=use, caps=caps), {}), {})
    return next(plugin.instance for plugin in kernel.plugins if plugin.kind == "policy"), Client(Application(kernel))


def limit(**settings):
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in settings.items()]
    return "[[policy.caps.limit]]\n" + "\n".join(lines) + "\n"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "key", "sent"),
    [(CHAT, "max_tokens", "max_completion_tokens"), (CHAT, "max_completion_tokens", "max_completion_tokens"),
     (RESPONSES, "max_output_tokens", "max_output_tokens")],
)  # fmt: skip
async def test_a_longer_answer_is_not_asked_for(scripted_provider, path, key, sent):
    _, client = gateway(scripted_provider, limit(max_tokens=50))
    body = {"model": "cloud/m", **({"input": "Hello"} if path == RESPONSES else {"messages": [HELLO]})}
    async with client:
        answers = [await client.post(path, json={**body, **asked}) for asked in ({key: 1000}, {key: 50}, {})]
    assert [request.json()[sent] for request in scripted_provider.requests] == [50, 50, 50]
    lost = [answer.headers.get("x-lynkr-losses") for answer in answers]
    assert lost[:2] == [f"{key}: 1000 lowered to 50, the most allowed", None]
    assert (
        lost[2]
        == f"{'max_output_tokens' if path == RESPONSES else 'max_completion_tokens'}: 50, the most allowed, where none was asked for"
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "asked",
    [{"max_tokens": 1000, "max_completion_tokens": 10}, {"max_tokens": None}, {"max_tokens": 1000.0}, {"max_tokens": -1}],
    ids=str,
)
@pytest.mark.parametrize("use", ["openai", "openai-compatible"])
async def test_no_spelling_of_a_longer_answer_gets_through(scripted_provider, use, asked):
    _, client = gateway(scripted_provider, limit(max_tokens=50), use)
    async with client:
        assert (await client.post(CHAT, json={"model": "cloud/m", "messages": [HELLO], **asked})).status == 200
    sent = [value for key, value in scripted_provider.last.json().items() if key.startswith("max_")]
    assert sent
    assert all(0 <= value <= 50 for value in sent)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "status"),
    [({"max_tokens": 51}, 400), ({"generationConfig": {"maxOutputTokens": 51}}, 400), ({"max_tokens": 50}, 200), ({}, 200)],
    ids=str,
)
async def test_what_is_passed_on_unchanged_may_ask_for_no_more(scripted_provider, asked, status):
    _, client = gateway(scripted_provider, limit(max_tokens=50))
    async with client:
        answer = await client.post("/v1/cloud/chat/completions", json={"model": "m", "messages": [HELLO], **asked})
    assert (answer.status, len(scripted_provider.requests)) == (status, status == 200)
    assert status == 200 or answer.json()["error"]["code"] == "max_tokens_exceeded"


@pytest.mark.anyio
async def test_a_longer_answer_may_be_refused(scripted_provider):
    _, client = gateway(scripted_provider, limit(max_tokens=50, over="refuse"))
    async with client:
        refused = await client.post(CHAT, json={"model": "m", "messages": [HELLO], "max_tokens": 51})
        assert (refused.status, refused.json()["error"]["code"]) == (400, "max_tokens_exceeded")
        assert refused.json()["error"]["param"] == "max_tokens"
        assert (await client.post(CHAT, json={"model": "m", "messages": [HELLO]})).status == 200


def test_gemini_has_its_limit_elsewhere():
    fields = {"contents": msgspec.Raw(b"[]"), "generationConfig": msgspec.Raw(b'{"topK":3,"maxOutputTokens":900}')}
    changed, why = lowered("gemini", fields, 100)
    assert msgspec.json.decode(msgspec.json.encode(changed))["generationConfig"] == {"topK": 3, "maxOutputTokens": 100}
    assert why.startswith("generationConfig.maxOutputTokens: 900")
    assert lowered("openai.embeddings", {}, 100) is None


@pytest.mark.parametrize(
    ("dialect", "asked", "sent"),
    [
        ("gemini", {"generationConfig": {"maxOutputTokens": "900"}}, {"generationConfig": {"maxOutputTokens": 100}}),
        ("gemini", {"generation_config": {"topK": 3}}, {"generation_config": {"topK": 3, "maxOutputTokens": 100}}),
        ("gemini", {"generation_config": {"max_output_tokens": 900}}, {"generation_config": {"max_output_tokens": 100}}),
        ("gemini", {"generationConfig": None}, {"generationConfig": {"maxOutputTokens": 100}}),
        ("cohere", {"max_tokens": 900}, {"max_tokens": 100}),
        ("ollama", {"options": {"num_predict": -1, "seed": 3}}, {"options": {"num_predict": 100, "seed": 3}}),
        ("ollama.generate", {}, {"options": {"num_predict": 100}}),
    ],
)
def test_other_apis_have_their_limits_elsewhere(dialect, asked, sent):
    fields = {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in asked.items()}
    assert msgspec.json.decode(msgspec.json.encode(lowered(dialect, fields, 100)[0])) == sent


@pytest.mark.anyio
async def test_so_many_messages(scripted_provider):
    _, client = gateway(scripted_provider, limit(messages=2))
    async with client:
        answers = [await client.post(CHAT, json={"model": "m", "messages": [HELLO] * count}) for count in (2, 3)]
    assert [answer.status for answer in answers] == [200, 413]
    assert answers[1].json()["error"]["code"] == "too_many_messages"


def conversation(*arguments):
    """A user's question, then a round of one tool call for each of these arguments."""
    found = [HELLO]
    for number, text in enumerate(arguments):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "look", "arguments": text}}
        found += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": "nothing"},
        ]
    return {"model": "m", "messages": found, "tools": TOOLS}


@pytest.mark.anyio
async def test_loops_are_stopped(scripted_provider):
    policy, client = gateway(scripted_provider, limit(tool_turns=3, repeats=2))
    asked = [conversation("1", "2", "3"), conversation("1", "2", "3", "4"), conversation("1", "1"), conversation("1", "1", "1")]
    later = conversation("1", "1", "1", "1")
    later["messages"].append({"role": "user", "content": "Go on"})
    async with client:
        answers = [await client.post(CHAT, json=body) for body in (*asked, later)]
    assert [answer.status for answer in answers] == [200, 403, 200, 403, 200]
    assert "4 rounds of tool calls" in answers[1].json()["error"]["message"]
    assert "'look' was called 3 times with the same arguments" in answers[3].json()["error"]["message"]
    assert policy.status()["loop_guard"] == 2


@pytest.mark.anyio
async def test_results_of_tools_are_no_user_of_messages(scripted_provider):
    _, client = gateway(scripted_provider, limit(tool_turns=1))
    rounds = [HELLO]
    for number in range(2):
        rounds += [
            {"role": "assistant", "content": [{"type": "tool_use", "id": f"t{number}", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{number}", "content": "nothing"}]},
        ]
    body = {"model": "m", "max_tokens": 9, "messages": rounds, "tools": [{"name": "look", "input_schema": {"type": "object"}}]}
    async with client:
        assert (await client.post(MESSAGES, json=body)).status == 403


@pytest.mark.anyio
async def test_so_many_steps_of_a_session(scripted_provider):
    _, client = gateway(scripted_provider, limit(steps=2))
    async with client:
        ask = lambda **named: client.post(CHAT, json={"model": "m", "messages": [HELLO]}, headers=named)  # noqa: E731
        session = {"x-lynkr-session": "s1"}
        assert [(await ask(**session)).status for _ in range(3)] == [200, 200, 403]
        assert (await ask(**{"x-claude-code-session-id": "s2"})).status == 200
        assert [(await ask()).status for _ in range(3)] == [200] * 3


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_pinned_name_is_a_version_and_drift_is_told(scripted_provider, stream, caplog):
    policy, client = gateway(scripted_provider, '[policy.caps.pin]\nm = "cloud/m-2026-01-01"\n')
    body = {"model": "m", "messages": [HELLO], "stream": stream}
    async with client:
        drifted = [await client.post(CHAT, json=body) for _ in range(2)]
        canned = CANNED["openai.chat"]
        said = canned.but(
            body=canned.body.replace(b'"scripted-model"', b'"m-2026-01-01"'),
            events=tuple(event.replace(b'"scripted-model"', b'"m-2026-01-01"') for event in canned.events),
        )
        scripted_provider.always(said)
        same_as_pinned = await client.post(CHAT, json=body)
    assert {request.json()["model"] for request in scripted_provider.requests} == {"m-2026-01-01"}
    assert drifted[0].headers["x-lynkr-asked"] == "m"
    assert policy.status()["drifts"] == {"cloud/m-2026-01-01: scripted-model": 2}
    assert len([record for record in caplog.records if record.name == "lynkr.caps"]) == 1
    assert drifted[0].headers["x-lynkr-drift"] == "scripted-model instead of m-2026-01-01"
    assert "x-lynkr-drift" not in same_as_pinned.headers


def test_names_with_and_without_their_vendor_are_the_same():
    assert same("openai/gpt-5", "gpt-5")
    assert same("claude-5", "anthropic.claude-5")
    assert not same("gpt-5", "gpt-5-2026-01-01")


@pytest.mark.anyio
async def test_caps_are_for_callers(scripted_provider):
    policy, _ = gateway(scripted_provider, limit(scope="team:red", messages=1))
    for team, refused in (("red", True), ("blue", False)):
        exchange = factories.exchange({"model": "m", "messages": [HELLO, HELLO]})
        exchange.principal = Principal(team=team)
        assert (await policy.pre_route(exchange) is not None) == refused
    with pytest.raises(Exception, match="is not about callers"):
        gateway(scripted_provider, limit(scope="model:*", messages=1))


def test_garbage_is_left_to_whoever_reads_it():
    policy = factories.build(plugin, {"limit": [{"max_tokens": 5}]}, factories.context("caps", "policy"))
    exchange = factories.exchange({"model": "m", "messages": [HELLO]})
    exchange.envelope = msgspec.structs.replace(
        exchange.envelope, fields={**exchange.envelope.fields, "max_tokens": msgspec.Raw(b'"x"')}
    )
    policy.check(exchange, policy.config.limit[0])
    assert b"max_completion_tokens" not in exchange.body
