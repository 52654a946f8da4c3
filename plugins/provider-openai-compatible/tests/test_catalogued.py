"""What a model's card says of the key that limits an answer."""

from typing import Any

import pytest

from lynkr_core.cards import ModelCard
from lynkr_core.testing import factories
from lynkr_provider_openai_compatible import plugin

NEW, OLD = "max_completion_tokens", "max_tokens"


@pytest.mark.parametrize(
    ("setting", "said", "expected"), [(None, NEW, NEW), (None, None, OLD), (OLD, NEW, OLD), (NEW, OLD, NEW), (None, OLD, OLD)]
)
@pytest.mark.parametrize("asked", [NEW, OLD])
def test_the_setting_then_the_card_then_the_old_name(setting: Any, said: Any, expected: str, asked: str) -> None:
    table = {"base_url": "http://127.0.0.1:1", "vendor": "v"} | ({"token_limit_field": setting} if setting else {})
    provider = factories.build(plugin, table, factories.context())
    candidate = factories.candidate("p/m", card=ModelCard(id="v/m", token_limit=said))
    fields: dict[str, Any] = {asked: 7}
    provider.adapt(fields, candidate, factories.find_dialect("openai.chat"), [])
    assert (provider.vendor, fields) == ("v", {expected: 7})
