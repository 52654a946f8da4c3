"""What models are known not to take: told to the caller in its dialect, or left out, and nothing reaches a provider."""

from datetime import date, timedelta

import pytest

from lynkr_core import capabilities
from lynkr_core.cards import ModelCard, Price
from lynkr_core.errors import InvalidRequest
from lynkr_core.testing import factories

CHAT, MESSAGES, RESPONSES = FRONTS = ("/v1/chat/completions", "/v1/messages", "/v1/responses")
DATA = "aGk="
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
IMAGE = {
    CHAT: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    MESSAGES: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    RESPONSES: {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
}
DOCUMENT = {
    CHAT: {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}},
    MESSAGES: {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": DATA}},
    RESPONSES: {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"},
}
PLAIN_FILE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}}
LIMIT = {CHAT: {}, MESSAGES: {"max_tokens": 50}, RESPONSES: {}}


class Cards:
    """A catalogue of one card for each provider."""

    def __init__(self, **cards: ModelCard | None) -> None:
        self.cards = cards

    def card(self, provider, vendor, model):
        return self.cards.get(provider)

    def proposals(self, vendor):
        return {}


def card(**more) -> ModelCard:
    return ModelCard(id="v/m", **more)


def asked(front: str, *parts, **more):
    """A request whose second message has these parts."""
    turns = (
        [{"role": "user", "content": "hi"}, {"role": "user", "content": [*parts]}]
        if parts
        else [{"role": "user", "content": "hi"}]
    )
    return {"model": "m", **LIMIT[front], ("input" if front == RESPONSES else "messages"): turns, **more}


def exchange(body, front=CHAT, **known):
    name = {CHAT: "openai.chat", MESSAGES: "anthropic.messages", RESPONSES: "openai.responses"}[front]
    return factories.exchange(
        body, dialect=name, served=[factories.candidate("a/m", card=card(**known)), factories.candidate("b/m")]
    )


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(("modality", "parts"), [("image", IMAGE), ("document", DOCUMENT)])
async def test_an_input_that_a_model_cannot_take_is_refused_with_what_and_where(
    gateway, scripted_provider, front, modality, parts
):
    cards = Cards(up1=card(refuses=frozenset([modality])))
    made = await gateway(scripted_provider.url, plugins=(("catalog", cards),))
    answer = await made.client.post(front, json=asked(front, parts[front]))
    error = answer.json()["error"]
    place = f"{'input' if front == RESPONSES else 'messages'}[1]"
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert f"up1/m: it takes no {modality}, and {place} has one" in error["message"]
    assert error.get("param", place) == place
    assert scripted_provider.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("known", [None, ModelCard(id="v/m"), ModelCard(id="v/m", takes=frozenset(["image"]))])
async def test_what_is_not_known_is_sent(gateway, scripted_provider, front, known):
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=known)),))
    assert (await made.client.post(front, json=asked(front, IMAGE[front], tools=[]))).status == 200


@pytest.mark.anyio
async def test_who_cannot_take_it_is_left_out_and_the_next_one_asked(gateway, scripted_provider):
    cards = Cards(up1=card(refuses=frozenset(["image"])))
    made = await gateway(scripted_provider.url, scripted_provider.url, plugins=(("catalog", cards),))
    body = asked(MESSAGES, IMAGE[MESSAGES], model="chain")
    assert (await made.client.post(MESSAGES, json=body)).headers["x-lynkr-provider"] == "up2"
    decision = (await made.client.post("/v1/route", json=body, headers={"anthropic-version": "2023-06-01"})).json()
    assert (decision["candidates"], decision["order"]) == (["up2/m"], ["up2/m"])
    assert decision["removed"] == [
        {"candidate": "up1/m", "plugin": "kernel", "reason": "it takes no image, and messages[1] has one"}
    ]


def test_an_image_in_a_tools_result_counts():
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE[MESSAGES]]}
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    body = asked(MESSAGES) | {"messages": [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]}
    made = exchange(body, MESSAGES, refuses=frozenset(["image"]))
    capabilities.narrow(made, False)
    assert [removal.reason for removal in made.removed] == ["it takes no image, and messages[1] has one"]


def test_words_about_images_and_plain_text_files_are_text():
    text = {"type": "text", "text": 'the key "image" and {"type":"document"}'}
    tool = TOOL | {
        "input_schema": {"type": "object", "properties": {"image": {"type": "string"}, "document": {"type": "string"}}}
    }
    made = exchange(asked(MESSAGES, text, PLAIN_FILE, tools=[tool]), MESSAGES, refuses=frozenset(["image", "document"]))
    capabilities.narrow(made, False)
    assert made.removed == ()


def test_sound():
    made = exchange(asked(CHAT, AUDIO), CHAT, refuses=frozenset(["audio"]))
    capabilities.narrow(made, False)
    assert [removal.candidate for removal in made.removed] == ["a/m"]


@pytest.mark.parametrize(("tools", "known", "left"), [([TOOL], False, 1), ([], False, 2), ([TOOL], None, 2), ([TOOL], True, 2)])
def test_tools_for_a_model_that_takes_none(tools, known, left):
    made = exchange(asked(MESSAGES, tools=tools), MESSAGES, tools=known)
    capabilities.narrow(made, False)
    assert len(made.candidates) == left


@pytest.mark.parametrize(("words", "left"), [(100, 2), (1050, 2), (2000, 1)])
def test_an_input_that_is_surely_larger_than_the_window(words, left):
    made = exchange(asked(CHAT, {"type": "text", "text": "word " * words}), CHAT, context_window=1000)
    capabilities.narrow(made, False)
    assert len(made.candidates) == left


@pytest.mark.anyio
@pytest.mark.parametrize("front", FRONTS)
async def test_too_long_is_told_in_words_that_clients_know(gateway, scripted_provider, front):
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=card(context_window=100))),))
    body = asked(front) | {"input" if front == RESPONSES else "messages": [{"role": "user", "content": "word " * 1000}]}
    answer = await made.client.post(front, json=body)
    assert answer.status == 400
    assert "prompt is too long: about" in answer.json()["error"]["message"]
    assert front == MESSAGES or answer.json()["error"]["code"] == "context_length_exceeded"
    assert scripted_provider.requests == []


def test_inputs_of_embeddings_and_counts_are_not_measured():
    text = "word " * 5000
    served = [factories.candidate("a/m", card=card(context_window=10))]
    made = factories.exchange({"model": "m", "input": [text]}, dialect="openai.embeddings", served=served)
    capabilities.narrow(made, True)
    body = asked(MESSAGES) | {"messages": [{"role": "user", "content": text}]}
    counted = factories.exchange(body, dialect="anthropic.count_tokens", served=made.candidates)
    capabilities.narrow(counted, True)
    assert made.removed == counted.removed == ()


REFUSING = card(refused={"temperature": "temperature", "top_p": "top_p", "stop": "stop", "stop_sequences": "stop"})


@pytest.mark.anyio
@pytest.mark.parametrize(("front", "stop"), [(CHAT, "stop"), (MESSAGES, "stop_sequences")])
async def test_a_refused_parameter_is_taken_out_and_told(gateway, scripted_provider, front, stop):
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=REFUSING)),))
    body = asked(front, temperature=0.2, top_p=0.5, seed=3, **{stop: ["x"]})
    answer = await made.client.post(front, json=body)
    told = f"temperature: m does not take it; top_p: m does not take it; {stop}: m does not take it"
    assert (answer.status, answer.headers["x-lynkr-losses"]) == (200, told)
    assert scripted_provider.last.json() == asked(front, seed=3)


@pytest.mark.anyio
async def test_so_it_is_from_one_dialect_to_another(gateway, scripted_provider):
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=REFUSING)),), dialects=("openai.chat",))
    answer = await made.client.post(MESSAGES, json=asked(MESSAGES, temperature=0.2, stop_sequences=["x"]))
    assert "temperature: m does not take it" in answer.headers["x-lynkr-losses"]
    assert {"temperature", "stop"} & set(scripted_provider.last.json()) == set()


@pytest.mark.anyio
async def test_a_body_without_refused_parameters_goes_out_byte_for_byte(gateway, scripted_provider):
    body = b'{ "model":"m","max_tokens":5, "temperature": 1.0, "x":2.50,"messages":[{"role":"user","content":"hi"}] }'
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=REFUSING)),))
    answer = await made.client.post(MESSAGES, content=body)
    assert scripted_provider.last.body == body
    assert "x-lynkr-losses" not in answer.headers


@pytest.mark.anyio
async def test_or_it_is_refused(gateway, scripted_provider):
    config = '[routing]\nunsupported = "refuse"'
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=REFUSING)),), config=config)
    answer = await made.client.post(CHAT, json=asked(CHAT, temperature=0.2, top_p=0.5))
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", "temperature")
    assert error["message"] == "nobody can serve this request: up1/m: it does not take temperature, top_p"
    assert scripted_provider.requests == []


@pytest.mark.parametrize(
    ("thinks", "more", "dropped"),
    [
        (None, {}, True), (True, {}, True), (False, {}, False),
        (None, {"reasoning_effort": "none"}, False), (False, {"reasoning_effort": "high"}, True),
    ],
)  # fmt: skip
def test_what_is_refused_only_while_it_thinks(thinks, more, dropped):
    known = card(refused_thinking={"temperature": "temperature"}, thinks=thinks)
    found = capabilities.refused(exchange(asked(CHAT, temperature=0.5, **more)), known)
    assert found == ({"temperature": "temperature"} if dropped else {})


@pytest.mark.parametrize(("choice", "dropped"), [("auto", False), ("none", False), ("any", True), ("tool", True)])
def test_a_forced_choice_of_tools_is_refused_and_a_free_one_never(choice, dropped):
    body = asked(MESSAGES, tools=[TOOL], tool_choice={"type": choice, **({"name": "f"} if choice == "tool" else {})})
    assert bool(capabilities.refused(exchange(body, MESSAGES), card(refused={"tool_choice": "tool_choice"}))) is dropped


@pytest.mark.anyio
@pytest.mark.parametrize(("days", "words"), [(61, None), (60, "ends on"), (0, "ends on"), (-1, "ended on")])
async def test_a_model_near_its_end_is_named_in_a_header(gateway, scripted_provider, days, words):
    end = date.today() + timedelta(days=days)
    made = await gateway(scripted_provider.url, plugins=(("catalog", Cards(up1=card(ends=end))),))
    warning = (await made.ask()).headers.get("x-lynkr-warning")
    assert warning == (f"v/m {words} {end}" if words else None)


@pytest.mark.anyio
async def test_the_card_has_the_price_and_the_limits_unless_lynkr_toml_has(gateway, scripted_provider):
    known = card(price=Price(input=1, output=1, source="catalogue"), context_window=1000, max_output=50)
    made = await gateway(
        scripted_provider.url, scripted_provider.url, plugins=(("catalog", Cards(up1=known, up2=known)),),
        config='[prices]\n"up2/m" = { input = 7, output = 7, tiers = [{ above = 10, input = 9, output = 9 }] }',
    )  # fmt: skip
    first, second = made.kernel.catalog.aliases["chain"]
    assert (first.price.source, second.price.source) == ("catalogue", "lynkr.toml")
    assert (second.price.tiers[0].above, second.price.tiers[0].input) == (10, 9)
    assert (first.context_window, first.max_output) == (1000, 50)
    entries = {entry["id"]: entry for entry in (await made.client.get("/v1/models")).json()["data"]}
    assert (entries["up1/m"]["context_window"], entries["up1/m"]["max_output_tokens"]) == (1000, 50)
    assert "context_window" not in entries["chain"]


def test_the_first_mistake_decides_what_the_caller_is_told():
    made = exchange(asked(CHAT, IMAGE[CHAT], tools=[]), CHAT, refuses=frozenset(["image"]))
    made.candidates = made.candidates[:1]
    with pytest.raises(InvalidRequest) as raised:
        capabilities.narrow(made, False)
    assert raised.value.param == "messages[1]"
