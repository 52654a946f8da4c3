"""The builders make what the kernel would."""

import pytest

from lynkr_core.errors import ConfigError, InvalidRequest
from lynkr_core.exchange import Price
from lynkr_core.plugins import Plugin
from lynkr_core.provider import HTTPConfig
from lynkr_core.request import Usage
from lynkr_core.testing import factories


def test_an_exchange_is_peeked_at_and_has_its_headers():
    body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    served = factories.candidates()
    made = factories.exchange(body, dialect="anthropic.messages", headers={"X-Lynkr-Agent": "a"}, served=served)
    assert (made.envelope.model, made.path, made.header(b"x-lynkr-agent")) == ("auto", "/v1/messages", "a")
    assert (made.request.messages[0].text, made.candidates) == ("hi", served)


def test_a_bad_body_is_an_invalid_request():
    with pytest.raises(InvalidRequest):
        factories.exchange(b"{", dialect="anthropic.messages")


def test_a_candidate_has_its_provider_and_price_but_cannot_be_sent_to():
    made = factories.candidate("local/meta/llama", price=Price(input=1, output=2))
    assert (made.id, made.provider.name, made.model) == ("local/meta/llama", "local", "meta/llama")
    with pytest.raises(AssertionError, match="local/meta/llama"):
        made.provider.send(None, made, None, b"")


def test_an_outcome_has_cost_only_with_price_and_usage():
    usage = Usage(input_tokens=1_000_000, output_tokens=500_000)
    priced = factories.candidate("a/b", price=Price(input=1, output=2))
    assert factories.outcome(chosen=priced, usage=usage).cost == 2.0
    assert factories.outcome(chosen=factories.candidate("a/b"), usage=usage).cost is None
    assert (factories.outcome("error", chosen=priced).attempts[0].kind, factories.outcome("refused").attempts) == ("server", ())


def test_a_wrong_table_is_told_as_lynkr_check_does():
    plugin = Plugin(api=1, config=HTTPConfig, create=object)
    with pytest.raises(ConfigError) as raised:
        factories.configure(plugin, {"timeout": "soon", "modles": []})
    assert len(raised.value.mistakes) == 3


@pytest.mark.anyio
async def test_an_instance_is_entered_when_it_can_be():
    class Thing:
        entered = False

        async def __aenter__(self):
            self.entered = True

        async def __aexit__(self, *error):
            self.entered = False

    thing = Thing()
    async with factories.running(thing) as running:
        assert (running is thing, thing.entered) == (True, True)
    assert not thing.entered
    async with factories.running(plain := object()) as running:
        assert running is plain
