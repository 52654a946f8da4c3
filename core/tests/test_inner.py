"""Tools that lynkr answers itself: one answer for the caller, made of several of the model's."""

import asyncio
import json

import pytest

from lynkr_core.errors import RateLimited
from lynkr_core.exchange import Principal, Reject, Reservation
from lynkr_core.inner import FAILED, ROUNDS, offer, summed
from lynkr_core.request import Reasoning, Text, Tool, ToolCall, Usage
from lynkr_core.testing import factories
from lynkr_core.testing.canned import Script
from lynkr_core.testing.factories import find_dialect
from lynkr_core.testing.saying import saying
from lynkr_core.testing.waiting import SOON, until

pytestmark = pytest.mark.anyio
FRONTS = {"openai.chat": "/v1/chat/completions", "openai.responses": "/v1/responses", "anthropic.messages": "/v1/messages"}
fronts = pytest.mark.parametrize("front", FRONTS)
spoken = pytest.mark.parametrize("dialect", FRONTS)
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
TOOL = Tool(name="lynkr_look", description="Looks it up.", parameters=b'{"type":"object"}')
BASE64 = "c2lnbmF0dXJl"


class Looking:
    """Offers `lynkr_look`, whose result is its arguments, and `lynkr_call`, which is a call of the caller's tool."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda call: f"found {call.arguments}")
        self.outcomes, self.settled, self.events = [], [], []

    def reserve(self, exchange, candidate):
        return Reservation(data=candidate.id)

    def settle(self, reservation, outcome):
        self.settled.append((outcome.status, outcome.usage and outcome.usage.input_tokens))

    def transform_request(self, exchange, request):
        tools = [tool for tool in (TOOL, Tool(name="lynkr_call")) if self.offered(exchange, tool)]
        return request.edit(tools=(*request.tools, *tools))

    def offered(self, exchange, tool):
        return offer(exchange, tool.name, self.answer if tool is TOOL else self.call)

    def call(self, call):
        asked = json.loads(call.arguments)
        return ToolCall(id="", name=asked["name"], arguments=call.arguments[call.arguments.index(":", 8) + 1 : -1])

    def observe_event(self, exchange, event):
        self.events.append(event)

    def post_response(self, exchange, outcome):
        self.outcomes.append(outcome)


def look(id="call_1", arguments='{"q": "1"}'):
    return ToolCall(id=id, name="lynkr_look", arguments=arguments)


async def asked(gateway, provider, front, scripts, *, stream=False, dialect=None, plugin=None, config="", urls=1, **body):
    """The caller's answer in the internal model, the plugin and the raw answer."""
    plugin = plugin or Looking()
    provider.then(*scripts)
    made = await gateway(*[provider.url] * urls, dialects=(dialect or front,), plugins=(("extension", plugin),), config=config)
    path = FRONTS[front]
    if not stream:
        raw = await made.ask(path, model="chain", **body)
        return find_dialect(front).decode_response(raw.body), plugin, raw
    if front == "openai.chat":
        body["stream_options"] = {"include_usage": True}
    async with made.stream(path, model="chain", **body) as streaming:
        raw = await streaming.read()
    return folded(front, raw.body), plugin, raw


def folded(front, body):
    from lynkr_core.dialects.fold import fold
    from lynkr_core.events import Grammar

    decoder, grammar = find_dialect(front).decoder(), Grammar()
    events = [*decoder.feed(body), *decoder.close()]
    return fold([grammar.check(event) for event in events])


def texts(answer):
    return [part.text for part in answer.choices[0].parts if isinstance(part, Text)]


def calls(answer):
    return [(part.name, json.loads(part.arguments)) for part in answer.choices[0].parts if isinstance(part, ToolCall)]


@fronts
@spoken
@streamed
async def test_the_caller_gets_one_answer(gateway, scripted_provider, front, dialect, stream):
    scripts = [
        saying(dialect, Text(text="Let me look. "), look(), usage=(100, 10)),
        saying(dialect, Text(text="It is 1."), usage=(130, 7)),
    ]
    answer, plugin, raw = await asked(gateway, scripted_provider, front, scripts, dialect=dialect, stream=stream)
    assert "".join(texts(answer)) == "Let me look. It is 1."
    assert calls(answer) == []
    assert b"lynkr_look" not in raw.body
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (230, 17)
    assert (plugin.outcomes[0].status, plugin.outcomes[0].usage.input_tokens) == ("ok", 230)
    assert plugin.settled == [("ok", 100), ("ok", 130)]
    assert [attempt.answered for attempt in plugin.outcomes[0].attempts] == [("lynkr_look",), ()]
    second = scripted_provider.last.body.decode()
    assert "found" in second
    assert "call_1" in second
    assert "Let me look." in second


@fronts
@streamed
async def test_the_next_request_begins_as_the_one_before(gateway, scripted_provider, front, stream):
    scripts = [saying(front, Text(text="Look."), look()), saying(front, look("call_2")), saying(front, Text(text="Done"))]
    await asked(gateway, scripted_provider, front, scripts, stream=stream)
    key = "input" if front == "openai.responses" else "messages"
    before, middle, last = [received.json()[key] for received in scripted_provider.requests]
    before = [before] if isinstance(before, str) else before
    assert middle[1:]
    assert last[: len(middle)] == middle
    assert len(last) > len(middle)
    assert {json.dumps(received.json()["tools"]) for received in scripted_provider.requests} == {
        json.dumps(scripted_provider.last.json()["tools"])
    }


@fronts
@spoken
@streamed
async def test_the_callers_own_calls_come_through(gateway, scripted_provider, front, dialect, stream):
    own = ToolCall(id="call_9", name="read", arguments='{"path": "/a"}')
    scripts = [saying(dialect, look()), saying(dialect, Text(text="Reading."), own)]
    answer, _, raw = await asked(gateway, scripted_provider, front, scripts, dialect=dialect, stream=stream)
    assert calls(answer) == [("read", {"path": "/a"})]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert b"call_9" in raw.body


@fronts
@spoken
@streamed
async def test_what_is_called_by_another_name(gateway, scripted_provider, front, dialect, stream):
    own = ToolCall(id="call_9", name="lynkr_call", arguments='{"name":"read", "arguments":{"a": 1.50,"b":["ü\\n"]}}')
    answer, _, raw = await asked(
        gateway, scripted_provider, front, [saying(dialect, Text(text="So."), own)], dialect=dialect, stream=stream
    )
    part = answer.choices[0].parts[-1]
    assert (part.name, part.id, answer.choices[0].finish_reason) == ("read", "call_9", "tool_calls")
    assert part.arguments == '{"a": 1.50,"b":["ü\\n"]}'
    assert b"lynkr_call" not in raw.body
    assert len(scripted_provider.requests) == 1


@fronts
@streamed
async def test_beside_the_callers_own_calls_inner_ones_are_not_shown(gateway, scripted_provider, front, stream):
    own = ToolCall(id="call_9", name="read", arguments='{"path": "/a"}')
    answer, _, raw = await asked(gateway, scripted_provider, front, [saying(front, look(), own, look("call_3"))], stream=stream)
    assert calls(answer) == [("read", {"path": "/a"})]
    assert len(scripted_provider.requests) == 1
    assert b"lynkr_look" not in raw.body


@streamed
async def test_thinking_goes_back_with_its_signature(gateway, scripted_provider, stream):
    thinking = Reasoning(text="Hm.", signature=BASE64)
    front = "anthropic.messages"
    scripts = [saying(front, thinking, look()), saying(front, Reasoning(text="So.", signature=BASE64), Text(text="Done"))]
    answer, _, _ = await asked(gateway, scripted_provider, front, scripts, stream=stream)
    block = scripted_provider.last.json()["messages"][1]["content"][0]
    assert block == {"type": "thinking", "thinking": "Hm.", "signature": BASE64}
    assert [type(part) for part in answer.choices[0].parts] == [Reasoning, Reasoning, Text]


@streamed
async def test_thinking_goes_back_to_its_vendor_across_dialects(gateway, scripted_provider, stream):
    dialect = "anthropic.messages"
    scripts = [saying(dialect, Reasoning(text="Hm.", signature=BASE64), look()), saying(dialect, Text(text="Done"))]
    await asked(gateway, scripted_provider, "openai.chat", scripts, stream=stream, dialect=dialect)
    assert scripted_provider.last.json()["messages"][1]["content"][0]["signature"] == BASE64


@streamed
async def test_the_rounds_have_an_end(gateway, scripted_provider, stream):
    front = "openai.chat"
    scripted_provider.always(saying(front, Text(text="."), look()))
    answer, plugin, _ = await asked(gateway, scripted_provider, front, [], stream=stream)
    assert len(scripted_provider.requests) == ROUNDS + 1 == len(plugin.settled)
    assert (answer.choices[0].finish_reason, "".join(texts(answer)), calls(answer)) == ("stop", "." * (ROUNDS + 1), [])


@streamed
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_tool_that_fails_says_so_to_the_model(gateway, scripted_provider, stream, asynchronous):
    async def later(call):
        raise ValueError("secret")

    def now(call):
        raise ValueError("secret")

    front = "openai.chat"
    scripts = [saying(front, look()), saying(front, Text(text="Done"))]
    plugin = Looking(later if asynchronous else now)
    answer, _, _ = await asked(gateway, scripted_provider, front, scripts, stream=stream, plugin=plugin)
    assert scripted_provider.last.json()["messages"][-1]["content"] == FAILED
    assert texts(answer) == ["Done"]


@fronts
@streamed
async def test_a_failed_round_is_tried_again_and_by_the_next_candidate(gateway, scripted_provider, front, stream):
    scripts = [
        saying(front, Text(text="Look. "), look()), Script(status=500, body=b'{"error": {"message": "boom"}}'),
        saying(front, Text(text="Done"))
    ]  # fmt: skip
    answer, plugin, _ = await asked(gateway, scripted_provider, front, scripts, stream=stream, urls=2)
    assert "".join(texts(answer)) == "Look. Done"
    assert [status for status, _ in plugin.settled] == ["ok", "error", "ok"]
    assert plugin.outcomes[0].candidate.id == "up2/m"
    assert "found" in scripted_provider.last.body.decode()


@fronts
async def test_a_round_that_is_cut_is_a_cut_stream(gateway, scripted_provider, front):
    last = saying(front, Text(text="Done and over"))
    scripts = [saying(front, Text(text="Look. "), look()), last.but(cut_events=len(last.events) - 2)]
    plugin = Looking()
    scripted_provider.then(*scripts)
    made = await gateway(scripted_provider.url, plugins=(("extension", plugin),), config="[routing]\nretries = 0")
    async with made.stream(FRONTS[front], model="chain") as streaming:
        raw = await streaming.read()
    assert b"Look." in raw.body
    assert b"error" in raw.body
    assert b"message_stop" not in raw.body
    assert b"[DONE]" not in raw.body
    assert b"response.completed" not in raw.body
    assert [outcome.status for outcome in plugin.outcomes] == ["cut"]
    assert [status for status, _ in plugin.settled] == ["ok", "cut"]


@streamed
async def test_a_budget_that_is_used_up_ends_the_answer(gateway, scripted_provider, stream):
    class Two(Looking):
        left = 2

        def reserve(self, exchange, candidate):
            self.left -= 1
            return Reject(RateLimited("no more money")) if self.left < 0 else Reservation()

    front, plugin = "anthropic.messages", Two()
    scripted_provider.always(saying(front, Text(text="."), look()))
    made = await gateway(scripted_provider.url, plugins=(("policy", plugin),))
    if stream:
        async with made.stream(FRONTS[front], model="chain") as streaming:
            raw = await streaming.read()
        assert b"message_stop" not in raw.body
    else:
        raw = await made.ask(FRONTS[front], model="chain")
        assert raw.status == 429
    assert b"no more money" in raw.body
    assert len(scripted_provider.requests) == 2
    assert len(plugin.settled) == 2
    assert plugin.outcomes[0].status == "refused"
    assert plugin.outcomes[0].usage.input_tokens == 20


async def test_a_caller_that_leaves_in_between(gateway, scripted_provider):
    reached = asyncio.Event()

    async def slow(call):
        reached.set()
        await asyncio.sleep(3600)
        return "late"

    front, plugin = "openai.chat", Looking(slow)
    scripted_provider.then(saying(front, Text(text="Look"), look()))
    made = await gateway(scripted_provider.url, plugins=(("extension", plugin),))
    async with made.stream(FRONTS[front], model="chain") as streaming:
        async for _ in streaming:
            await asyncio.wait_for(reached.wait(), SOON)
            break
    await until(lambda: plugin.outcomes)
    assert (plugin.outcomes[0].status, len(scripted_provider.requests)) == ("cancelled", 1)
    assert plugin.outcomes[0].usage.input_tokens == 10
    assert plugin.settled == [("ok", 10)]


@streamed
async def test_an_answer_cut_for_its_length_is_not_gone_on_from(gateway, scripted_provider, stream):
    scripts = [saying("openai.chat", Text(text="Look"), look(), finish="length")]
    answer, _, _ = await asked(gateway, scripted_provider, "openai.chat", scripts, stream=stream)
    assert (answer.choices[0].finish_reason, texts(answer), calls(answer)) == ("length", ["Look"], [])


async def test_nothing_is_offered_for_several_answers_or_over_a_tool_of_the_callers(gateway, scripted_provider):
    front = "openai.chat"
    await asked(gateway, scripted_provider, front, [saying(front, Text(text="Hi"))], n=2)
    assert "tools" not in scripted_provider.last.json()
    own = {"type": "function", "function": {"name": "lynkr_look", "parameters": {}}}
    answer, _, _ = await asked(gateway, scripted_provider, front, [saying(front, look())], tools=[own])
    assert calls(answer) == [("lynkr_look", {"q": "1"})]


async def test_who_observes_sees_what_the_caller_sees(gateway, scripted_provider):
    from lynkr_core.events import Grammar

    front = "anthropic.messages"
    scripts = [saying(front, Text(text="Look"), look()), saying(front, Text(text="Done"))]
    _, plugin, _ = await asked(gateway, scripted_provider, front, scripts, stream=True)
    grammar = Grammar()
    for event in plugin.events:
        grammar.check(event)
    assert grammar.ended


@streamed
async def test_what_it_cost_is_the_sum(gateway, scripted_provider, stream):
    front, price = "openai.chat", '[prices."up1/m"]\ninput = 1.0\noutput = 10.0'
    scripts = [saying(front, look(), usage=(1000, 100)), saying(front, Text(text="Done"), usage=(2000, 200))]
    _, plugin, raw = await asked(gateway, scripted_provider, front, scripts, stream=stream, config=price)
    assert plugin.outcomes[0].cost == pytest.approx((3000 * 1 + 300 * 10) / 1e6)
    assert stream or float(raw.headers["x-lynkr-cost-usd"]) == pytest.approx(0.006)


def test_usages_add_up():
    one = Usage(input_tokens=1, cache_read=2, fees={"web_search": 1}, billed=0.5)
    assert summed([one, one]) == Usage(input_tokens=2, cache_read=4, fees={"web_search": 2}, billed=1.0)
    assert summed([one, None, Usage(estimated=True)]).billed is None
    assert summed([None]) is None


def came_back(front, body, results):
    """What the client of this dialect sends of an answer in its next turn, with the results of its own tools."""
    if front == "anthropic.messages":
        given = [{"type": "tool_result", "tool_use_id": id, "content": text} for id, text in results]
        return [{"role": "assistant", "content": body["content"]}, {"role": "user", "content": given or "And?"}]
    if front == "openai.responses":
        given = [{"type": "function_call_output", "call_id": id, "output": text} for id, text in results]
        return [*body["output"], *(given or [{"role": "user", "content": "And?"}])]
    given = [{"role": "tool", "tool_call_id": id, "content": text} for id, text in results]
    return [body["choices"][0]["message"], *(given or [{"role": "user", "content": "And?"}])]


def told(received, front):
    return received.json()["input" if front == "openai.responses" else "messages"]


@fronts
@streamed
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("own", [False, True])
async def test_the_rounds_come_again_with_the_next_turn(gateway, scripted_provider, front, stream, own, mixed):
    read = (ToolCall(id="call_9", name="read", arguments='{"path": "/a"}'),) if own or mixed else ()
    beside = (look("call_3", '{"q": "beside"}'),) if mixed else ()
    made = await gateway(scripted_provider.url, dialects=(front,), plugins=(("extension", Looking()),))
    opening = [{"role": "user", "content": "Hello"}]
    place = "input" if front == "openai.responses" else "messages"
    scripted_provider.then(saying(front, Text(text="Look. "), look()), saying(front, Text(text="So."), *beside, *read))
    if stream:
        async with made.stream(FRONTS[front], model="chain", **{place: opening}) as streaming:
            raw = (await streaming.read()).body
        asked = factories.exchange({"model": "m", "max_tokens": 9, place: opening}, dialect=front)
        body = json.loads(find_dialect(front).encode_response(folded(front, raw), asked.request))
    else:
        body = (await made.ask(FRONTS[front], model="chain", **{place: opening})).json()
    before = told(scripted_provider.last, front)
    scripted_provider.then(saying(front, Text(text="Done.")))
    results = [("call_9", "contents")] if read else []
    await made.ask(FRONTS[front], model="chain", **{place: [*opening, *came_back(front, body, results)]})
    after = told(scripted_provider.last, front)
    assert after[: len(before)] == before
    rest = json.dumps(after[len(before) :])
    assert "So." in rest
    assert "contents" in rest or not read
    assert ("found" in rest and "beside" in rest) is mixed
    assert json.dumps(after).count("Look.") == 1


async def test_rounds_of_one_caller_are_not_anothers(gateway, scripted_provider):
    class Named:
        def authenticate(self, exchange):
            return Principal(id=exchange.header(b"x-api-key"))

    front = "anthropic.messages"
    made = await gateway(scripted_provider.url, plugins=(("auth", Named()), ("extension", Looking())))
    opening = [{"role": "user", "content": "Hello"}]
    scripted_provider.then(saying(front, Text(text="Look. "), look()), saying(front, Text(text="So.")))
    body = {"model": "chain", "max_tokens": 9}
    first = await made.client.post(FRONTS[front], json={**body, "messages": opening}, headers={"x-api-key": "alice"})
    again = {**body, "messages": [*opening, *came_back(front, first.json(), [])]}
    for name, rounds in (("bob", 0), ("alice", 1)):
        scripted_provider.then(saying(front, Text(text="Done.")))
        await made.client.post(FRONTS[front], json=again, headers={"x-api-key": name})
        assert scripted_provider.last.body.decode().count("found") == rounds


async def test_nothing_is_offered_where_a_plugin_wraps_streams(gateway, scripted_provider):
    class Wrapping:
        def transform_stream(self, exchange, events):
            return events

    made = await gateway(scripted_provider.url, plugins=(("extension", Looking()), ("extension", Wrapping())))
    async with made.stream("/v1/messages", model="chain") as streaming:
        await streaming.read()
    assert "tools" not in scripted_provider.last.json()
    await made.ask("/v1/messages", model="chain")
    assert "lynkr_look" in scripted_provider.last.body.decode()


async def test_a_checked_stream_goes_on_too(gateway, scripted_provider):
    """An examiner that holds a stream sees what the caller would, and lets go at the end of a round."""

    class Holding:
        holding = True

        def __call__(self, said):
            self.seen = said

    class Examining(Looking):
        def revise_selection(self, exchange, selection):
            exchange.examine = lambda candidate: Holding()

    front = "anthropic.messages"
    scripts = [saying(front, Text(text="Look. "), look()), saying(front, Text(text="Done"))]
    answer, _, _ = await asked(gateway, scripted_provider, front, scripts, stream=True, plugin=Examining())
    assert "".join(texts(answer)) == "Look. Done"


@streamed
async def test_a_slow_round_may_be_hedged(gateway, scripted_provider, stream):
    front, config = "openai.chat", "[routing]\nhedge_after = 0.05\nhedge_share = 1.0"
    done = saying(front, Text(text="Done"))
    scripts = [saying(front, Text(text="Look. "), look()), done.but(delay=1.0), done]
    answer, plugin, _ = await asked(gateway, scripted_provider, front, scripts, stream=stream, urls=2, config=config)
    assert "".join(texts(answer)) == "Look. Done"
    assert len(plugin.outcomes) == 1
    assert len(plugin.settled) == len(scripted_provider.requests)


async def test_many_at_once(gateway, scripted_provider):
    """Each gets its own rounds."""
    front = "openai.chat"
    made = await gateway(scripted_provider.url, plugins=(("extension", Looking()),))
    scripted_provider.always(saying(front, Text(text="."), look()))
    answers = await asyncio.gather(*[made.ask(FRONTS[front], model="chain") for _ in range(20)])
    assert {answer.json()["choices"][0]["message"]["content"] for answer in answers} == {"." * (ROUNDS + 1)}
    assert len(scripted_provider.requests) == 20 * (ROUNDS + 1)


class Indexed(Looking):
    """As `Looking`, and `lynkr_look` waits for its answer; so `lynkr_call` may be a call of it."""

    def __init__(self, seconds=SOON * 10):
        super().__init__()
        self.seconds = seconds
        self.looked = []

    def offered(self, exchange, tool):
        if tool is TOOL:
            return offer(exchange, tool.name, self.look, self.seconds)
        return super().offered(exchange, tool)

    async def look(self, call):
        self.looked.append(call)
        await asyncio.sleep(60 if "slow" in call.arguments else 0)
        return f"found {call.arguments}"


def indexed(q="1"):
    return ToolCall(id="call_1", name="lynkr_call", arguments=json.dumps({"name": "lynkr_look", "arguments": {"q": q}}))


@streamed
@fronts
async def test_a_call_of_another_inner_tool_is_answered_in_its_place(gateway, scripted_provider, front, stream):
    """The caller sees neither, the model gets the result for the call that it made, and the record names what was asked."""
    scripts = [saying(front, Text(text="I look. "), indexed()), saying(front, Text(text="Done."))]
    answer, plugin, _ = await asked(gateway, scripted_provider, front, scripts, stream=stream, plugin=Indexed())
    assert not calls(answer)
    assert "".join(texts(answer)).split() == ["I", "look.", "Done."]
    assert [(call.name, json.loads(call.arguments)) for call in plugin.looked] == [("lynkr_look", {"q": "1"})]
    assert "found" in scripted_provider.last.body.decode().rpartition("call_1")[2]
    await until(lambda: plugin.outcomes)
    assert plugin.outcomes[0].attempts[0].answered == ("lynkr_look",)


async def test_a_tool_says_itself_how_long_it_may_take(gateway, scripted_provider):
    scripts = [saying("openai.chat", indexed("slow")), saying("openai.chat", Text(text="Done."))]
    answer, _, _ = await asked(gateway, scripted_provider, "openai.chat", scripts, plugin=Indexed(seconds=0.05))
    assert texts(answer) == ["Done."]
    assert FAILED in scripted_provider.last.body.decode()
