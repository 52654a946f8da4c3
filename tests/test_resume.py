"""A cut answer is continued as the catalogue says that the next model can: from its own beginning, or by asking for the rest."""

import json

import pytest

from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.resuming import GO_ON
from lynkr_core.testing.canned import CANNED, TEXT
from lynkr_core.testing.client import Client

pytestmark = pytest.mark.anyio
FIRST = "openai/gpt-4o"
ASKED = {"model": "chain", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}


def gateway(url, second):
    names = dict.fromkeys([FIRST.partition("/")[0], second.partition("/")[0]])
    providers = "".join(f'[provider.{name}]\napi_key = "k"\nbase_url = "{url}"\n' for name in names)
    rest = (
        f'[catalog.default]\n[models]\nchain = ["{FIRST}", "{second}"]\n[routing]\nresume = true\n[server]\nlist_models = false\n'
    )
    text = providers + rest
    return Client(Application(Kernel.from_config(parse(text, {}), {})))


@pytest.mark.parametrize(
    ("second", "key"),
    [("anthropic/claude-haiku-4-5", None), ("mistral/mistral-large-latest", "prefix"), ("moonshot/moonshot-v1-128k", "partial")],
)
async def test_who_can_goes_on_from_the_answer_that_was_begun(scripted_provider, second, key):
    scripted_provider.then(CANNED["openai.chat"].but(cut_events=2))
    async with gateway(scripted_provider.url, second) as client:
        answer = await client.post("/v1/chat/completions", json=ASKED)
    assert b"[DONE]" in answer.body
    *_, last = scripted_provider.last.json()["messages"]
    assert (last["role"], TEXT[:9].rstrip() in json.dumps(last, ensure_ascii=False)) == ("assistant", True)
    assert key is None or last[key] is True


@pytest.mark.parametrize("second", ["anthropic/claude-opus-5-5", "openai/gpt-4.1", "deepseek/deepseek-v4-pro"])
async def test_who_cannot_or_is_not_known_to_is_asked_for_the_rest(scripted_provider, second):
    scripted_provider.then(CANNED["openai.chat"].but(cut_events=2))
    async with gateway(scripted_provider.url, second) as client:
        await client.post("/v1/chat/completions", json=ASKED)
    *_, begun, last = scripted_provider.last.json()["messages"]
    assert (begun["role"], last["role"]) == ("assistant", "user")
    assert GO_ON in json.dumps(last)
