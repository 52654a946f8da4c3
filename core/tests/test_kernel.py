"""What the kernel does with requests, good and bad, before and around the providers."""

import asyncio

import pytest

from lynkr_core.testing.canned import CANNED, Script, encoded
from lynkr_core.testing.waiting import SOON, until

pytestmark = pytest.mark.anyio
QUESTION = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
FRONTS = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    "body",
    [b"{bad", b"[]", b'"x"', b"", b"\xff\xfe", b"{}", b'{"model": 1}', b'{"model": "", "messages": []}', b'{"model": "m"}'],
)
async def test_bad_bodies_are_told_in_the_dialect_and_reach_nobody(gateway, scripted_provider, front, body):
    made = await gateway(scripted_provider.url)
    answer = await made.client.post(front, content=body)
    assert answer.status == 400
    assert answer.json()["error"]["message"]
    assert (answer.json().get("type") == "error") is (front == "/v1/messages")
    assert scripted_provider.requests == []


async def test_the_same_dialect_gets_the_callers_own_bytes(gateway, scripted_provider):
    body = b'{ "model":"m" , "max_tokens": 5, "x_new":{"b":2.50,"a":1e5}, "messages":[{"role":"user","content":"\\u00fc"}] }'
    made = await gateway(scripted_provider.url)
    await made.client.post("/v1/messages", content=body)
    assert scripted_provider.last.body == body


async def test_only_the_model_is_replaced(gateway, scripted_provider):
    body = b'{"max_tokens":5,"model":"auto","x_new":{"b":2.50,"a":1e5},"messages":[{"role":"user","content":"\\u00fc"}]}'
    made = await gateway(scripted_provider.url)
    await made.client.post("/v1/messages", content=body)
    assert scripted_provider.last.body == body.replace(b'"auto"', b'"m"')


async def test_the_answer_comes_back_byte_for_byte(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    assert (await made.ask()).body == CANNED["anthropic.messages"].body
    async with made.stream() as streamed:
        assert (await streamed.read()).body == b"".join(CANNED["anthropic.messages"].events)


async def test_headers_of_the_api_are_forwarded_and_credentials_are_not(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    sent = {"anthropic-beta": "a,b", "authorization": "Bearer caller-key", "x-api-key": "caller-key", "cookie": "c=1"}
    await made.client.post("/v1/messages", json={"model": "m", "max_tokens": 1, "messages": []}, headers=sent)
    received = scripted_provider.last.headers
    assert received["anthropic-beta"] == "a,b"
    assert "caller-key" not in str(received)
    assert "cookie" not in received


async def test_a_body_over_the_limit_is_refused(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, config="[server]\nmax_body = 1000")
    answer = await made.ask(messages=[{"role": "user", "content": "x" * 2000}])
    assert (answer.status, answer.json()["error"]["type"]) == (413, "request_too_large")
    assert scripted_provider.requests == []


async def test_an_unknown_model_is_404_and_says_where_to_look(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    answer = await made.ask(model="nobody-has-this")
    assert answer.status == 404
    assert "/v1/models" in answer.json()["error"]["message"]


async def test_x_lynkr_tier_overrides_the_model(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    answer = await made.client.post(
        "/v1/messages", json={"model": "m", "max_tokens": 1, "messages": []}, headers={"x-lynkr-tier": "up1/other"}
    )
    assert answer.headers["x-lynkr-model"] == "other"


async def test_every_answer_has_an_id_and_errors_too(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    good, bad = await made.ask(), await made.client.post("/v1/messages", content=b"{")
    assert good.headers["x-lynkr-request-id"].startswith("req_")
    assert bad.headers["request-id"] == bad.headers["x-lynkr-request-id"] != good.headers["x-lynkr-request-id"]


async def test_count_tokens_is_answered_for_any_backend(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, dialects=("openai.chat",))
    answer = await made.client.post(
        "/v1/messages/count_tokens", json={"model": "m", "messages": [{"role": "user", "content": "Hello there"}]}
    )
    assert answer.json()["input_tokens"] > 0
    assert scripted_provider.requests == []


async def test_embeddings(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    answer = await made.ask("/v1/embeddings", model="m")
    assert answer.json()["data"][0]["embedding"]


async def test_embeddings_where_nobody_has_them(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, dialects=("anthropic.messages",))
    answer = await made.ask("/v1/embeddings", model="m")
    assert answer.status == 400
    assert "has no embeddings" in answer.json()["error"]["message"]


async def test_models_in_both_shapes(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    listing = (await made.client.get("/v1/models?limit=1000")).json()
    assert listing["object"] == "list"
    assert listing["has_more"] is False
    assert {"auto", "chain", "up1/m"} <= {model["id"] for model in listing["data"]}
    assert (await made.client.get("/v1/models/up1/m")).json()["display_name"] == "up1/m"
    assert (await made.client.get("/v1/models/no/such")).status == 404


@pytest.mark.parametrize("path", ["/", "/health/live", "/health/ready"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health(gateway, scripted_provider, path, method):
    made = await gateway(scripted_provider.url)
    assert (await made.client.request(method, path)).status == 200


async def test_other_paths_are_told_in_json(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    missing, wrong = await made.client.get("/nope"), await made.client.get("/v1/messages")
    assert (missing.status, wrong.status) == (404, 404)
    assert missing.json()["error"]["message"] == "nothing is served at GET /nope"


async def test_a_dry_run_decides_and_calls_nobody(gateway, scripted_provider):
    made = await gateway(scripted_provider.url)
    for body in ({"messages": [], "model": "m"}, {"input": "x", "model": "m"}, {"system": "s", "messages": [], "model": "m"}):
        answer = await made.client.post("/v1/route", json=body)
        assert (answer.status, answer.json()["provider"], answer.json()["model"]) == (200, "up1", "m")
    assert scripted_provider.requests == []
    assert (await made.client.post("/v1/route", json={"x": 1})).status == 400


async def test_a_fault_of_our_own_is_told_without_its_words(gateway, scripted_provider, monkeypatch):
    made = await gateway(scripted_provider.url)
    monkeypatch.setattr(type(made.kernel), "find_candidates", lambda self, exchange: {}["secret"])
    answer = await made.ask()
    assert answer.status == 500
    assert "secret" not in answer.text
    assert answer.headers["x-lynkr-request-id"] in answer.text


@pytest.mark.parametrize("stream", [False, True])
async def test_who_is_served_when_the_server_stops_is_told(gateway, scripted_provider, stream):
    scripted_provider.always(CANNED["anthropic.messages"].but(delay=0 if stream else 30, pause=0.02))
    outcomes, sent, begun = [], [], asyncio.Event()

    class Sink:
        def post_response(self, exchange, outcome):
            outcomes.append(outcome)

    async def receive():
        if not begun.is_set():
            begun.set()
            return {"type": "http.request", "body": encoded(QUESTION | {"stream": stream})}
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    made = await gateway(scripted_provider.url, plugins=(("sink", Sink()),))
    dialect = made.kernel.fronts.paths["/v1/messages"]
    task = asyncio.ensure_future(made.kernel.take(dialect, {"path": "/v1/messages", "headers": []}, receive, send))
    received = await scripted_provider.arrived()
    await until(lambda: not stream or len(sent) >= 2)
    task.cancel()
    await task
    assert sent[0]["status"] == (200 if stream else 503)
    assert b'"message":"lynkr was stopped"' in sent[-2 if stream else -1]["body"]
    assert [(outcome.status, outcome.error) for outcome in outcomes] == [("cut", "lynkr was stopped")]
    await asyncio.wait_for(received.gone.wait(), SOON)


async def test_many_at_once_do_not_mix(gateway, scripted_provider):
    import asyncio

    made = await gateway(scripted_provider.url)
    bodies = [f"text number {n}" for n in range(50)]
    await asyncio.gather(*[made.ask(messages=[{"role": "user", "content": text}]) for text in bodies])
    sent = sorted(received.json()["messages"][0]["content"] for received in scripted_provider.requests)
    assert sent == sorted(bodies)


async def test_ten_megabytes(gateway, scripted_provider):
    scripted_provider.always(Script(body=CANNED["anthropic.messages"].body))
    made = await gateway(scripted_provider.url)
    assert (await made.ask(messages=[{"role": "user", "content": "x" * 10_000_000}])).status == 200
    assert len(scripted_provider.last.body) > 10_000_000


async def test_what_has_started_is_stopped_when_a_later_plugin_cannot_start(gateway, scripted_provider):
    log = []

    class Starts:
        async def __aenter__(self):
            log.append("in")

        async def __aexit__(self, *error):
            log.append("out")

    class Fails:
        async def __aenter__(self):
            raise OSError("disk full")

        __aexit__ = Starts.__aexit__

    with pytest.raises(OSError, match="disk full"):
        await gateway(scripted_provider.url, plugins=(("store", Starts()), ("sink", Fails())))
    assert log == ["in", "out"]


async def test_the_kernel_tells_of_itself_what_metrics_need(gateway, scripted_provider):
    scripted_provider.then(Script(delay=30))
    made = await gateway(scripted_provider.url, config="[routing]\nhedge_after = 60")
    asking = asyncio.ensure_future(made.ask("/v1/chat/completions"))
    await scripted_provider.arrived()
    ready = (await made.client.get("/health/ready")).json()
    told = {name: ready[name] for name in ("config", "attempts", "unsupported", "hedged", "hedgeable")}
    assert told == {"config": made.kernel.config.hash, "attempts": 1, "unsupported": 0, "hedged": 0, "hedgeable": 1}
    asking.cancel()
