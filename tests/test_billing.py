"""Golden bills: what each provider documents of its usage, through the whole gateway, to the dollars worked out by hand.

`billing/*.json`: the row that was looked up, its source and day; for each case the usage object, the sum and the way to it. A price that
changes in the catalogue is a failure here, on purpose: the sums have to be worked out again.
"""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from lynkr_catalog import Config, PackagedCatalogue
from lynkr_core import pricing
from lynkr_core.app import Application
from lynkr_core.assembly import assemble
from lynkr_core.config import parse
from lynkr_core.testing.canned import CANNED, Script, encoded, named
from lynkr_core.testing.client import Client
from lynkr_core.testing.eventstream import event as frame

pytestmark = pytest.mark.anyio
FILES = {file.stem: json.loads(file.read_text()) for file in sorted((Path(__file__).parent / "billing").glob("*.json"))}
CASES = [
    pytest.param(bill, case, id=f"{name}: {case['case']}") for name, bill in FILES.items() for case in bill["cases"]
]  # fmt: skip
PATHS = {"openai.responses": "/v1/responses", "anthropic.messages": "/v1/messages"}


def data(*events):
    return tuple([b"data: %b\n\n" % encoded(event) for event in events])


def chat(case):
    canned, more = CANNED["openai.chat"], case.get("answer", {})
    body = json.loads(canned.body) | {"usage": case["usage"]} | more
    chunks = [json.loads(event[6:]) for event in canned.events[:-1]]
    chunks[-1]["usage"] = case["usage"]
    return Script(body=encoded(body), events=(*data(*[chunk | more for chunk in chunks]), b"data: [DONE]\n\n"))


def responses(case):
    canned, output = CANNED["openai.responses"], case.get("output", [])
    body = json.loads(canned.body)
    body |= {"usage": case["usage"], "output": [*output, *body["output"]]} | case.get("answer", {})
    last = {"type": "response.completed", "response": body, "sequence_number": 99}
    return Script(body=encoded(body), events=(*canned.events[:-1], *named([last])))


def messages(case):
    canned, usage = CANNED["anthropic.messages"], case["usage"]
    events = [json.loads(event.partition(b"data: ")[2]) for event in canned.events]
    for event in events:
        if event["type"] == "message_start":
            event["message"]["usage"] = usage | {"output_tokens": 1, "server_tool_use": None}
        elif event["type"] == "message_delta":
            kept = ("output_tokens", "input_tokens", "server_tool_use")
            event["usage"] = {key: usage[key] for key in kept if key in usage}
    return Script(body=encoded(json.loads(canned.body) | {"usage": usage}), events=named(events))


def gemini(case):
    candidate = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}
    end = {"finishReason": "STOP", **case.get("candidate", {})}
    last = {"candidates": [candidate | end], "usageMetadata": case["usage"], "responseId": "r", "modelVersion": "m"}
    first = {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 1}, "responseId": "r", "modelVersion": "m"}
    return Script(body=encoded(last), events=data(first, last))


def bedrock(case):
    message = {"role": "assistant", "content": [{"text": "Hello"}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": case["usage"], "metrics": {"latencyMs": 1}}
    events = (
        frame("messageStart", {"role": "assistant"}),
        frame("contentBlockDelta", {"delta": {"text": "Hello"}, "contentBlockIndex": 0}),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
        frame("messageStop", {"stopReason": "end_turn"}),
        frame("metadata", {"usage": case["usage"], "metrics": {"latencyMs": 1}}),
    )
    return Script(body=encoded(whole), events=events)


def cohere(case):
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
    whole = {"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": case["usage"]}
    start = {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    events = [
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
        start,
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hello"}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": case["usage"]}},
    ]
    return Script(body=encoded(whole), events=named(events))


WIRES = {
    "openai.chat": chat, "openai.responses": responses, "anthropic.messages": messages, "gemini": gemini, "bedrock": bedrock,
    "cohere": cohere,
}  # fmt: skip


def gateway(url, bill):
    table = {"base_url": url, "models": [bill["model"]], **bill["table"]}
    if table["use"] != "bedrock":
        table["api_key"] = "k"
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    text = f"[provider.p]\n{lines}\n[catalog.default]\n[sink.journal]\n[routing]\nretries = 0\n"
    return Client(Application(assemble(parse(text, {}), {})))


def asking(bill, case, stream):
    path = PATHS.get(case["wire"], "/v1/chat/completions")
    fields = {"model": f"p/{bill['model']}", "stream": stream}
    said = {"input": "Hi"} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
    return path, fields | said


async def written(client, id):
    """The journal's record, once it is there."""
    deadline = time.monotonic() + 10
    while (told := await client.get(f"/v1/decisions/{id}")).status != 200 and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return told.json()


def near(usd):
    return None if usd is None else pytest.approx(usd, abs=1e-12)


@pytest.mark.parametrize(("bill", "case"), CASES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_the_bill(scripted_provider, monkeypatch, bill, case, stream):
    at = datetime.fromisoformat(case.get("at", "2026-11-18T12:00:00+00:00")).timestamp()
    monkeypatch.setattr(pricing, "time", SimpleNamespace(time=lambda: at))
    scripted_provider.always(WIRES[case["wire"]](case))
    async with gateway(scripted_provider.url, bill) as client:
        path, fields = asking(bill, case, stream)
        answer = await client.post(path, json=fields)
        assert answer.status == 200, answer.text
        record = await written(client, answer.headers["x-lynkr-request-id"])
    usd, billed = case["usd"], case["usd"] if "computed" in case else None
    assert (record["cost"], record["provider_cost"]) == (near(usd), near(billed))
    if bill["vendor"] != "perplexity":  # whose fee for a request depends on what it searched
        assert record["computed_cost"] == near(case.get("computed", usd))
    if not stream:
        assert answer.headers.get("x-lynkr-cost-usd") == (None if usd is None else f"{usd:.9f}")


@pytest.mark.parametrize("bill", [pytest.param(bill, id=name) for name, bill in FILES.items() if bill["row"]])
def test_the_row_is_the_catalogues(bill):
    price = PackagedCatalogue(Config()).find(bill["vendor"], bill["model"]).price
    fees = bill["row"].get("fees", {})
    assert {name: getattr(price, name) for name in bill["row"] if name != "fees"} == {
        name: rate for name, rate in bill["row"].items() if name != "fees"
    }
    assert {name: price.fees[name] for name in fees} == fees
    assert (price.source.split(":")[0], price.dated.isoformat()) == ("litellm 1.109.1", bill["source"].rsplit(" ", 1)[1])
