"""Vercel's AI SDK against the gateway, by its OpenAI (chat and Responses) and Anthropic packages, over every upstream dialect."""

import asyncio

import pytest

from lynkr_core.testing.canned import CANNED, OPENAI_FAULTS
from tests.javascript.node import throws

TEXT = 'Grüße 👩‍👩‍👧 "quoted" \\ back\tslash\nand a line'
WEATHER = 'The weather, please [[echo: tool get_weather {"city":"Zürich"}]] [[echo: tool get_weather {"city":"Paris"}]]'
APIS = ["chat", "responses", "messages"]
STATUSES = [(400, False), (404, False), (429, True), (500, True), (529, True)]
UPSTREAMS = [("chat", "openai.chat"), ("responses", "openai.responses"), ("messages", "anthropic.messages")]
apis = pytest.mark.parametrize("api", APIS)
both = pytest.mark.parametrize("function", ["generated", "streamed"])


def asked(text, **more):
    return {"prompt": text, "maxOutputTokens": 1000, **more}


@pytest.fixture
def to(gateway):
    return {"baseURL": f"{gateway.url}/v1"}


@pytest.fixture
def scripted(scripted_gateway):
    return {"baseURL": f"{scripted_gateway.url}/v1"}


@apis
@both
def test_an_answer(vercel, to, model, api, function):
    question = asked(f"{TEXT} [[echo: usage 100 20]]", instructions="Be brief")
    answer = vercel(function, api=api, to=to, model=model, asked=question)
    assert (answer["text"], answer["finish"]) == (TEXT, "stop")
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (100, 20)


@apis
@both
def test_the_limit_ends_an_answer(vercel, to, model, api, function):
    question = asked("word [[echo: chunks 40]]", maxOutputTokens=20)
    answer = vercel(function, api=api, to=to, model=model, asked=question)
    assert (answer["text"], answer["finish"]) == ("word " * 19 + "word", "length")


@apis
@pytest.mark.parametrize("stream", [False, True])
def test_it_runs_tools(vercel, to, model, api, stream):
    ran = vercel("withTools", api=api, to=to, model=model, asked=asked(WEATHER), results=["21°", "15°"], stream=stream)
    assert ran == {"text": "Tool said: 21°\n15°", "steps": 2, "made": ["Zürich", "Paris"]}


@apis
def test_it_parses_an_answer(vercel, to, model, api):
    answers = vercel("parsed", api=api, to=to, model=model, asked=asked('{"name": "Zürich", "people": 436551}'))
    assert answers == [{"name": "Zürich", "people": 436551}] * 2


@pytest.mark.parametrize("api", ["responses", "messages"])
@pytest.mark.parametrize("provider", ["echo", "responses", "messages"])
@both
def test_it_shows_reasoning(vercel, to, api, provider, function):
    options = {"openai": {"reasoningEffort": "low", "reasoningSummary": "auto", "forceReasoning": True}}
    options["anthropic"] = {"thinking": {"type": "enabled", "budgetTokens": 1024}}
    question = asked("Hello [[echo: reasoning I think so]]", providerOptions=options)
    answer = vercel(function, api=api, to=to, model=f"{provider}/echo", asked=question)
    assert (answer["reasoning"], answer["text"]) == ("I think so", "Hello")


@pytest.mark.parametrize("provider", ["echo", "chat"])
def test_embeddings(vercel, to, provider):
    answer = vercel("embedded", to=to, model=f"{provider}/echo", asked={"values": ["one", "two three"]})
    assert len({len(vector) for vector in answer["embeddings"]}) == 1
    assert (len(answer["embeddings"]), answer["usage"]["tokens"]) == (2, 3)


# the package for Gemini, whose API is a front where it is switched on
@pytest.fixture(scope="module")
def gemini(gateway, serve_all):
    """What a call of that package begins with, behind the gateway of the other tests."""
    settings = f'[dialect.gemini]\n\n[provider.up]\nuse = "openai-compatible"\nbase_url = "{gateway.url}/v1"\n'
    settings += 'dialects = ["openai.chat"]\n\n[routing]\nretries = 0\n'
    return {"api": "gemini", "to": {"baseURL": f"{serve_all(settings).url}/v1beta"}}


@both
def test_an_answer_from_the_gemini_front(vercel, gemini, model, function):
    question = asked(f"{TEXT} [[echo: usage 100 20]]", instructions="Be brief")
    answer = vercel(function, **gemini, model=f"models/up/{model}", asked=question)
    assert (answer["text"], answer["finish"]) == (TEXT, "stop")
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (100, 20)


@pytest.mark.parametrize("stream", [False, True])
def test_it_runs_tools_from_the_gemini_front(vercel, gemini, model, stream):
    ran = vercel("withTools", **gemini, model=f"models/up/{model}", asked=asked(WEATHER), results=["21°", "15°"], stream=stream)
    results = [f'{{"name":"get_weather","content":"{text}"}}' for text in ("21°", "15°")]  # as the package writes them
    assert ran == {"text": "Tool said: " + "\n".join(results), "steps": 2, "made": ["Zürich", "Paris"]}


def test_it_parses_an_answer_from_the_gemini_front(vercel, gemini, model):
    answers = vercel("parsed", **gemini, model=f"models/up/{model}", asked=asked('{"name": "Zürich", "people": 436551}'))
    assert answers == [{"name": "Zürich", "people": 436551}] * 2


@both
@pytest.mark.parametrize(("status", "retryable"), STATUSES)
def test_errors_are_told_from_the_gemini_front(vercel, gemini, model, function, status, retryable):
    with throws(status=status, retryable=retryable) as caught:
        vercel(function, **gemini, model=f"models/up/{model}", asked=asked(f"[[echo: status {status}]]"))
    assert caught.value.error["message"]


# errors
@apis
@both
@pytest.mark.parametrize(("status", "retryable"), STATUSES)
def test_errors_are_told(vercel, to, model, api, function, status, retryable):
    with throws(status=status, retryable=retryable) as caught:
        vercel(function, api=api, to=to, model=model, asked=asked(f"[[echo: status {status}]]"))
    assert caught.value.error["message"]


@apis
@pytest.mark.parametrize("directive", ["cut 4", "end 4", "fail 4"])
def test_a_broken_stream_is_never_a_normal_end(vercel, to, model, api, directive):
    with throws() as caught:
        vercel("streamed", api=api, to=to, model=model, asked=asked(f"{TEXT} [[echo: {directive}]]"))
    assert caught.value.error["message"]


@pytest.mark.anyio
async def test_what_it_may_retry_itself(vercel, scripted, provider):
    provider.always(OPENAI_FAULTS["500"].script)
    with throws(**{"class": "RetryError"}):
        await vercel.later("generated", api="chat", to=scripted, model="chat/m", asked=asked("Hello", maxRetries=1))
    assert len(provider.requests) == 2 * 3  # it knows no x-should-retry


@apis
@pytest.mark.parametrize(("upstream", "dialect"), UPSTREAMS)
@pytest.mark.anyio
async def test_leaving_closes_the_upstream(vercel, scripted, provider, api, upstream, dialect):
    provider.always(CANNED[dialect].but(pause=0.3))
    assert await vercel.later("abandoned", api=api, to=scripted, model=f"{upstream}/m", asked=asked("Hello"))
    await asyncio.wait_for(provider.last.gone.wait(), 30)
    assert len(provider.requests) == 1
