from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lynkr_core import Secret
from lynkr_core.exchange import ANONYMOUS, Principal
from lynkr_core.testing import factories
from lynkr_core.testing.recording import recorded, sent
from lynkr_provider_fireworks import Config, plugin

CHAT = factories.find_dialect("openai.chat")
OWN = "accounts/fireworks/models/"
CONFIG = Config(api_key=Secret("fw_1"))


def adapted(fields: dict[str, Any], model: str = OWN + "kimi-k3", config: Config = CONFIG, dialect: Any = CHAT) -> dict[str, Any]:
    recorded(plugin, config).adapt(fields, SimpleNamespace(model=model), dialect, losses := [])
    assert losses == []
    return fields


def affinity(principal: Principal, headers: dict[bytes, bytes] | None = None, config: Config = CONFIG) -> bytes | None:
    endpoint, seen, _ = sent(plugin, config, "openai.chat", headers, principal=principal)
    assert endpoint.url == "https://api.fireworks.ai/inference/v1/chat/completions"
    return seen.get(b"x-session-affinity")


@pytest.mark.parametrize(
    ("model", "sent"), [("kimi-k3", OWN + "kimi-k3"), (OWN + "kimi-k3", None), ("accounts/me/deployments/x", None)]
)
def test_a_short_name_is_one_of_fireworks_own(model: str, sent: str | None) -> None:
    assert adapted({"model": model}, model)["model"] == (sent or model)
    assert adapted({"model": model}, model, dialect=factories.find_dialect("openai.embeddings"))["model"] == (sent or model)


def test_what_does_not_fit_the_window_is_an_error_unless_it_is_configured_or_asked_otherwise() -> None:
    key = "context_length_exceeded_behavior"
    assert adapted({}) == {key: "error"}
    assert adapted({}, config=Config(context_length_exceeded_behavior="truncate")) == {key: "truncate"}
    assert adapted({key: "truncate"}) == {key: "truncate"}
    assert adapted({}, dialect=factories.find_dialect("openai.responses")) == {}


def test_keys_have_the_names_that_it_takes() -> None:
    fields = adapted(
        {"max_completion_tokens": 5, "prompt_cache_key": "s", "messages": [{"role": "assistant", "reasoning": "Hm"}]}
    )
    del fields["context_length_exceeded_behavior"]
    assert fields == {"max_tokens": 5, "prompt_cache_key": "s", "messages": [{"role": "assistant", "reasoning_content": "Hm"}]}


def test_a_callers_requests_go_to_one_replica() -> None:
    ann, bob = affinity(Principal(id="ann")), affinity(Principal(id="bob"))
    assert ann
    assert ann == affinity(Principal(id="ann")) != bob
    assert b"ann" not in ann
    assert affinity(ANONYMOUS) is None


def test_the_callers_own_session_and_a_configured_one_go_first() -> None:
    own = {b"x-session-affinity": b"session-7"}
    assert affinity(Principal(id="ann"), own) == b"session-7"
    config = Config(headers={"x-session-affinity": Secret("all")})
    assert affinity(Principal(id="ann"), own, config) == b"all"


def test_its_models_are_those_that_catalogues_list_under_fireworks_ai() -> None:
    assert recorded(plugin, CONFIG).vendor == "fireworks_ai"
