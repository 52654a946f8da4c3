"""What goes upstream for each client's bodies, read by the types of the SDK that the maker of the upstream's API publishes."""

import json

import pydantic
import pytest

from lynkr_core.testing.factories import find_dialect
from tests.traffic.conversations import asked, conversations
from tests.traffic.gateway import gateway

from .clients import FRONTS, bodies
from .lints import LINTS

RECORDED = list(conversations())
CROSSED = [(front, back) for front in FRONTS for back in LINTS if front != back]

FREE = ("input", "args", "arguments", "response", "json", "additionalModelRequestFields")


def mistake(back, body):
    """In words; empty when there is none."""
    try:
        LINTS[back](body)
    except (AssertionError, pydantic.ValidationError) as error:
        return repr(error)[:1000]
    return ""


def places(value):
    """The objects of a body but for those that anybody may put anything in."""
    if isinstance(value, list):
        for inner in value:
            yield from places(inner)
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            yield from () if key in FREE and isinstance(inner, dict) else places(inner)


@pytest.mark.anyio
@pytest.mark.parametrize("back", LINTS)
async def test_a_key_too_many_is_seen_anywhere(back):
    front = next(front for front in FRONTS if front != back)
    said = {key: value for key, value in bodies(front).items() if key in ("Qwen Code", "pi")}
    async with gateway(back) as (upstream, client):
        for body in said.values():
            await client.post(find_dialect(front).routes[0], json={**body, "model": "up/m", "tools": [], "stream": False})
            sent = upstream.last.json()
            unseen = []
            for place in places(sent):
                place["x_unheard_of"] = 1
                unseen += [] if mistake(back, sent) else [{**place}]
                del place["x_unheard_of"]
            assert unseen == []


@pytest.mark.anyio
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_what_goes_upstream_is_what_the_sdks_would_send(front, back):
    mistakes = {}
    async with gateway(back) as (upstream, client):
        for name, body in bodies(front).items():
            answer = await client.post(find_dialect(front).routes[0], json={**body, "model": "up/m", "stream": False})
            assert answer.status == 200, (name, answer.text)
            mistakes[name] = mistake(back, upstream.last.json())
    assert {name: words for name, words in mistakes.items() if words} == {}


@pytest.mark.anyio
@pytest.mark.parametrize(("front", "back"), CROSSED)
async def test_so_is_recorded_traffic(front, back):
    mistakes = {}
    async with gateway(back) as (upstream, client):
        for conversation in RECORDED:
            await client.post(
                find_dialect(front).routes[0], content=json.dumps({**asked(conversation, front), "model": "up/m"}).encode()
            )
            mistakes[conversation.id] = mistake(back, upstream.last.json())
    assert {id: words for id, words in mistakes.items() if words} == {}
