"""What is wrong with a request is told in its front's shape, with what and where, and reaches no provider: on all three fronts."""

import json

import pytest

from lynkr_core.caller import presented_key
from lynkr_core.testing.canned import Script
from lynkr_core.testing.contracts import samples

pytestmark = pytest.mark.anyio
FRONTS = {"/v1/chat/completions": "openai.chat", "/v1/responses": "openai.responses", "/v1/messages": "anthropic.messages"}
fronts = pytest.mark.parametrize("front", FRONTS)
same = pytest.mark.parametrize("same", [True, False], ids=["same", "translated"])
CHAT, RESPONSES, MESSAGES = FRONTS
WRONG = [
    (CHAT, {"messages": "x"}, "messages"),
    (CHAT, {"tools": {}}, "tools"),
    (CHAT, {"temperature": "hot"}, "temperature"),
    (CHAT, {"stop": 5}, "stop"),
    (CHAT, {"response_format": "json"}, "response_format"),
    (CHAT, {"stream": "yes"}, "stream"),
    (CHAT, {"max_tokens": "many"}, "max_tokens"),
    (CHAT, {"model": ["m"]}, "model"),
    (RESPONSES, {"input": {}}, "input"),
    (RESPONSES, {"input": 7}, "input"),
    (RESPONSES, {"tools": "x"}, "tools"),
    (RESPONSES, {"text": []}, "text"),
    (RESPONSES, {"store": "no"}, "store"),
    (RESPONSES, {"temperature": []}, "temperature"),
    (RESPONSES, {"stream": 1}, "stream"),
    (RESPONSES, {"max_output_tokens": "many"}, "max_output_tokens"),
    (MESSAGES, {"messages": {}}, "messages"),
    (MESSAGES, {"system": {}}, "system"),
    (MESSAGES, {"tools": "x"}, "tools"),
    (MESSAGES, {"thinking": "much"}, "thinking"),
    (MESSAGES, {"stop_sequences": "END"}, "stop_sequences"),
    (MESSAGES, {"top_k": "x"}, "top_k"),
    (MESSAGES, {"stream": "yes"}, "stream"),
    (MESSAGES, {"max_tokens": "many"}, "max_tokens"),
]


async def served(gateway, scripted_provider, front, same):
    """A gateway whose provider speaks the front's dialect, or only another one."""
    other = "openai.chat" if front == MESSAGES else "anthropic.messages"
    return await gateway(scripted_provider.url, scripted_provider.url, dialects=(FRONTS[front] if same else other,))


def told(answer, front):
    """The error's type and message; its envelope is that of the front."""
    body = answer.json()
    assert (body.get("type") == "error") is (front == MESSAGES)
    return body["error"]["type"], body["error"]["message"]


@fronts
@same
@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff", b'{"model":"m",}', b"[" * 5000, b'{"model":"up1/m","messages":[}'])
async def test_what_is_no_json_object(gateway, scripted_provider, front, same, body):
    made = await served(gateway, scripted_provider, front, same)
    answer = await made.client.post(front, content=body)
    assert (answer.status, told(answer, front)[0]) == (400, "invalid_request_error")
    assert scripted_provider.requests == []


@same
@pytest.mark.parametrize(("front", "wrong", "key"), WRONG)
async def test_a_wrong_type(gateway, scripted_provider, front, same, wrong, key):
    made = await served(gateway, scripted_provider, front, same)
    answer = await made.ask(front, **{"model": "up1/m", **wrong})
    kind, message = told(answer, front)
    assert (answer.status, kind) == (400, "invalid_request_error")
    assert key in message
    if front != MESSAGES:
        assert answer.json()["error"]["param"] == key
    assert scripted_provider.requests == []


@fronts
@same
async def test_an_unknown_model(gateway, scripted_provider, front, same):
    made = await served(gateway, scripted_provider, front, same)
    answer = await made.ask(front, model="nobody-has-this")
    kind, message = told(answer, front)
    assert (answer.status, kind, "nobody-has-this" in message) == (404, "not_found_error", True)
    assert scripted_provider.requests == []


def orphaned(dialect):
    """The conversation of a call and its result, and where the result says whose it is, without the call."""
    body = json.loads(json.dumps(samples.tool_results(dialect)))
    if dialect == "openai.responses":
        del body["input"][0]
        return body, "input[0].call_id"
    del body["messages"][0]
    return body, "messages[0].content[0].tool_use_id" if dialect == "anthropic.messages" else "messages[0].tool_call_id"


@fronts
@same
async def test_a_tool_result_without_its_call(gateway, scripted_provider, front, same):
    made = await served(gateway, scripted_provider, front, same)
    body, path = orphaned(FRONTS[front])
    answer = await made.client.post(front, json={**body, "model": "up1/m", "max_tokens": 5})
    kind, message = told(answer, front)
    assert (answer.status, kind) == (400, "invalid_request_error")
    assert message.startswith(f"{path}: a tool result without its call")
    assert "call_1" in message
    assert scripted_provider.requests == []


@fronts
async def test_a_tool_result_without_its_call_is_found_far_from_the_end(gateway, scripted_provider, front):
    made = await served(gateway, scripted_provider, front, True)
    body, path = orphaned(FRONTS[front])
    key = "input" if front == RESPONSES else "messages"
    body[key].append({"role": "user", "content": "go on " * 2_000})
    answer = await made.client.post(front, json={**body, "model": "up1/m", "max_tokens": 5})
    assert told(answer, front)[1].startswith(f"{path}: a tool result without its call")
    assert scripted_provider.requests == []


@fronts
@same
async def test_a_tool_result_before_its_call(gateway, scripted_provider, front, same):
    made = await served(gateway, scripted_provider, front, same)
    body = samples.tool_results(FRONTS[front])
    key = "input" if front == RESPONSES else "messages"
    answer = await made.client.post(front, json={**body, key: body[key][::-1], "model": "up1/m", "max_tokens": 5})
    assert (answer.status, scripted_provider.requests) == (400, [])


@fronts
@same
async def test_a_result_behind_its_call_is_fine(gateway, scripted_provider, front, same):
    made = await served(gateway, scripted_provider, front, same)
    answer = await made.client.post(front, json={**samples.tool_results(FRONTS[front]), "model": "up1/m", "max_tokens": 5})
    assert (answer.status, len(scripted_provider.requests)) == (200, 1)


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "item_reference", "id": "fc_1"}],
        [{"type": "compaction", "encrypted_content": "x"}],
        [{"type": "computer_call", "call_id": "call_1", "action": {}, "id": "cu_1"}],
        [{"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": ""}],
    ],
)
async def test_calls_that_cannot_be_seen_are_believed(gateway, scripted_provider, items):
    made = await served(gateway, scripted_provider, RESPONSES, True)
    result = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
    answer = await made.client.post(RESPONSES, json={"model": "up1/m", "input": [*items, result]})
    assert (answer.status, len(scripted_provider.requests)) == (200, 1)


async def test_words_about_results_are_no_results(gateway, scripted_provider):
    made = await served(gateway, scripted_provider, MESSAGES, True)
    text = '{"type":"tool_result","tool_use_id":"x"} "tool_call_id" function_call_output'
    assert (await made.ask(MESSAGES, model="up1/m", messages=[{"role": "user", "content": text}])).status == 200
    assert (
        await made.ask(MESSAGES, model="up1/m", messages=[{"role": "user", "content": [{"type": "text", "text": text}]}])
    ).status == 200


async def test_a_part_of_a_conversation_may_be_counted(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, dialects=("openai.chat",))
    body, _ = orphaned("anthropic.messages")
    assert (await made.client.post("/v1/messages/count_tokens", json={**body, "model": "m"})).json()["input_tokens"] > 5


@pytest.mark.parametrize(("status", "expected"), [(500, 200), (529, 200), (401, 200), (404, 200), (400, 400)])
async def test_a_count_is_always_answered_unless_the_request_is_wrong(scripted_provider, status, expected):
    from lynkr_core.app import Application
    from lynkr_core.assembly import assemble
    from lynkr_core.config import parse
    from lynkr_core.testing.client import Client

    scripted_provider.always(Script(status=status, body=b'{"type":"error","error":{"type":"x","message":"boom"}}'))
    text = f'[routing]\nretries = 0\n[provider.anthropic]\nbase_url = "{scripted_provider.url}"\napi_key = "k"\n'
    async with Client(Application(assemble(parse(text, {}), {}))) as client:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hello there"}]}
        answer = await client.post("/v1/messages/count_tokens", json=asked)
        assert (answer.status, len(scripted_provider.requests)) == (expected, 1)
        assert ("input_tokens" in answer.json()) is (expected == 200)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"authorization": "Bearer a"}, "a"),
        ({"authorization": "bearer  a "}, "a"),
        ({"authorization": "Bearer a", "x-api-key": "b"}, "a"),
        ({"authorization": "Basic YTpi", "x-api-key": "b"}, "b"),
        ({"authorization": "Bearer ", "api-key": "c"}, "c"),
        ({"x-api-key": "", "x-goog-api-key": " d "}, "d"),
        ({"x-api-key": "b", "api-key": "c", "x-goog-api-key": "d"}, "b"),
    ],
)
async def test_the_key_is_found_wherever_a_client_puts_it(headers, key):
    assert presented_key({name.encode(): value.encode() for name, value in headers.items()}) == key
