"""When a conversation stays with its model, and when it goes."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from lynkr_core.errors import PluginError
from lynkr_core.exchange import Removal, Selection
from lynkr_core.testing import factories
from lynkr_selector_sticky import plugin

FREE, CHEAP, SMART, TWIN, DEEP = "home/free", "cloud/cheap", "cloud/smart", "other/smart", "cloud/deep"
HARD, NEAR, EASY = 70.0, 55.0, 30.0
UNSURE = 48.0
"""Under the bound of the dearer tier, but not by enough to count at once."""


def calls(id: str, arguments: str = '{"path": "a"}') -> dict[str, Any]:
    call = {"id": id, "type": "function", "function": {"name": "edit", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": text}


def test_the_first_request_is_left_alone(talk):
    found = talk().say("hello", HARD)
    assert (found.order[0].id, found.reason, dict(found.notes)) == (SMART, "by tier", {})


def test_a_dearer_tier_is_taken_at_once_when_the_score_is_well_over_the_bound(talk):
    one = talk()
    assert [one.turn("a", EASY), one.turn("b", HARD)] == [CHEAP, SMART]
    assert one.exchange is not None


def test_just_over_the_bound_only_the_second_time(talk):
    one = talk()
    assert [one.turn("a", EASY), one.turn("b", NEAR), one.turn("c", NEAR)] == [CHEAP, CHEAP, SMART]
    other = talk("s2")
    assert [other.turn("a", EASY), other.turn("b", NEAR), other.turn("c", EASY), other.turn("d", NEAR)] == [CHEAP] * 4


@pytest.mark.parametrize("gate", ["incident", "deep_thought"])
def test_risk_climbs_however_near_the_score_is(talk, gate):
    one = talk()
    one.turn("a", EASY)
    found = one.say("b", NEAR, gates=[gate])
    assert found.order[0].id == SMART
    assert found.reason == f"by tier; climbs: {gate}"


def test_it_descends_for_one_ask_that_is_far_below_or_for_several_that_are_less(talk):
    one = talk()
    assert [one.turn("a", HARD)] + [one.turn("b", UNSURE) for _ in range(3)] == [SMART, SMART, CHEAP, CHEAP]
    assert one.exchange.tier == "medium"
    two = talk("s2")
    assert [two.turn("a", HARD), two.turn("b", EASY)] == [SMART, CHEAP]
    three = talk("s3")
    assert [three.turn("a", HARD), three.turn("b", UNSURE), three.turn("c", NEAR), three.turn("d", UNSURE)] == [SMART] * 4


def test_where_no_cache_is_lost_any_ask_below_is_enough(talk):
    one = talk(prompt="Be brief.")
    assert [one.turn("a", HARD), one.turn("b", UNSURE)] == [SMART, CHEAP]


def test_a_switch_that_costs_more_than_it_saves_is_not_made(talk):
    """What is warm at the dearest model is read for less than the next cheaper one takes to write it."""
    one = talk()
    one.turn("a" * 400_000, 90.0)
    found = one.say("b", 60.0)
    assert (found.order[0].id, found.tier) == (DEEP, "reasoning")
    assert found.reason == "by tier; stays: complex would do, but switching would not pay"
    assert re.search(r"1 turns ahead cost \$\d\.\d{4} staying, \$\d\.\d{4} switching, \d\.\d{4} of it for", found.notes["sticky"])


def test_thanks_are_no_sign_of_easy_asks(talk):
    one = talk()
    one.turn("a", HARD)
    assert [one.turn("thanks", 3.0, gates=["small_talk"]) for _ in range(5)] == [SMART] * 5


def test_in_the_middle_of_a_tool_exchange_nothing_switches(talk):
    one = talk()
    one.turn("a", EASY, reply=calls("1"))
    found = one.say(result("1", "done"), 90.0)
    assert found.order[0].id == CHEAP
    assert found.reason == "by tier; stays in the middle of a tool exchange"
    assert found.tier == "medium"


def test_the_same_failing_call_three_times_climbs_once(talk):
    one = talk()
    one.turn("fix it", EASY, reply=calls("1"))
    served = []
    for number in range(1, 6):
        served.append(one.turn(result(str(number), "Error: no such string"), EASY, reply=calls(str(number + 1))))
    assert served == [CHEAP, CHEAP, SMART, SMART, SMART]
    assert one.turn(result("6", "Error: no such string"), EASY) == DEEP


@pytest.mark.parametrize(
    ("second", "text"),
    [('{"path": "b"}', "Error: no"), ('{"path": "a"}', "edited 3 lines, 0 errors"), ('{"path": "a"}', "exit code: 0")],
)
def test_other_calls_and_good_results_are_no_stall(talk, second, text):
    one = talk()
    one.turn("fix it", EASY, reply=calls("1"))
    one.turn(result("1", "Error: no"), EASY, reply=calls("2"))
    one.turn(result("2", "Error: no"), EASY, reply=calls("3", second))
    assert one.turn(result("3", text), EASY) == CHEAP


def test_a_model_that_cannot_take_it_is_left_and_that_is_told(talk):
    one = talk()
    one.turn("a", EASY)
    one.messages.append({"role": "user", "content": "an image"})
    exchange, selection = one.asked(EASY, without=[CHEAP])
    exchange.removed = (Removal(CHEAP, "it takes no image", "kernel"),)
    found = one.selector.revise_selection(exchange, selection)
    assert found.order[0].id != CHEAP
    assert found.reason == f"by tier; leaves {CHEAP}: it takes no image"
    one.answer(found.order[0].id)
    assert one.turn("thanks", 3.0, gates=["small_talk"]) == found.order[0].id


def test_whoever_answered_is_the_model_from_then_on(talk):
    one = talk()
    one.say("a", EASY)
    one.answer(SMART)
    assert one.turn("b", UNSURE) == SMART


def test_another_model_of_the_tier_is_taken_only_when_it_pays(talk):
    one = talk()
    one.turn("a" * 40_000, HARD)
    found = one.say("b", HARD, first=TWIN)
    assert (found.order[0].id, found.reason) == (SMART, "by tier; stays: switching would not pay")
    one.clock.now += 3600 / 2
    one.answer(SMART)
    one.clock.now += 1000
    assert one.say("c", HARD, first=TWIN).order[0].id == SMART  # cold everywhere: no gain either


def test_what_another_reason_than_the_score_wants_needs_no_second_sign(talk):
    one = talk()
    one.turn("a", EASY)
    exchange, _ = one.asked(10.0)
    exchange.tier = "reasoning"
    order = one.selector.tiers.fallbacks("reasoning")
    assert one.selector.revise_selection(exchange, Selection(order=order, tier="reasoning")).order[0].id == DEEP


def test_who_is_stayed_with_was_not_chosen_by_lot(talk, selector):
    one = talk()
    one.turn("a", HARD)
    exchange, selection = one.asked(UNSURE)
    drawn = structs.replace(selection, notes={"variant": "b", "propensity": "0.500"})
    found = selector.revise_selection(exchange, drawn)
    assert (found.order[0].id, found.notes["variant"], "propensity" in found.notes) == (SMART, "b", False)
    same = selector.revise_selection(exchange, structs.replace(drawn, order=found.order))
    assert same.notes["propensity"] == "0.500"


@pytest.mark.parametrize("more", [{"gates": ["side_request"]}, {"gates": ["probe"]}, {"max_tokens": 5}])
def test_side_requests_leave_no_trace(talk, selector, more):
    one = talk()
    one.turn("a", HARD)
    before = {**selector.pins._pins}
    assert one.say("a title", 4.0, **more).order[0].id == FREE
    one.answer(FREE)
    assert selector.pins._pins == before


@pytest.mark.parametrize("route", ["exact", "alias"])
def test_what_was_asked_for_by_name_is_left_alone(talk, selector, route):
    one = talk()
    exchange, selection = one.asked(EASY)
    exchange.route = route
    assert selector.revise_selection(exchange, selection) is None
    selector.post_response(exchange, one.outcome(CHEAP))
    assert len(selector.pins) == 0


def test_of_a_tier_by_name_only_its_own_models_are_stayed_with(talk, selector):
    one = talk()
    one.turn("a", EASY)
    exchange, selection = one.asked(HARD, first=TWIN)
    exchange.route = "tier"
    assert selector.revise_selection(exchange, selection).order[0].id == TWIN
    selector.post_response(exchange, one.outcome(TWIN))
    exchange, selection = one.asked(HARD, first=SMART)
    exchange.route = "tier"
    found = selector.revise_selection(exchange, selection)
    assert (found.order[0].id, found.tier) == (TWIN, "complex")


def test_principals_and_sessions_are_kept_apart(talk):
    one = talk()
    one.turn("a", HARD)
    for other in (talk("s1", "p2"), talk("s2", "p1")):
        assert other.say("a", EASY).order[0].id == CHEAP
    assert talk().say("a", UNSURE).order[0].id == SMART


def test_a_summarised_history_begins_anew(talk):
    one = talk()
    one.turn("a", HARD)
    one.messages = [{"role": "user", "content": "Summary so far: all is well."}]
    assert one.turn("go on with the next file", EASY) == CHEAP


def test_a_dry_run_and_a_failure_leave_no_trace(talk, selector):
    one = talk()
    one.say("a", HARD)
    assert len(selector.pins) == 0
    one.answer(SMART, status="error")
    assert len(selector.pins) == 0


def test_pins_are_bounded_and_forgotten(talk, selector, clock):
    selector.pins._kept = 3
    for number in range(5):
        talk(f"s{number}").turn("a", HARD)
    assert len(selector.pins) == 3
    clock.now += 4000
    assert talk("s4").say("a", EASY).order[0].id == CHEAP


@pytest.mark.anyio
async def test_processes_share_what_they_know(shared, talk):
    for score in (HARD, UNSURE):
        one = talk(selector=shared())
        one.messages.append({"role": "user", "content": "a"})
        exchange, selection = one.asked(score)
        found = await one.selector.revise_selection(exchange, selection) or selection
        assert found.order[0].id == SMART
        await one.selector.post_response(exchange, one.outcome(SMART))


@pytest.mark.anyio
async def test_a_store_that_fails_leaves_each_with_what_it_knows(shared, talk):
    async def fails(*args: Any) -> None:
        raise OSError("gone")

    one = talk(selector=(selector := shared()))
    one.messages.append({"role": "user", "content": "a"})
    exchange, selection = one.asked(HARD)
    selector.store = SimpleNamespace(get=fails, set=fails)
    assert await selector.revise_selection(exchange, selection) is None
    with pytest.raises(OSError, match="gone"):
        await selector.post_response(exchange, one.outcome(SMART))
    exchange, selection = one.asked(UNSURE)
    assert (await selector.revise_selection(exchange, selection)).order[0].id == SMART


def test_a_store_that_is_not_there_is_a_mistake():
    with pytest.raises(PluginError, match=r"\[store.x\]"):
        factories.build(plugin, {"store": "x"}, factories.context())


def test_a_pin_of_another_version_is_none():
    from lynkr_selector_sticky.pins import Pin, Warm, decode, encode

    pin = Pin(candidate="a/b", warm={"a/b": Warm(5, 1.0)})
    assert decode(encode(pin)) == pin
    assert decode(b"\x00junk") is None
    assert structs.replace(pin, candidate="c").at == 0.0
