import asyncio

import pytest

from lynkr_core.errors import InvalidRequest, Unavailable
from lynkr_core.hooks import MAX_FAILURES, Call, Hook, notify
from lynkr_core.plugins import Loaded, compiled
from lynkr_core.testing import factories

pytestmark = pytest.mark.anyio


def call(function, hook="score", kind="scorer", parameters=("exchange", "candidates"), plugin="scorer.x") -> Call:
    return Call(hook, kind, plugin, function, parameters)


def hook(*functions, **keywords) -> Hook:
    return Hook("score", [call(function, **keywords) for function in functions])


async def slow(exchange):
    await asyncio.sleep(30)


def broken(exchange):
    raise ValueError("oh")


async def test_first_answer_wins():
    seen = []
    answer = await hook(lambda exchange: None, lambda exchange: "b", lambda exchange: seen.append(1)).first("e", ())
    assert (answer, seen) == (("b", "scorer.x"), [])


async def test_nobody_waits_for_an_answer_that_is_there():
    assert hook(lambda exchange: None, lambda exchange: "b").first_now("e", ()) == ("b", "scorer.x")
    assert hook(lambda exchange: None).first_now("e", ()) == (None, "")


@pytest.mark.parametrize("asks", [True, False])
async def test_where_somebody_has_to_be_waited_for_each_is_called_once(asks):
    seen = []

    async def later(exchange):
        await asyncio.sleep(0)
        seen.append("later")

    one = hook(lambda exchange: seen.append("before"), (lambda exchange: later(exchange)) if asks else later,
               lambda exchange: seen.append("after") or "c")  # fmt: skip
    assert await one.first_now("e", ()) == ("c", "scorer.x")
    assert seen == ["before", "later", "after"]


async def test_collect_gives_all_answers_with_their_plugins():
    async def later(exchange):
        return 2

    assert await hook(lambda exchange: 1, later, lambda exchange: None).collect("e", ()) == [(1, "scorer.x"), (2, "scorer.x")]


async def test_fold_hands_on_the_last_result():
    folded = hook(lambda e, request: request + "b", lambda e, request: None, lambda e, request: request + "c",
                  parameters=("e", "request", "candidate"))  # fmt: skip
    assert await folded.fold("e", "a", None) == "abc"


@pytest.mark.parametrize(
    "function", [lambda exchange, candidates: (exchange, candidates), lambda candidates, exchange: (exchange, candidates)]
)
async def test_arguments_in_any_order(function):
    assert (await hook(function).first(1, 2))[0] == (1, 2)


async def test_fewer_arguments():
    assert (await hook(lambda candidates: candidates).first(1, 2))[0] == 2
    assert (await hook(lambda: "none").first(1, 2))[0] == "none"


async def test_an_error_skips_the_plugin():
    assert await hook(broken, lambda exchange: 1).collect("e", ()) == [(1, "scorer.x")]


@pytest.mark.parametrize("kind", ["auth", "policy"])
async def test_an_error_of_auth_or_policy_refuses(kind):
    with pytest.raises(Unavailable, match=r"scorer\.x failed"):
        await hook(broken, kind=kind).first("e", ())


async def test_an_answer_to_the_caller_is_no_fault():
    def refuses(exchange):
        raise InvalidRequest("no")

    refusing = hook(refuses)
    with pytest.raises(InvalidRequest):
        await refusing.first("e", ())
    assert refusing.calls[0].errors == 0


async def test_five_errors_in_a_row_switch_a_plugin_off_and_time_brings_it_back(monkeypatch):
    failing = hook(broken)
    for _ in range(MAX_FAILURES + 3):
        await failing.first("e", ())
    only = failing.calls[0]
    assert only.off
    assert only.errors == MAX_FAILURES
    only.off_until = 0.0
    await failing.first("e", ())
    assert only.errors == MAX_FAILURES + 1


async def test_a_success_clears_the_row():
    answers = [ValueError(), ValueError(), 1, ValueError()]

    def sometimes(exchange):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    one = hook(sometimes)
    for _ in range(4):
        await one.first("e", ())
    assert (one.calls[0].failures, one.calls[0].errors) == (1, 3)


async def test_the_stage_has_one_deadline():
    stage = Hook("score", [call(slow), call(lambda exchange: 1)], deadline=0.05)
    assert await stage.collect("e", ()) == [(1, "scorer.x")]
    assert stage.calls[0].errors == 1


async def test_a_policy_that_stalls_refuses():
    stage = Hook("pre_route", [call(slow, kind="policy")], deadline=0.05)
    with pytest.raises(Unavailable):
        await stage.first("e", ())


async def test_notify_raises_nothing():
    one = call(broken)
    notify(one, ("e", ()))
    assert (one.errors, one.calls) == (1, 1)


class Waits:
    """A plugin that waits for somebody else's answer longer than a hook may take."""

    patience = 30.0

    async def pre_route(self, exchange) -> None:
        await asyncio.sleep(0.2)


class Comes:
    seen = False

    async def pre_route(self, exchange) -> None:
        await asyncio.sleep(0.01)
        self.seen = True


@pytest.mark.anyio
async def test_a_patient_plugin_may_wait_and_takes_nobody_s_time():
    waits, comes = Waits(), Comes()
    plugins = [Loaded(kind="cache", name=name, use=name, instance=one) for name, one in (("a", waits), ("b", comes))]
    hooks = compiled(plugins, {}, "", [])
    hooks.pre_route.deadline = 0.1
    assert await hooks.pre_route.first(factories.exchange({"model": "m", "messages": []})) == (None, "")
    assert [call.errors for call in hooks.pre_route.calls] == [0, 0]
    assert comes.seen


def test_a_call_that_never_waits_is_timed_now_and_then_and_stands_for_the_others(monkeypatch):
    """Each call takes a second by this clock, which moves when it is asked: the sum is right whichever calls are timed."""
    asked = []
    monkeypatch.setattr("time.perf_counter", lambda: asked.append(1) or float(len(asked)))
    quick = call(lambda exchange: 1, hook="pre_route", parameters=("exchange",))
    for number in range(1, 641):
        quick.now(("e",))
        assert quick.timed <= quick.calls == number
    assert len(asked) == 2 * (6 + 10), "calls 1 to 32 by powers of two, then each 64th"
    assert (quick.calls, quick.timed, quick.seconds) == (640, 640, 640.0)
    notify(quick, ("e",))
    assert (quick.calls, quick.timed) == (641, 640)


async def test_a_call_that_waits_is_always_timed():
    async def later(exchange):
        await asyncio.sleep(0)

    waiting = hook(later)
    for _ in range(3):
        await waiting.first("e", ())
    assert (waiting.calls[0].calls, waiting.calls[0].timed) == (3, 3)
    assert waiting.calls[0].told()["mean_us"] > 0


async def test_a_call_tells_how_it_fares():
    failing = hook(broken)
    only = failing.calls[0]
    assert only.told() == {"calls": 0, "errors": 0, "mean_us": None, "state": "on", "left": 0.0}
    states = []
    for _ in range(MAX_FAILURES):
        await failing.first("e", ())
        states.append(only.told()["state"])
    assert states == ["failing"] * (MAX_FAILURES - 1) + ["off"]
    assert 0 < only.told()["left"] <= 30
    only.off_until = 0.0
    assert (only.told()["state"], only.told()["left"]) == ("trial", 0.0)
    only.function = lambda exchange, candidates: 1
    await failing.first("e", ())
    assert only.told()["state"] == "on"


async def test_what_must_not_be_skipped_is_never_off():
    failing = hook(broken, kind="policy")
    for _ in range(MAX_FAILURES + 1):
        with pytest.raises(Unavailable):
            await failing.first("e", ())
    assert failing.calls[0].told()["state"] == "failing"
