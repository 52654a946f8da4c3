"""The dialects and the provider keep their contracts. Samples are hand-made from the types of cohere 7.3.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lynkr_core import sse
from lynkr_core.testing.canned import TEXT, Fault, Script, encoded, named
from lynkr_core.testing.contracts.dialect import DialectContract
from lynkr_core.testing.contracts.provider import ProviderContract
from lynkr_provider_cohere import plugin as provider
from lynkr_provider_cohere.dialect import plugin as dialect

AGENT = rb"""{"model":"command-a-03-2025","stream":true,"temperature":0.50,"x-new":{"a":1e5},"messages":[
  {"role":"system","content":[{"type":"text","text":"be \u00e9xact"}]},
  {"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
   {"type":"image_url","image_url":{"url":"https://x.example/a.png"}},{"type":"hologram","h":1.0}]},
  {"role":"assistant","tool_plan":"I will look.","tool_calls":[
   {"id":"a","type":"function","function":{"name":"f","arguments":"{ \"x\": 1.0 }"}}]},
  {"role":"tool","tool_call_id":"a","content":[{"type":"document","document":{"id":"1","data":{"n":2.50}}},{"type":"text","text":"b"}]},
  {"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"It is so."}],"citations":[
   {"start":0,"end":2,"text":"It","sources":[{"type":"tool","id":"a:0","tool_output":{"n":1.0}}],"content_index":1,"type":"TEXT_CONTENT"},
   {"start":0,"end":1,"text":"h","sources":[],"type":"THINKING_CONTENT"}]},
  {"role":"user","content":"and?"}],
 "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","n":1.50}}}],"strict_tools":true,
 "documents":["plain",{"id":"d","data":{"title":"t","n":1.0}}],"citation_options":{"mode":"FAST"},"safety_mode":"STRICT",
 "response_format":{"type":"json_object","json_schema":{"type":"object"}},"max_tokens":100,"stop_sequences":["END"],"seed":7,"k":40,"p":0.9,
 "frequency_penalty":0.1,"presence_penalty":0,"logprobs":true,"tool_choice":"REQUIRED","thinking":{"type":"enabled","token_budget":50},
 "priority":3}"""
TALK = b'{"model":"command-a-03-2025","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}],"stream":false}'

SOURCE = {"type": "document", "id": "d1", "document": {"id": "d1", "title": "T"}}
CITATION = {"start": 0, "end": 2, "text": "Gr", "sources": [SOURCE], "content_index": 1, "type": "TEXT_CONTENT"}
USAGE = {
    "billed_units": {"input_tokens": 12.0, "output_tokens": 7.0},
    "tokens": {"input_tokens": 80.0, "output_tokens": 9.0},
    "cached_tokens": 5.0,
}
CALLS = [
    {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
    {"id": "g_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
]


def answer(finish: str, **message: Any) -> bytes:
    whole = {"id": "c1", "finish_reason": finish, "message": {"role": "assistant", **message}, "usage": USAGE}
    return encoded(whole)


def said(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


ANSWERS = {
    "plain": answer("COMPLETE", content=said(TEXT)),
    "cited": answer("COMPLETE", content=[{"type": "thinking", "thinking": "hm"}, *said("Grün")], citations=[CITATION]),
    "calls": answer("TOOL_CALL", tool_plan="I will call.", tool_calls=CALLS),
    "short": answer("MAX_TOKENS", content=said("Gr")),
    "stopped": answer("STOP_SEQUENCE", content=said("Gr")),
    "logprobs": encoded(
        {
            "id": "c1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": said("ab")},
            "logprobs": [{"text": "a", "token_ids": [1], "logprobs": [-0.5]}, {"text": "b", "token_ids": [2, 3], "logprobs": [-1.0, -0.5]}],
        }
    ),
}  # fmt: skip


def step(type: str, index: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": type, **({} if index is None else {"index": index}), **more}


def delta(type: str, index: int | None, **message: Any) -> dict[str, Any]:
    return step(type, index, delta={"message": message})


def content(index: int, kind: str, *texts: str) -> list[dict[str, Any]]:
    begun = delta("content-start", index, content={"type": kind, kind: ""})
    return [begun, *[delta("content-delta", index, content={kind: text}) for text in texts]]


BEGIN = step(
    "message-start",
    id="c1",
    delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
)


def end(reason: str) -> dict[str, Any]:
    return step("message-end", id="c1", delta={"finish_reason": reason, "usage": USAGE})


PLAIN = [BEGIN, *content(0, "text", TEXT[:9], TEXT[9:]), step("content-end", 0), end("COMPLETE")]
CITED = [
    BEGIN, *content(0, "thinking", "h", "m"), step("content-end", 0), *content(1, "text", "Gr", "ün"), step("content-end", 1),
    delta("citation-start", 0, citations=CITATION), step("citation-end", 0), end("COMPLETE"),
]  # fmt: skip
CALLING = [
    BEGIN, delta("tool-plan-delta", None, tool_plan="I will"), delta("tool-plan-delta", None, tool_plan=" call."),
    *[
        event
        for index, call in enumerate(CALLS)
        for event in (
            delta("tool-call-start", index, tool_calls={**call, "function": {**call["function"], "arguments": ""}}),
            delta("tool-call-delta", index, tool_calls={"function": {"arguments": call["function"]["arguments"]}}),
            step("tool-call-end", index),
        )
    ],
    end("TOOL_CALL"),
]  # fmt: skip
PROBABLE = [
    BEGIN, content(0, "text")[0],
    {**delta("content-delta", 0, content={"text": "a"}), "logprobs": {"text": "a", "token_ids": [1], "logprobs": [-0.5]}},
    step("content-end", 0), end("STOP_SEQUENCE"),
]  # fmt: skip
STREAMS = {
    "plain": b"".join(named(PLAIN)),
    "cited": b"".join(named(CITED)),
    "calls": b"".join(named(CALLING)),
    "logprobs": b"".join(named(PROBABLE)),
    "bare, and done": b"".join([*[sse.event(encoded(event)) for event in PLAIN[:-1]], sse.event(encoded(PLAIN[-1]))]),
}


class TestDialect(DialectContract):
    plugin = dialect
    requests: ClassVar[Mapping[str, bytes]] = {"agent": AGENT, "talk": TALK}
    responses: ClassVar[Mapping[str, bytes]] = ANSWERS
    streams: ClassVar[Mapping[str, bytes]] = STREAMS


def failing(status: int, message: str, retry_after: int | None = None) -> Script:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Script(status=status, headers=headers, body=encoded({"id": "e1", "message": message}))


FAULTS = {
    "401": Fault("auth", failing(401, "invalid api token")),
    "404": Fault("not_found", failing(404, "model 'x' not found")),
    "429": Fault("rate_limited", failing(429, "trial key rate limit", 7), 7.0),
    "500": Fault("server", failing(500, "internal server error")),
    "529": Fault("overloaded", failing(529, "overloaded")),
    "context": Fault("context", failing(400, "too many tokens: the total number of tokens is 200000, the maximum is 128000")),
    "html": Fault("server", Script(status=502, content_type="text/html", body=b"<html><h1>502 Bad Gateway</h1></html>")),
}
GOOD = Script(body=ANSWERS["plain"], events=named(PLAIN))


class TestProvider(ProviderContract):
    plugin = provider
    paths: ClassVar[Mapping[str, str]] = {"cohere": "/v2/chat"}
    answers: ClassVar[Mapping[str, Script]] = {"cohere": GOOD}
    errors: ClassVar[Mapping[str, Mapping[str, Fault]]] = {"cohere": FAULTS}
    listing: ClassVar[Script | None] = Script(body=encoded({"models": [{"name": "command-a-03-2025", "endpoints": ["chat"]}]}))
