from __future__ import annotations

import msgspec
import pytest

from lynkr_core import Secret
from lynkr_core.testing import factories
from lynkr_core.testing.contracts.wire import Wire
from lynkr_core.testing.recording import RecordingTransport, recorded, sent
from lynkr_provider_huggingface import Config, plugin

CHAT = factories.find_dialect("openai.chat")


def test_it_is_asked_at_its_own_address() -> None:
    endpoint, headers, _ = sent(plugin, Config(api_key=Secret("hf_1")), "openai.chat")
    assert endpoint.url == "https://router.huggingface.co/v1/chat/completions"
    assert headers[b"authorization"] == b"Bearer hf_1"
    assert recorded(plugin, Config()).vendor == "huggingface"


@pytest.mark.parametrize("model", ["org/name", "org/name:fastest", "org/name:groq"])
def test_the_choice_of_a_host_stays_in_the_models_name(model: str) -> None:
    transport = RecordingTransport()
    Wire(recorded(plugin, Config(), transport), CHAT, model).call({"model": "auto", "messages": []})
    assert msgspec.json.decode(transport.sent[0].body)["model"] == model


@pytest.mark.parametrize(
    ("body", "said"), [(b'"Model is busy"', "Model is busy"), (b'{"error":"Bad"}', "Bad"), (b"Bad gateway", "Bad gateway")]
)
def test_an_error_may_be_an_object_or_a_bare_text(body: bytes, said: str) -> None:
    error = recorded(plugin, Config()).classify(CHAT, 400, {}, body)
    assert (error.kind, error.message) == ("invalid", said)
