"""What adds up over a request that went on is what the whole request gives, or nearly."""

import json

import pytest

from lynkr_core.dialects import growth, sums
from lynkr_core.dialects.growth import Beginnings
from lynkr_core.dialects.sums import summed, tokens
from lynkr_core.errors import InvalidRequest
from lynkr_core.request import Blob, Text, Uri
from lynkr_core.stores.recent import Recent
from lynkr_core.testing import factories
from lynkr_core.tokens import estimate

WORDS = "def read(path): return open(path).read() # what the café's naïve interpreter does, 12 times\n" * 30
PROMPT = {
    "openai.chat": {},
    "anthropic.messages": {"system": WORDS, "max_tokens": 9},
    "openai.responses": {"instructions": WORDS},
}
TOOL = {"name": "f", "description": WORDS, "parameters": {"type": "object"}}
TOOLS = {
    "openai.chat": {"type": "function", "function": TOOL},
    "anthropic.messages": {"name": "f", "description": WORDS, "input_schema": {"type": "object"}},
    "openai.responses": {"type": "function", **TOOL},
}
KEY = {"openai.responses": "input"}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(growth, "_beginnings", Beginnings())
    monkeypatch.setattr(Beginnings, "again", lambda self, samples: True)
    monkeypatch.setattr(sums, "_beside", Recent(sums.MOST))


def asking(dialect, messages, **more):
    return factories.exchange(
        {"model": "m", "tools": [TOOLS[dialect]], KEY.get(dialect, "messages"): messages, **PROMPT[dialect], **more},
        dialect=dialect,
    )


def turns(dialect, count):
    image = {"type": "image_url", "image_url": {"url": "https://x/y.png"}} if dialect == "openai.chat" else None
    for number in range(count):
        yield {
            "role": "user",
            "content": [image, {"type": "text", "text": WORDS}] if image and number == 2 else f"{number} {WORDS}",
        }
        yield {"role": "assistant", "content": f"{number}"}


@pytest.mark.parametrize("dialect", list(PROMPT))
def test_turn_by_turn_the_tokens_are_those_of_the_whole(dialect):
    whole = list(turns(dialect, 12))
    for size in (1, 5, 5, 7, 8, 24, 23):
        exchange = asking(dialect, whole[:size])
        assert exchange.envelope.grown is not None or size == 1
        counted = tokens(exchange)
        assert exchange.parsed is None or size in (1, 5)
        assert counted == pytest.approx(estimate(exchange.request), rel=0.04)


def images(request):
    parts = [part for message in request.messages for part in message.parts]
    texts = [*request.system, *[part for part in parts if isinstance(part, Text)]]
    return sum(isinstance(part, Uri | Blob) for part in parts), sum(len(part.text) for part in texts), len(request.tools)


@pytest.mark.parametrize("dialect", list(PROMPT))
def test_sums_of_whole_numbers_are_exact(dialect):
    whole = list(turns(dialect, 12))
    for size in (4, 5, 9, 9, 24, 24, 12):
        exchange = asking(dialect, whole[:size], temperature=size / 100)
        assert summed(exchange, "images", images) == images(exchange.request)


def test_only_what_was_added_is_read(monkeypatch):
    whole, read = list(turns("openai.chat", 12)), []
    dialect = type(asking("openai.chat", whole[:1]).dialect)
    decode = dialect.decode_request

    def decoded(self, envelope):
        read.append(len(json.loads(bytes(envelope.fields["messages"]))))
        return decode(self, envelope)

    monkeypatch.setattr(dialect, "decode_request", decoded)
    for size in (10, 12, 12, 16):
        tokens(asking("openai.chat", whole[:size]))
    assert read == [10, 0, 2, 4]  # the tools are read once, without messages


def test_what_moves_is_counted_but_not_remembered():
    def marked(text):
        return {"role": "user", "content": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]}

    old = list(turns("anthropic.messages", 3))
    for last in (old[-2:], []):
        exchange = asking("anthropic.messages", [*old, *last, marked(WORDS)])
        assert summed(exchange, "images", images) == images(exchange.request)


def test_new_prompts_and_tools_are_counted_anew():
    whole = list(turns("anthropic.messages", 3))
    for more in ({}, {"system": "short"}, {"tools": []}, {"system": [{"type": "text", "text": WORDS * 2}]}, {"system": "short"}):
        exchange = asking("anthropic.messages", whole, **more)
        assert summed(exchange, "images", images) == images(exchange.request)


def test_a_measure_that_comes_later_knows_nothing_of_the_beginning():
    whole = list(turns("openai.chat", 12))
    tokens(asking("openai.chat", whole[:10]))
    exchange = asking("openai.chat", whole[:14])
    assert summed(exchange, "images", images) == images(exchange.request)


def test_what_cannot_be_read_raises_as_ever():
    whole = list(turns("openai.chat", 3))
    tokens(asking("openai.chat", whole))
    with pytest.raises(InvalidRequest, match=r"messages\[6\]"):
        tokens(asking("openai.chat", [*whole, {"role": "user", "content": 5}]))
