"""Every hook, seen from a plugin that has it, through the whole gateway."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from lynkr_core.errors import Forbidden, RateLimited, UpstreamError
from lynkr_core.events import Delta, End
from lynkr_core.exchange import Principal, Reject, Removal, Reply, Reservation, Score, Selection, Verdict
from lynkr_core.request import Response, Text
from lynkr_core.routes import Route
from lynkr_core.testing import factories
from lynkr_core.testing.canned import TEXT, Script
from lynkr_core.testing.waiting import SOON, until

pytestmark = pytest.mark.anyio
DOWN = Script(status=500, body=b'{"error": {"message": "boom"}}')


def plugin(**hooks):
    """An object with these functions as its hooks, `self` put in front."""
    return type("Made", (), {name: method(function) for name, function in hooks.items()})()


def method(function):
    """A method with the same parameters: registration looks at them."""
    parameters = ", ".join(inspect.signature(function).parameters)
    kind, wait = ("async def", "await ") if inspect.iscoroutinefunction(function) else ("def", "")
    space = {"function": function}
    exec(f"{kind} made(self, {parameters}): return {wait}function({parameters})", space)
    return space["made"]


async def test_hook_authenticate(gateway, scripted_provider):
    seen = []
    who = plugin(
        authenticate=lambda exchange: Principal(id="ada"), post_response=lambda exchange: seen.append(exchange.principal.id)
    )
    made = await gateway(scripted_provider.url, plugins=(("auth", who),))
    assert (await made.ask()).status == 200
    assert seen == ["ada"]


async def test_hook_authenticate_refuses_before_anything_else(gateway, scripted_provider):
    refuse = plugin(authenticate=lambda exchange: Reject(Forbidden("not you")))
    made = await gateway(scripted_provider.url, plugins=(("auth", refuse),))
    answer = await made.ask()
    assert (answer.status, answer.json()["error"]["message"]) == (403, "not you")
    assert scripted_provider.requests == []
    assert (await made.client.get("/v1/models")).status == 403


async def test_hook_pre_route(gateway, scripted_provider):
    made = await gateway(
        scripted_provider.url, plugins=(("cache", plugin(pre_route=lambda exchange: Reply(body=b"{}", cache="hit"))),)
    )
    answer = await made.ask()
    assert (answer.body, answer.headers["x-lynkr-cache"]) == (b"{}", "hit")
    assert scripted_provider.requests == []


async def test_hook_pre_route_of_a_policy_fails_closed(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, plugins=(("policy", plugin(pre_route=lambda exchange: 1 / 0)),))
    assert (await made.ask()).status == 503
    assert scripted_provider.requests == []


async def test_hook_score(gateway, scripted_provider):
    two = (("scorer", plugin(score=lambda exchange: 20)), ("scorer", plugin(score=lambda exchange: Score(value=80, weight=3))))
    made = await gateway(scripted_provider.url, plugins=two)
    assert (await made.ask()).headers["x-lynkr-score"] == "65"


@pytest.mark.parametrize("junk", [float("nan"), "text", 1e9, None, [Score(value=-5)]])
async def test_hook_score_may_answer_junk(gateway, scripted_provider, junk):
    made = await gateway(scripted_provider.url, plugins=(("scorer", plugin(score=lambda exchange: junk)),))
    answer = await made.ask()
    assert answer.status == 200
    assert 0 <= int(answer.headers.get("x-lynkr-score", "0")) <= 100


async def test_hook_select_provider(gateway, scripted_provider):
    def last(exchange, candidates, scores):
        return Selection(order=candidates[-1:], reason="the last", tier="complex", removed=(Removal(candidates[0].id, "first"),))

    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=(("selector", plugin(select_provider=last)),))
    headers = (await made.ask(model="chain")).headers
    found = [headers[f"x-lynkr-{name}"] for name in ("provider", "tier", "reason")]
    assert found == ["up2", "complex", "the last"]


async def test_hook_select_provider_cannot_invent_candidates(gateway, scripted_provider):
    """What it adds is left out, and the decision says so; with nothing left the caller is told why."""
    foreign = factories.candidate("elsewhere/big")
    wide = plugin(select_provider=lambda exchange, candidates: Selection(order=(foreign, *candidates), reason="all"))
    made = await gateway(scripted_provider.url, plugins=(("selector", wide),))
    told = (await made.client.post("/v1/route", json={"model": "m", "messages": []})).json()
    assert (told["order"], told["selected_by"]) == (["up1/m"], "selector.p0")
    assert told["removed"] == [{"candidate": "elsewhere/big", "plugin": "selector.p0", "reason": "no candidate of this request"}]
    only = plugin(select_provider=lambda exchange: Selection(order=(foreign,)))
    answer = await (await gateway(scripted_provider.url, plugins=(("selector", only),))).ask()
    assert answer.status == 400
    assert "no candidate of this request" in answer.json()["error"]["message"]


async def test_hook_revise_selection(gateway, scripted_provider):
    """It comes after all selectors, sees what they say together, and may turn it round; each gets the last one's result."""

    def backwards(exchange, selection):
        return structs.replace(
            selection, order=tuple(reversed(selection.order)), reason=f"{selection.reason}, backwards", tier="simple"
        )

    first = plugin(
        select_provider=lambda exchange, candidates: Selection(order=tuple(candidates), reason="first", tier="complex")
    )
    plugins = (
        ("selector", first),
        ("selector", plugin(revise_selection=backwards)),
        ("extension", plugin(revise_selection=backwards)),
    )
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=plugins[:2])
    headers = (await made.ask(model="chain")).headers
    assert [headers[f"x-lynkr-{name}"] for name in ("provider", "tier", "reason")] == ["up2", "simple", "first, backwards"]
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=plugins)
    told = (await made.client.post("/v1/route", json={"model": "chain", "messages": []})).json()
    assert (told["order"], told["reason"]) == (["up1/m", "up2/m"], "first, backwards, backwards")
    assert told["selected_by"] == "selector.p0, selector.p1, extension.p2"


async def test_hook_revise_selection_cannot_invent_and_its_faults_are_skipped(gateway, scripted_provider):
    foreign = factories.candidate("elsewhere/big")
    wide = plugin(revise_selection=lambda selection: structs.replace(selection, order=(foreign, *selection.order)))
    broken = plugin(revise_selection=lambda selection: 1 / 0)
    made = await gateway(scripted_provider.url, plugins=(("selector", wide), ("extension", broken)))
    told = (await made.client.post("/v1/route", json={"model": "m", "messages": []})).json()
    assert told["order"] == ["up1/m"]
    assert [(r["candidate"], r["plugin"]) for r in told["removed"]] == [("elsewhere/big", "selector.p0")]
    assert told["skipped"] == ["extension.p1 failed: ZeroDivisionError in revise_selection"]


class Picky:
    """An examiner that takes the second candidate's answer only; `holding` until the end."""

    def __init__(self, candidate, seen):
        self.name, self.seen, self.holding = candidate.provider.name, seen, True

    def __call__(self, said):
        self.seen.append((self.name, type(said).__name__))
        if isinstance(said, Response | End):
            self.holding = False
            if self.name == "up1":
                raise UpstreamError("rejected", "not this one")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_examiner_sees_an_answer_first_and_may_refuse_it(gateway, scripted_provider, path, stream):
    """Whole or streamed, in the caller's API or translated: the next candidate answers, and both attempts are settled with their usage."""
    seen, settled = [], []

    def examined(exchange):
        exchange.examine = lambda candidate: Picky(candidate, seen)

    keeps = plugin(
        pre_route=examined,
        reserve=lambda exchange, candidate: Reservation(data=candidate.id),
        settle=lambda reservation, outcome: settled.append((reservation.data, outcome.status, outcome.usage.output_tokens)),
    )
    made = await gateway(
        scripted_provider.url, scripted_provider.url, plugins=(("policy", keeps),), dialects=("anthropic.messages",)
    )
    if stream:
        async with made.stream(path, model="chain") as streamed:
            told = b"".join([piece async for piece in streamed])
    else:
        streamed = await made.ask(path, model="chain")
        told = streamed.body
    assert (streamed.status, streamed.headers["x-lynkr-provider"], streamed.headers["x-lynkr-attempts"]) == (200, "up2", "2")
    assert b"upstream" in told
    assert seen[-1] == ("up2", "End" if stream else "Response")
    await eventually(lambda: len(settled) == 2)
    assert settled == [("up1/m", "error", 7), ("up2/m", "ok", 7)]


async def eventually(holds):
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was so")


async def test_hook_reserve(gateway, scripted_provider):
    """A refusal moves to the next candidate, and what others had set aside is given back."""
    settled = []

    def refuse_first(exchange, candidate):
        return Reject(RateLimited("used up")) if candidate.provider.name == "up1" else None

    keeps = plugin(
        reserve=lambda exchange, candidate: Reservation(data=candidate.id),
        settle=lambda reservation, outcome: settled.append((reservation.data, outcome.status)),
    )
    both = (("policy", keeps), ("policy", plugin(reserve=refuse_first)))
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=both)
    answer = await made.ask(model="chain")
    assert (answer.status, answer.headers["x-lynkr-provider"]) == (200, "up2")
    assert settled == [("up1/m", "refused"), ("up2/m", "ok")]


async def test_hook_reserve_refused_everywhere(gateway, scripted_provider):
    refuse = plugin(reserve=lambda exchange, candidate: Reject(RateLimited("used up", retry_after=7)))
    answer = await (await gateway(scripted_provider.url, plugins=(("policy", refuse),))).ask()
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert scripted_provider.requests == []


async def test_hook_transform_request(gateway, scripted_provider):
    """Each attempt begins from the caller's original; untouched fields go out as they came."""

    def shout(exchange, request):
        message = request.messages[0]
        part = message.parts[0].edit(text=message.parts[0].text + "!")
        return request.edit(messages=(message.edit(parts=(part,)),))

    scripted_provider.then(DOWN)
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=(("compressor", plugin(transform_request=shout)),))
    await made.ask(model="chain", x_unknown={"a": 2.50})
    bodies = [received.body for received in scripted_provider.requests]
    assert [body.count(b"Hello!") for body in bodies] == [1, 1]
    assert all(b'"x_unknown":{"a":2.5}' in body for body in bodies)


async def test_hook_attempt_failed(gateway, scripted_provider):
    scripted_provider.then(DOWN, DOWN)
    judge = plugin(attempt_failed=lambda exchange, candidate, error: Verdict("retry"))
    made = await gateway(scripted_provider.url, plugins=(("extension", judge),))
    answer = await made.ask()
    assert (answer.status, answer.headers["x-lynkr-attempts"]) == (200, "3")


async def test_hook_transform_response(gateway, scripted_provider):
    def redact(exchange, response):
        choice = response.choices[0]
        return response.edit(choices=(choice.edit(parts=(Text(text="redacted"),)),))

    made = await gateway(scripted_provider.url, plugins=(("extension", plugin(transform_response=redact)),))
    assert (await made.ask()).json()["content"] == [{"type": "text", "text": "redacted"}]


async def test_hook_transform_stream(gateway, scripted_provider):
    def upper(exchange, events):
        async def wrapped() -> AsyncIterator:
            async for event in events:
                yield Delta(event.index, event.value.upper()) if isinstance(event, Delta) else event

        return wrapped()

    made = await gateway(scripted_provider.url, plugins=(("extension", plugin(transform_stream=upper)),))
    async with made.stream() as streamed:
        answer = await streamed.read()
    assert TEXT.upper()[-10:] in answer.text
    assert answer.events()[-1].event == b"message_stop"


async def test_hook_observe_event(gateway, scripted_provider):
    seen = []
    made = await gateway(
        scripted_provider.url,
        plugins=(("sink", plugin(observe_event=lambda exchange, event: seen.append(type(event).__name__))),),
    )
    async with made.stream() as streamed:
        await streamed.read()
    assert (seen[0], seen[-1]) == ("Start", "End")
    assert seen.count("Delta") >= 2


async def test_hook_settle_is_called_once_when_the_client_leaves(gateway, scripted_provider):
    settled = []
    keeps = plugin(
        reserve=lambda exchange, candidate: Reservation(data=1),
        settle=lambda reservation, outcome: settled.append(outcome.status),
    )
    scripted_provider.always(Script(delay=60))
    made = await gateway(scripted_provider.url, plugins=(("policy", keeps),))
    task = asyncio.ensure_future(made.ask())
    received = await scripted_provider.arrived()
    task.cancel()
    await asyncio.wait_for(received.gone.wait(), SOON)
    await until(lambda: settled)
    await asyncio.sleep(0.05)
    assert len(settled) == 1


async def test_hook_post_response_asynchronous_too(gateway, scripted_provider):
    seen = []

    async def later(exchange, outcome):
        await asyncio.sleep(0.01)
        seen.append((outcome.status, outcome.usage.input_tokens, outcome.candidate.id))

    made = await gateway(scripted_provider.url, plugins=(("sink", plugin(post_response=later)),))
    await made.ask()
    await until(lambda: seen)
    assert seen == [("ok", 12, "up1/m")]


@pytest.mark.parametrize("scripts", [(), (DOWN, DOWN, DOWN)], ids=["success", "failure"])
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
async def test_hook_post_response_is_called_exactly_once(gateway, scripted_provider, scripts, streams):
    seen = []
    scripted_provider.then(*scripts)
    made = await gateway(
        scripted_provider.url, plugins=(("sink", plugin(post_response=lambda exchange, outcome: seen.append(outcome.status))),)
    )
    await made.ask(stream=streams)
    assert seen == ["error" if scripts else "ok"]


async def test_hook_register_routes(gateway, scripted_provider):
    async def hello(query):
        return Reply(body=query.params["name"].encode())

    routes = plugin(register_routes=lambda kernel: [Route(method="GET", path="/hello/{name}", endpoint=hello)])
    made = await gateway(scripted_provider.url, plugins=(("extension", routes),))
    assert (await made.client.get("/hello/ada")).body == b"ada"


def test_hook_register_commands():
    """A plugin adds commands to the `lynkr` tool."""
    from cyclopts import App

    from lynkr_core.cli import add_plugin_commands

    ran = []
    app = App(name="lynkr")
    commands = plugin(register_commands=lambda cli: cli.command(lambda: ran.append(1), name="hello"))
    add_plugin_commands(app, [("extension", "x", commands)])
    app(["hello"], result_action="return_value")
    assert ran == [1]


async def test_an_upstream_error_never_shows_a_traceback(gateway, scripted_provider):
    def raises(exchange, request, candidate):
        raise UpstreamError("server", "not mine to raise")

    made = await gateway(scripted_provider.url, plugins=(("compressor", plugin(transform_request=raises)),))
    assert (await made.ask()).status == 200


async def test_how_hooks_fare_is_told_to_the_operator_only(gateway, scripted_provider):
    """With an admin key whoever asks for the gateway's health learns nothing of its traffic; without one there is nobody else."""
    fails = (("scorer", plugin(score=lambda exchange: 1 / 0)),)
    made = await gateway(scripted_provider.url, plugins=fails, config='[server]\nadmin_key = "the-operators-own"')
    await made.ask()
    assert "hooks" not in (await made.client.get("/health/ready")).json()
    assert "hooks" not in (await made.client.get("/health/ready", headers={"x-api-key": "another"})).json()
    told = (await made.client.get("/health/ready", headers={"x-api-key": "the-operators-own"})).json()["hooks"]
    assert told["scorer.p0"]["score"].items() >= {"calls": 1, "errors": 1, "state": "failing"}.items()
    made = await gateway(scripted_provider.url, plugins=fails)
    assert (await made.client.get("/health/ready")).json()["hooks"]["scorer.p0"]["score"]["calls"] == 0
