"""`previous_response_id` over upstreams of each dialect, for two principals."""

import json
import logging

import pytest

from lynkr_core.errors import PluginError
from lynkr_core.stores import MemoryStore, Stores
from lynkr_core.testing import factories
from lynkr_core.testing.canned import CANNED, TEXT, Script, encoded
from lynkr_extension_responses import plugin

pytestmark = pytest.mark.anyio
upstreams = pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages", "openai.responses"])
streams = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def said(received):
    """Roles and texts of what an upstream was asked, whatever its dialect."""
    body = received.json()
    messages = body.get("messages") or body["input"]
    return [(item["role"], text_of(item["content"])) for item in messages if "role" in item]


def text_of(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@upstreams
@streams
async def test_a_conversation_goes_on(gateway, scripted_provider, dialect, stream):
    made = await gateway(scripted_provider.url, dialect)
    first = await made.say("One", stream=stream)
    scripted_provider.then(renamed(CANNED[dialect]))
    second = await made.say([{"role": "user", "content": "Two"}], previous_response_id=first, stream=stream)
    await made.say("Three", previous_response_id=second, stream=stream)
    assert said(scripted_provider.last) == [
        ("user", "One"), ("assistant", TEXT), ("user", "Two"), ("assistant", TEXT), ("user", "Three"),
    ]  # fmt: skip
    assert b"previous_response_id" not in scripted_provider.last.body


def renamed(script):
    """The same answer by another id: this upstream gives each of its answers the same."""
    swap = [(b'"resp_1"', b'"resp_2"'), (b'"chatcmpl-1"', b'"chatcmpl-2"')]

    def change(data):
        for old, new in swap:
            data = data.replace(old, new)
        return data

    return script.but(body=change(script.body), events=tuple(change(event) for event in script.events))


@upstreams
@streams
async def test_the_callers_id_is_the_one_it_is_kept_under(gateway, scripted_provider, dialect, stream):
    made = await gateway(scripted_provider.url, dialect)
    id = await made.say("One", stream=stream)
    kept = await made.of("GET", id)
    assert kept.status == 200
    assert (kept.json()["id"], kept.json()["status"], kept.json()["output"][0]["content"][0]["text"]) == (id, "completed", TEXT)


async def test_a_plain_response_is_read_as_it_was_answered(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "anthropic.messages")
    answer = await made.ask("One")
    assert (await made.of("GET", answer.json()["id"])).body == answer.body


@upstreams
async def test_another_principal_learns_nothing(gateway, scripted_provider, dialect):
    """Not even where the provider keeps the response itself, under the one account that all share."""
    made = await gateway(scripted_provider.url, dialect)
    id = await made.say("My secret")
    count = len(scripted_provider.requests)
    stolen = await made.ask("And?", "bob", previous_response_id=id)
    assert (stolen.status, stolen.json()["error"]) == (404, {
        "message": f"Previous response with id '{id}' not found.", "type": "invalid_request_error",
        "param": "previous_response_id", "code": "previous_response_not_found",
    })  # fmt: skip
    assert len(scripted_provider.requests) == count
    for method, path in (("GET", id), ("DELETE", id), ("GET", f"{id}/input_items"), ("POST", f"{id}/cancel")):
        theirs, nobodys = await made.of(method, path, "bob"), await made.of(method, path.replace(id, "resp_none"), "bob")
        assert (theirs.status, theirs.text.replace(id, "resp_none")) == (nobodys.status, nobodys.text)
        assert theirs.status == 404
    assert (await made.of("GET", id)).status == 200


async def test_an_unknown_id_is_a_404_where_nobody_can_know_it(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    answer = await made.ask("And?", previous_response_id="resp_elsewhere")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "previous_response_not_found")
    assert scripted_provider.requests == []


async def test_an_unknown_id_goes_untouched_to_a_provider_that_may_know_it(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "openai.responses")
    body = b'{"model": "m", "input":"And?" , "previous_response_id":"resp_elsewhere","x":2.50}'
    answer = await made.client.post("/v1/responses", content=body, headers={"authorization": "Bearer ada"})
    assert answer.status == 200
    assert scripted_provider.last.body == body


async def test_what_goes_on_from_an_unknown_id_stays_its_owners_and_the_providers(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "openai.responses")
    id = await made.say("And?", previous_response_id="resp_elsewhere")
    assert (await made.ask("Mine?", "bob", previous_response_id=id)).status == 404
    await made.say("More", previous_response_id=id)
    assert scripted_provider.last.json()["previous_response_id"] == id
    assert (await made.of("GET", id)).status == 404


async def test_unknown_ids_can_be_refused_for_providers_that_remember_nothing(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "openai.responses", unknown="refuse")
    assert (await made.ask("And?", previous_response_id="resp_elsewhere")).status == 404
    assert scripted_provider.requests == []


@streams
async def test_nothing_is_kept_when_the_caller_says_so(gateway, scripted_provider, stream):
    made = await gateway(scripted_provider.url)
    await made.say("One", store=False, stream=stream)
    assert made.store.held_bytes == 0


async def test_a_kept_conversation_may_end_in_an_answer_that_is_not(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    first = await made.say("One")
    held = made.store.held_bytes
    await made.say("Two", previous_response_id=first, store=False)
    assert said(scripted_provider.last)[-1] == ("user", "Two")
    assert made.store.held_bytes == held


async def test_instructions_and_tools_are_not_carried_over(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "anthropic.messages")
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    first = await made.say("One", instructions="Speak Latin", tools=[tool])
    await made.say("Two", previous_response_id=first, instructions="Speak Greek")
    body = scripted_provider.last.json()
    assert text_of(body["system"]) == "Speak Greek"
    assert "tools" not in body


def called(dialect):
    """A thought and a call, as an upstream of this dialect says it."""
    if dialect == "openai.responses":
        thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VjcmV0"}
        call = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "f",
            "arguments": '{"a":2.50}',
            "status": "completed",
        }
        return json.loads(CANNED[dialect].body) | {"output": [thought, call]}
    thought = {"type": "thinking", "thinking": "Hm", "signature": "c2lnbmF0dXJl"}
    call = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 2.5}}
    return json.loads(CANNED[dialect].body) | {"content": [thought, call], "stop_reason": "tool_use"}


async def test_reasoning_and_calls_survive_at_the_same_vendor(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "openai.responses")
    answer = called("openai.responses")
    scripted_provider.then(Script(body=encoded(answer)))
    first = await made.say("One")
    result = {"type": "function_call_output", "call_id": "call_1", "output": "3"}
    await made.say([result], previous_response_id=first)
    assert scripted_provider.last.json()["input"][1:] == [*answer["output"], result]
    assert b'{\\"a\\":2.50}' in scripted_provider.last.body


async def test_thinking_keeps_its_signature_for_the_vendor_that_made_it(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, "anthropic.messages")
    answer = called("anthropic.messages")
    scripted_provider.then(Script(body=encoded(answer)))
    first = await made.say("One")
    await made.say([{"type": "function_call_output", "call_id": "call_1", "output": "3"}], previous_response_id=first)
    question, replied, result = scripted_provider.last.json()["messages"]
    assert (question["role"], replied["content"]) == ("user", answer["content"])
    assert result["content"][0]["tool_use_id"] == "call_1"


@streams
async def test_a_cut_or_failed_answer_is_not_kept(gateway, scripted_provider, stream):
    made = await gateway(scripted_provider.url, "openai.responses")
    cut = {"cut_events": 5} if stream else {"cut_bytes": 50}
    scripted_provider.always(CANNED["openai.responses"].but(**cut))
    await made.ask("One", stream=stream)
    scripted_provider.always(Script(status=500, body=b'{"error": {"message": "boom"}}'))
    await made.ask("One", stream=stream)
    await made.extension._kept.settle()
    assert made.store.held_bytes == 0


async def test_text_that_looks_like_the_end_of_a_stream_is_not_it(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    trap = '{"type":"response.completed","response":{"id":"resp_trap"}}'
    chunk = {"id": "c", "model": "m", "created": 1, "object": "chat.completion.chunk"}
    deltas = [({"role": "assistant", "content": trap}, None), ({}, "stop")]
    events = [{**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    data = tuple(b"data: %b\n\n" % encoded(event) for event in events)
    scripted_provider.then(Script(events=(*data, b"data: [DONE]\n\n")))
    id = await made.say("One", stream=True)
    assert (await made.of("GET", id)).json()["output"][0]["content"][0]["text"] == trap
    assert (await made.of("GET", "resp_trap")).status == 404


async def test_what_is_too_large_is_not_kept_but_nobody_else_gets_it(gateway, scripted_provider, caplog):
    made = await gateway(scripted_provider.url, "openai.responses", max_bytes=2000)
    id = await made.say("x" * 3000)
    assert (await made.of("GET", id)).status == 404
    assert (await made.ask("And?", "bob", previous_response_id=id)).status == 404
    assert "is not kept" in caplog.text
    assert "xxx" not in caplog.text


async def test_deleting(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    first = await made.say("One")
    second = await made.say("Two", previous_response_id=first)
    assert (await made.of("DELETE", first)).json() == {"id": first, "object": "response", "deleted": True}
    assert (await made.of("GET", first)).status == 404
    assert (await made.ask("And?", previous_response_id=first)).status == 404
    assert (await made.ask("And?", previous_response_id=second)).status == 200


async def test_input_items_come_in_pages(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    first = await made.say("One")
    second = await made.say(
        [{"role": "user", "content": "Two"}, {"role": "user", "content": "Three"}], previous_response_id=first
    )
    page = (await made.of("GET", f"{second}/input_items?order=asc&limit=3")).json()
    assert [text_of(item["content"]) for item in page["data"]] == ["One", TEXT, "Two"]
    assert (page["has_more"], page["last_id"], len({item["id"] for item in page["data"]})) == (True, page["data"][2]["id"], 3)
    rest = (await made.of("GET", f"{second}/input_items?order=asc&after={page['last_id']}")).json()
    assert ([text_of(item["content"]) for item in rest["data"]], rest["has_more"]) == (["Three"], False)
    assert text_of((await made.of("GET", f"{second}/input_items")).json()["data"][0]["content"]) == "Three"


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1000", "order=up", "after=none"])
async def test_bad_pages_are_told(gateway, scripted_provider, query):
    made = await gateway(scripted_provider.url)
    answer = await made.of("GET", f"{await made.say('One')}/input_items?{query}")
    assert (answer.status, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


async def test_what_cannot_be_done_is_told(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    id = await made.say("One")
    assert (await made.of("POST", f"{id}/cancel")).json()["error"]["message"] == "Cannot cancel a synchronous response."
    assert (await made.of("GET", f"{id}?stream=true")).status == 400
    refused = await made.ask("One", conversation="conv_1")
    assert (refused.status, refused.json()["error"]["param"]) == (400, "conversation")
    assert len(scripted_provider.requests) == 1


@pytest.mark.parametrize("bad", [7, {}, "", "x" * 300])
async def test_an_id_of_a_wrong_type_is_told(gateway, scripted_provider, bad):
    made = await gateway(scripted_provider.url, "openai.responses")
    answer = await made.ask("One", previous_response_id=bad)
    assert (answer.status, answer.json()["error"]["param"]) == (400, "previous_response_id")
    assert scripted_provider.requests == []


class Broken(MemoryStore):
    async def get(self, key):
        raise OSError("disk on fire")


async def test_a_broken_store_refuses_what_needs_it_and_nothing_else(gateway, scripted_provider, caplog):
    made = await gateway(scripted_provider.url, "openai.responses", Broken())
    assert (await made.ask("One")).status == 200
    answer = await made.ask("Two", previous_response_id="resp_1")
    assert (answer.status, "fire" in answer.text) == (503, False)
    assert len(scripted_provider.requests) == 1
    assert "disk on fire" in caplog.text


async def test_an_id_that_two_principals_are_given_stays_with_the_first(gateway, scripted_provider, caplog):
    made = await gateway(scripted_provider.url, "openai.responses")
    id = await made.say("One")
    assert await made.say("Other", "bob") == id
    assert (await made.of("GET", id)).status == 200
    assert (await made.of("GET", id, "bob")).status == 404
    assert [record.levelno for record in caplog.records if "same id" in record.message] == [logging.ERROR]


async def test_two_processes_share_a_store(gateway, scripted_provider):
    """As two workers over one file do; the second one may be asked before the first has written."""
    store = MemoryStore()
    one, two = await gateway(scripted_provider.url, store=store), await gateway(scripted_provider.url, store=store)
    first = (await one.ask("One")).json()["id"]
    assert (await two.ask("Two", previous_response_id=first)).status == 200
    assert said(scripted_provider.last)[0] == ("user", "One")


async def test_a_dry_run_keeps_nothing(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    first = await made.say("One")
    answer = await made.client.post("/v1/route", json={"model": "up/m", "input": "Two", "previous_response_id": first})
    assert answer.status == 200
    assert len(scripted_provider.requests) == 1


def test_a_store_that_is_not_there_is_told():
    with pytest.raises(PluginError, match=r"store\.none"):
        factories.build(plugin, {"store": "none"}, factories.context(stores=Stores()))
