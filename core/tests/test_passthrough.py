"""Requests to a provider's own API: what goes out, what comes back, who is asked first, and what is written down."""

import asyncio
import json
import time

import pytest

from lynkr_core.errors import Forbidden, RateLimited, UpstreamError
from lynkr_core.exchange import Principal, Reject, Reply, Reservation
from lynkr_core.passthrough import Passing
from lynkr_core.testing.canned import CANNED, Script, encoded
from lynkr_core.testing.waiting import SOON

pytestmark = pytest.mark.anyio
KEY = "sk-providers-own-1234"
FILE = Script(body=b"\x00\xff binary " * 1000, content_type="application/pdf", headers={"content-disposition": "attachment"})
TRANSCRIBED = encoded({"text": "hi", "usage": {"input_tokens": 14, "output_tokens": 45, "total_tokens": 59}})


class Books:
    """A policy and a sink in one: notes who came, what was set aside and how it ended."""

    def __init__(self, answer=None, reserve=None):
        self.answer, self.refuses = answer, reserve
        self.log, self.outcomes, self.exchanges = [], [], []

    def authenticate(self, exchange):
        self.log.append("authenticate")
        return Principal(id="ada")

    def pre_route(self, exchange):
        self.log.append("pre_route")
        return self.answer

    def reserve(self, exchange, candidate):
        self.log.append(f"reserve {candidate.id}")
        return self.refuses or Reservation(data=1)

    def settle(self, reservation, outcome):
        self.log.append(f"settle {outcome.status}")

    def post_response(self, exchange, outcome):
        self.log.append("post_response")
        self.outcomes.append(outcome)
        self.exchanges.append(exchange)


async def through(gateway, scripted_provider, books=None, **options):
    return await gateway(scripted_provider.url + "/api", plugins=(("policy", books or Books()),), key=KEY, **options)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_any_method_path_query_and_body_arrive(gateway, scripted_provider, method):
    scripted_provider.then(FILE)
    made = await through(gateway, scripted_provider)
    body = b"" if method == "GET" else b'--b\r\nname="file"\x00\xff'
    sent = {"content-type": "multipart/form-data; boundary=b"}
    answer = await made.client.request(method, "/v1/up1/files/a%20b/c?limit=2&after=x%2Fy", content=body, headers=sent)
    received = scripted_provider.last
    assert (received.method, received.path, received.body) == (method, "/api/files/a%20b/c?limit=2&after=x%2Fy", body)
    assert received.headers["content-type"] == "multipart/form-data; boundary=b"
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, FILE.body, "application/pdf")
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-lynkr-provider"] == "up1"


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
async def test_the_callers_key_stays_here_and_the_providers_goes(gateway, scripted_provider, name):
    made = await through(gateway, scripted_provider)
    secret = "callers-secret"
    sent = {
        name: f"Bearer {secret}" if name == "authorization" else secret, "cookie": "c=1", "x-forwarded-for": "10.0.0.1",
        "x-lynkr-session": "s", "openai-organization": "org-theirs", "x-copy": secret, "x-beta": "yes", "idempotency-key": "i-1",
    }  # fmt: skip
    await made.client.get("/v1/up1/models?key=callers-secret&a=1&API_KEY=x", headers=sent)
    received = scripted_provider.last
    assert secret not in f"{received.headers} {received.path}"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert (received.headers["x-beta"], received.headers["idempotency-key"], received.path) == ("yes", "i-1", "/api/models?a=1")
    assert not {"cookie", "x-forwarded-for", "x-lynkr-session", "openai-organization", "x-copy"} & set(received.headers)


async def test_an_answers_cookies_and_account_stay_here(gateway, scripted_provider):
    headers = {"set-cookie": "a=b", "openai-organization": "org-ours", "x-ratelimit-remaining": "3", "retry-after": "7"}
    scripted_provider.then(FILE.but(headers=headers))
    answer = await (await through(gateway, scripted_provider)).client.get("/v1/up1/files")
    assert not {"set-cookie", "openai-organization", "x-ratelimit-remaining"} & set(answer.headers)
    assert answer.headers["retry-after"] == "7"


async def test_an_error_is_passed_on_as_it_is_but_for_the_key(gateway, scripted_provider):
    words = b'{"error":{"message":"no: %b and sk-p***1234","odd":2.50}}' % KEY.encode()
    scripted_provider.then(Script(status=422, body=words, headers={"retry-after": "3"}))
    books = Books()
    answer = await (await through(gateway, scripted_provider, books)).client.post("/v1/up1/batches", json={})
    assert (answer.status, answer.body) == (422, b'{"error":{"message":"no: *** and ***","odd":2.50}}')
    assert answer.headers["retry-after"] == "3"
    assert [(outcome.status, outcome.http_status) for outcome in books.outcomes] == [("error", 422)]
    assert len(scripted_provider.requests) == 1


async def test_admission_is_never_skipped(gateway, scripted_provider):
    books = Books()
    made = await through(gateway, scripted_provider, books)
    await made.client.post("/v1/up1/chat/completions", json={"model": "m", "messages": []})
    assert books.log == ["authenticate", "pre_route", "reserve up1/m", "settle ok", "post_response"]
    assert (books.exchanges[0].principal.id, books.exchanges[0].operation) == ("ada", "passthrough")


@pytest.mark.parametrize(
    ("books", "status", "log"),
    [
        (Books(answer=Reject(Forbidden("not you"))), 403, ["authenticate", "pre_route", "post_response"]),
        (Books(answer=Reply(body=b"{}")), 200, ["authenticate", "pre_route", "post_response"]),
        (Books(reserve=Reject(RateLimited("used up"))), 429, ["authenticate", "pre_route", "reserve up1/", "post_response"]),
    ],
)
async def test_who_is_refused_or_answered_reaches_nobody(gateway, scripted_provider, books, status, log):
    made = await through(gateway, scripted_provider, books)
    assert (await made.client.get("/v1/up1/files")).status == status
    assert books.log == log
    assert scripted_provider.requests == []


@pytest.mark.parametrize("dialect", ["openai.chat", "openai.responses", "anthropic.messages"])
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_is_found_in_the_dialects_that_the_provider_speaks(gateway, scripted_provider, dialect, stream):
    books = Books()
    scripted_provider.then(CANNED[dialect])
    config = '[prices]\n"up1/x" = { input = 1, output = 10 }'
    made = await through(gateway, scripted_provider, books, config=config)
    answer = await made.client.post("/v1/up1/anything", json={"model": "x", "stream": stream})
    assert answer.body == (b"".join(CANNED[dialect].events) if stream else CANNED[dialect].body)
    usage = books.outcomes[0].usage
    assert (usage.input_tokens, usage.output_tokens) == (12, 7)
    assert books.outcomes[0].cost == pytest.approx((12 + 70) / 1e6)


async def test_a_forms_model_and_usage_are_metered(gateway, scripted_provider):
    books = Books()
    scripted_provider.then(Script(body=TRANSCRIBED))
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b\r\nname="file"\r\n\r\n\xff\r\n--b--'
    made = await through(gateway, scripted_provider, books)
    await made.client.post("/v1/up1/audio/transcriptions", content=form)
    assert "reserve up1/whisper" in books.log
    assert (books.outcomes[0].usage.input_tokens, books.outcomes[0].usage.output_tokens) == (14, 45)


@pytest.mark.parametrize("body", [b"[1]", b'{"usage": "none"}', b'{"usage": {"bytes": 3}}', b"\xff\x00", b""])
async def test_usage_that_nobody_can_read_is_unknown(gateway, scripted_provider, body):
    books = Books()
    scripted_provider.then(Script(body=body))
    made = await through(gateway, scripted_provider, books)
    assert (await made.client.get("/v1/up1/files")).body == body
    assert books.outcomes[0].usage is None


@pytest.mark.parametrize(
    "path",
    ["/../admin", "/a/../../admin", "/%2e%2e/admin", "/a/%2E./b", "/..%2fadmin", "/%252e%252e/x", "/..\\x", "/..%5cx", "//evil.test/x",
     "/http://evil.test", "/a//b", "/a%00b", "/a%0d%0ab", "/.", "/x/%2e"],
)  # fmt: skip
async def test_paths_that_lead_elsewhere_are_refused(gateway, scripted_provider, path):
    made = await through(gateway, scripted_provider)
    answer = await made.client.get(f"/v1/up1{path}")
    assert (answer.status, answer.json()["error"]["param"]) == (400, "path")
    assert scripted_provider.requests == []


@pytest.mark.parametrize("path", ["/@evil.test/x", "/x@y", "/evil.test:80/", "/...", "/a..b/.well-known", "/ft:gpt:org::1/x"])
async def test_odd_paths_stay_under_the_base_url(gateway, scripted_provider, path):
    made = await through(gateway, scripted_provider)
    await made.client.get(f"/v1/up1{path}")
    assert scripted_provider.last.path == f"/api{path}"
    assert scripted_provider.last.headers["host"].startswith("127.0.0.1:")


async def test_an_answer_arrives_while_it_is_made(gateway, scripted_provider):
    scripted_provider.then(Script(events=(b"a" * 10,) * 100, pause=0.2, content_type="audio/mpeg"))
    made = await through(gateway, scripted_provider)
    async with made.client.stream("/v1/up1/audio/speech", json={}) as streamed:
        began = time.monotonic()
        assert await anext(aiter(streamed)) == b"a" * 10
        assert time.monotonic() - began < SOON  # all of it takes 20 s
        assert streamed.headers["content-type"] == "audio/mpeg"


async def test_a_caller_that_leaves_ends_the_call_at_once(gateway, scripted_provider):
    books = Books()
    scripted_provider.then(Script(events=(b"a" * 10,) * 6000, pause=0.01))
    made = await through(gateway, scripted_provider, books)
    async with made.client.stream("/v1/up1/long", json={}) as streamed:
        await anext(aiter(streamed))
        left = time.monotonic()
        streamed.disconnect()
    await asyncio.wait_for(scripted_provider.last.gone.wait(), SOON)
    assert scripted_provider.last.gone_at - left < SOON
    assert [outcome.status for outcome in books.outcomes] == ["cancelled"]
    assert books.log[-2:] == ["settle cancelled", "post_response"]


async def test_a_caller_that_leaves_before_the_answer_ends_the_call_too(gateway, scripted_provider):
    books, sent = Books(), []
    scripted_provider.then(FILE.but(delay=60))
    made = await through(gateway, scripted_provider, books)
    gone = asyncio.Event()

    async def receive():
        if sent:
            await gone.wait()
            return {"type": "http.disconnect"}
        sent.append(1)
        return {"type": "http.request", "body": b"{}"}

    scope = {
        "type": "http",
        "path": "/v1/up1/slow",
        "raw_path": b"/v1/up1/slow",
        "query_string": b"",
        "headers": [],
        "method": "POST",
    }
    task = asyncio.ensure_future(made.client.app(scope, receive, sent.append))
    received = await scripted_provider.arrived()
    left = time.monotonic()
    gone.set()
    await asyncio.wait_for(task, SOON)
    await asyncio.wait_for(received.gone.wait(), SOON)
    assert received.gone_at - left < SOON
    assert [outcome.status for outcome in books.outcomes] == ["cancelled"]


async def test_half_an_answer_never_passes_for_whole(gateway, scripted_provider):
    books = Books()
    scripted_provider.then(FILE.but(cut_bytes=500))
    made = await through(gateway, scripted_provider, books)
    with pytest.raises(AssertionError, match="without ending its answer"):
        await made.client.get("/v1/up1/files/x")
    assert [outcome.status for outcome in books.outcomes] == ["cut"]


async def test_a_provider_that_cannot_be_reached_is_told_in_openais_shape(gateway, scripted_provider):
    books = Books()
    made = await through(gateway, scripted_provider, books)
    await scripted_provider.__aexit__()
    answer = await made.client.get("/v1/up1/files")
    assert (answer.status, answer.json()["error"]["type"]) == (502, "server_error")
    assert [outcome.status for outcome in books.outcomes] == ["error"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
async def test_answers_without_a_body(gateway, scripted_provider, method, status):
    scripted_provider.then(Script(status=status, body=b""))
    answer = await (await through(gateway, scripted_provider)).client.request(method, "/v1/up1/files")
    assert (answer.status, answer.body) == (status, b"")


async def test_a_body_over_the_limit_is_refused(gateway, scripted_provider):
    made = await through(gateway, scripted_provider, config="[server]\nmax_body = 100")
    assert (await made.client.post("/v1/up1/files", content=b"x" * 101)).status == 413
    assert scripted_provider.requests == []


@pytest.mark.parametrize(
    "path", ["/moderations", "/images/generations", "/audio/speech", "/completions", "/files", "/conversations"]
)
async def test_what_is_not_routed_says_where_it_is_served(gateway, scripted_provider, path):
    made = await gateway(scripted_provider.url, scripted_provider.url)
    answer = await made.client.post(f"/v1{path}", json={"model": "m"})
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"], error["param"]) == (404, "not_found_error", None, None)
    assert f"/v1/{{provider}}{path}" in error["message"]
    assert "one of: up1, up2" in error["message"]


@pytest.mark.parametrize("path", ["/v1/up1", "/v1/nobody/files", "/v1/UP1/files", "/up1/files", "/v1//files"])
async def test_other_paths_are_nobodys(gateway, scripted_provider, path):
    made = await gateway(scripted_provider.url)
    assert (await made.client.post(path, json={})).status == 404
    assert scripted_provider.requests == []


async def test_a_plugin_that_reads_the_request_finds_an_empty_one(gateway, scripted_provider):
    class Reads:
        def pre_route(self, exchange):
            assert (exchange.request.model, exchange.request.messages) == ("x", ())

    made = await gateway(scripted_provider.url, plugins=(("policy", Reads()),))
    assert (
        await made.client.post("/v1/up1/files", json={"model": "x"})
    ).status == 404  # the provider's own, which knows no files


async def test_a_provider_without_an_api_says_so(gateway, scripted_provider, monkeypatch):
    from lynkr_core.provider import HTTPProvider, Provider

    monkeypatch.setattr(HTTPProvider, "raw", Provider.raw)
    made = await gateway(scripted_provider.url)
    answer = await made.client.get("/v1/up1/files")
    assert (answer.status, "has no API" in answer.json()["error"]["message"]) == (400, True)


async def test_the_dialect_of_passed_on_requests_translates_nothing(gateway, scripted_provider):
    raw = (await gateway(scripted_provider.url)).kernel.dialects["raw"]
    assert raw.routes == ()
    assert isinstance(raw.decode_error(500, {}, b""), UpstreamError)
    assert json.loads(raw.encode_error(Forbidden("no"), "id"))["error"]["message"] == "no"


EVENTS = b'data: {"text": "x"}\n\n'


def limited(**seconds):
    return "[routing.limits]\n" + "\n".join(f"{name} = {value}" for name, value in seconds.items())


@pytest.mark.parametrize(
    ("script", "config", "words"),
    [
        (Script(delay=30), limited(attempt=1.5), "gave no answer within 1.5 s"),
        (Script(delay=30), "[routing]\ndeadline = 1.5", "the time for this request is over"),
    ],
)
async def test_an_answer_that_does_not_begin_is_given_up(gateway, scripted_provider, script, config, words):
    books = Books()
    scripted_provider.then(script)
    made = await through(gateway, scripted_provider, books, config=config)
    answer = await asyncio.wait_for(made.client.post("/v1/up1/files", json={}), 25)
    assert (answer.status, words in answer.json()["error"]["message"]) == (504, True)
    assert answer.headers["x-should-retry"] == "false"
    assert books.log[-2:] == ["settle error", "post_response"]
    await asyncio.wait_for(scripted_provider.last.gone.wait(), 10)


@pytest.mark.parametrize(
    ("events", "type", "config", "words"),
    [
        ((EVENTS, *[b": keep-alive\n\n"] * 200), "text/event-stream", limited(gap=1.5), "said nothing for 1.5 s"),
        ((EVENTS, *[b'event: ping\ndata: {"type": "ping"}\n\n'] * 200), "text/event-stream", limited(gap=1.5), "said nothing"),
        ((EVENTS,) * 200, "text/event-stream", limited(total=1.5), "the time for this request is over"),
        ((b"a",) * 200, "application/octet-stream", limited(total=1.5), "the time for this request is over"),
    ],
)
async def test_one_that_stops_in_the_middle_is_cut(gateway, scripted_provider, events, type, config, words):
    books = Books()
    scripted_provider.then(Script(events=events, pause=0.05, content_type=type))
    made = await through(gateway, scripted_provider, books, config=config)
    with pytest.raises(AssertionError, match="without ending its answer"):
        await made.client.post("/v1/up1/long", json={"stream": True})
    assert (books.outcomes[0].status, words in books.outcomes[0].error) == ("cut", True)
    assert books.log[-2:] == ["settle cut", "post_response"]


async def test_bytes_of_a_file_are_content_whatever_they_look_like(gateway, scripted_provider):
    scripted_provider.then(Script(events=(b":" * 8,) * 12, pause=0.15, content_type="audio/mpeg"))
    made = await through(gateway, scripted_provider, config=limited(gap=1.4))
    assert (await made.client.post("/v1/up1/audio/speech", json={})).body == b":" * 96


async def test_a_caller_that_reads_slowly_is_not_to_blame_the_provider_for(gateway, scripted_provider):
    scripted_provider.then(Script(events=(b"x" * 200_000,) * 4, content_type="application/octet-stream"))
    made = await through(gateway, scripted_provider, config=limited(gap=1.0))
    size = 0
    async with made.client.stream("/v1/up1/files/x/content", json={}) as streamed:
        async for piece in streamed:
            await asyncio.sleep(2.5 if not size else 0)
            size += len(piece)
    assert size == 800_000


@pytest.mark.parametrize("asked", ["1500", "soon"])
async def test_the_callers_deadline_is_honoured(gateway, scripted_provider, asked):
    books = Books()
    scripted_provider.always(Script(delay=30))
    made = await through(gateway, scripted_provider, books)
    answer = await asyncio.wait_for(made.client.post("/v1/up1/files", json={}, headers={"x-lynkr-deadline-ms": asked}), 25)
    assert answer.status == (504 if asked == "1500" else 400)
    assert len(scripted_provider.requests) == (asked == "1500")
    assert books.log[-1] == "post_response"


async def test_a_failure_is_told_to_who_keeps_count(gateway, scripted_provider):
    failures = []

    class Counts:
        def attempt_failed(self, exchange, candidate, error):
            failures.append((candidate.id, error.kind))

    made = await gateway(scripted_provider.url, plugins=(("policy", Counts()),))
    await scripted_provider.__aexit__()
    assert (await made.client.post("/v1/up1/files", json={"model": "m"})).status == 502
    assert failures == [("up1/m", "unavailable")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, "server"), (503, "server"), (429, "rate_limited"), (401, "invalid"), (403, "invalid"), (404, "not_found")],
)
async def test_an_error_answer_is_told_once_and_never_speaks_against_the_key(gateway, scripted_provider, status, kind):
    """It reaches the caller as it came; a path that the key may not use must not have the credential left alone."""
    failures = []

    class Counts:
        def attempt_failed(self, exchange, candidate, error):
            failures.append((candidate.id, error.kind, error.retry_after))

    made = await gateway(scripted_provider.url, plugins=(("policy", Counts()),))
    scripted_provider.always(Script(status=status, body=b'{"error": "its own words"}', headers={"retry-after": "7"}))
    answer = await made.client.post("/v1/up1/files", json={"model": "m"})
    assert (answer.status, answer.body) == (status, b'{"error": "its own words"}')
    assert [(id, told) for id, told, _ in failures] == [("up1/m", kind)]
    assert status != 429 or failures[0][2] == 7


async def test_what_is_cut_after_it_began_is_no_failure_of_an_attempt(gateway, scripted_provider):
    """As on the API's own routes: it is settled as cut, so whoever counts does not count it twice."""
    failures, settled = [], []

    class Counts:
        def reserve(self, exchange, candidate):
            return Reservation()

        def attempt_failed(self, exchange, candidate, error):
            failures.append(error.kind)

        def settle(self, reservation, outcome):
            settled.append(outcome.status)

    made = await gateway(scripted_provider.url, plugins=(("policy", Counts()),))
    scripted_provider.always(Script(body=b"x" * 100, cut_bytes=50, content_type="text/plain"))
    with pytest.raises(AssertionError, match="without ending"):
        await made.client.get("/v1/up1/files")
    assert (failures, settled) == ([], ["cut"])


async def test_nothing_is_watched_when_it_is_over(gateway, scripted_provider):
    made = await through(gateway, scripted_provider, Books(reserve=Reject(RateLimited("used up"))))
    await made.client.get("/v1/up1/files")
    other = await through(gateway, scripted_provider)
    await other.client.get("/v1/up1/files")
    assert made.kernel.watch._watched == other.kernel.watch._watched == {}


@pytest.mark.parametrize("dialect", ["openai.chat", "anthropic.messages", "openai.responses"])
async def test_usage_is_found_wherever_a_stream_is_split(gateway, scripted_provider, dialect):
    books, whole = Books(), b"".join(CANNED[dialect].events)
    pieces = tuple(whole[place : place + 100] for place in range(0, len(whole), 100))
    scripted_provider.then(CANNED[dialect].but(events=pieces))
    made = await through(gateway, scripted_provider, books)
    assert (await made.client.post("/v1/up1/any", json={"model": "x", "stream": True})).body == whole
    assert (books.outcomes[0].usage.input_tokens, books.outcomes[0].usage.output_tokens) == (12, 7)


@pytest.mark.parametrize("ends", ["leaves", "cut"])
async def test_what_was_consumed_of_a_broken_off_answer_is_settled(gateway, scripted_provider, ends):
    books = Books()
    scripted_provider.then(Script(events=(EVENTS,) * 4, pause=0.02, content_type="text/event-stream", cut_events=3))
    made = await through(gateway, scripted_provider, books)
    async with made.client.stream("/v1/up1/any", json={"model": "x", "stream": True, "text": "word " * 40}) as streamed:
        pieces = aiter(streamed)
        await anext(pieces)
        if ends == "cut":
            with pytest.raises(AssertionError, match="without ending"):
                await streamed.read()
    usage = books.outcomes[0].usage
    assert usage.estimated
    assert usage.input_tokens >= 50
    assert usage.output_tokens >= 1


def test_of_a_long_stream_only_what_tells_usage_is_kept():
    passing = Passing(b"text/event-stream", (b":",))
    for _ in range(1000):
        passing.note(EVENTS * 10)
    passing.note(b'data: {"usage": {}}\n\n')
    assert passing.kept == [b'data: {"usage": {}}\n\n']
    for _ in range(100):
        passing.note(b'"usage"' + b"x" * 100_000)
    assert (passing.kept, passing._rest) == (None, b"")
    assert Passing(b"audio/mpeg", ()).kept is None
