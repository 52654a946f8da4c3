"""Where the note stands in what each provider gets, and that it never moves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lynkr_compressor_terse import plugin
from lynkr_compressor_terse.notes import NOTES
from lynkr_core.app import Application
from lynkr_core.config import parse
from lynkr_core.kernel import Kernel
from lynkr_core.request import Usage
from lynkr_core.testing import factories
from lynkr_core.testing.client import Client
from lynkr_core.testing.contracts import samples

NOTE = NOTES["full"]
HI = {"role": "user", "content": "hi"}
MARK = {"type": "ephemeral"}
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"}


def sent(body: Any, dialect: str, **table: Any) -> Any:
    """The body for the provider."""
    terse = factories.build(plugin, {"level": "full", **table}, factories.context())
    exchange = factories.exchange(body, dialect=dialect)
    request = terse.transform_request(exchange, exchange.request) or exchange.request
    return msgspec.json.decode(msgspec.json.encode(exchange.dialect.encode_request(request, [])))


CASES: list[tuple[str, str, Any, Any]] = [
    ("anthropic.messages", "system", "Be kind.", f"Be kind.\n\n{NOTE}"),
    ("anthropic.messages", "system", None, NOTE),
    (
        "anthropic.messages", "system", [{"type": "text", "text": "A"}, {"type": "text", "text": "B", "cache_control": MARK}],
        [{"type": "text", "text": "A"}, {"type": "text", "text": f"B\n\n{NOTE}", "cache_control": MARK}],
    ),
    ("anthropic.messages", "system", [BILLING], [BILLING, {"type": "text", "text": NOTE}]),
    ("openai.responses", "instructions", "Be kind.", f"Be kind.\n\n{NOTE}"),
    ("openai.responses", "instructions", None, NOTE),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "key", "before", "after"), CASES)
def test_it_ends_a_prompt_beside_the_messages(dialect: str, key: str, before: Any, after: Any) -> None:
    body = samples.request(dialect, "hi", **({key: before} if before is not None else {}))
    made = sent(body, dialect)
    found = made.pop(key)
    assert found == after or found == [{"type": "text", "text": after}]
    assert made == {name: value for name, value in body.items() if name != key}


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("content", ["Be kind.", [{"type": "text", "text": "Be kind."}]])
def test_it_ends_the_prompt_of_a_chat(role: str, content: Any) -> None:
    rest = [HI, {"role": "assistant", "content": "ho"}, {"role": "system", "content": "later"}, HI]
    made = sent({"model": "m", "messages": [{"role": role, "content": content}, *rest]}, "openai.chat")["messages"]
    told = made[0]["content"]
    assert (told if isinstance(told, str) else told[-1]["text"]) == f"Be kind.\n\n{NOTE}"
    assert (made[0]["role"], made[1:]) == (role, rest)


def test_a_chat_without_a_prompt_gets_one() -> None:
    assert sent({"model": "m", "messages": [HI]}, "openai.chat")["messages"] == [{"role": "system", "content": NOTE}, HI]


def test_it_ends_the_last_developer_item_before_a_user_speaks() -> None:
    items = [{"role": "developer", "content": [{"type": "input_text", "text": text}]} for text in ("first", "second")]
    later = {"role": "developer", "content": "later"}
    made = sent({"model": "m", "input": [*items, HI, later]}, "openai.responses")
    assert "instructions" not in made
    assert [made["input"][0], *made["input"][2:]] == [items[0], HI, later]
    assert made["input"][1]["content"][-1]["text"] == f"second\n\n{NOTE}"


@pytest.mark.parametrize("dialect", samples.DIALECTS)
def test_off_is_not_a_byte_more(dialect: str) -> None:
    terse = factories.build(plugin, {"level": "off"}, factories.context())
    exchange = factories.exchange(samples.request(dialect, "hi"), dialect=dialect)
    assert terse.transform_request(exchange, exchange.request) is None


def test_levels_are_short_and_keep_what_must_be_kept() -> None:
    for note in NOTES.values():
        assert len(note) < 450
        assert "code" in note
        assert "warning" in note


def test_a_conversation_is_held_out_whole_and_answers_are_compared() -> None:
    terse = factories.build(plugin, {"level": "lite", "holdout": 0.3}, factories.context())
    with_note = 0
    for name in range(400):
        noted: set[bool] = set()
        for text in ("hi", "and now?"):
            exchange = factories.exchange(
                {"model": "m", "messages": [HI, *[{"role": "user", "content": text}] * 2]},
                headers={"x-lynkr-session": f"s{name}"},
            )
            noted.add(terse.transform_request(exchange, exchange.request) is not None)
        assert len(noted) == 1
        with_note += noted == {True}
        served = factories.candidates()[1]
        terse.post_response(
            exchange, factories.outcome(chosen=served, usage=Usage(output_tokens=100 if noted == {True} else 180))
        )
    assert 230 <= with_note <= 330
    assert terse.status()["with"] == {"answers": with_note, "output_tokens": 100.0}
    assert terse.status()["without"] == {"answers": 400 - with_note, "output_tokens": 180.0}


@pytest.mark.anyio
async def test_through_a_gateway_to_a_provider_of_another_api(scripted_provider: Any) -> None:
    """Asked as Messages, served as chat."""
    text = f'[provider.up]\nuse = "openai-compatible"\nbase_url = "{scripted_provider.url}"\n[compressor.terse]\nlevel = "full"\n'
    async with Client(Application(Kernel.from_config(parse(text, {}), {}))) as client:
        body = {"model": "up/m", "max_tokens": 9, "system": "Be kind.", "messages": [HI]}
        assert (await client.post("/v1/messages", json=body)).status == 200
    got = msgspec.json.decode(scripted_provider.requests[-1].body)
    assert got["messages"][0] == {"role": "system", "content": f"Be kind.\n\n{NOTE}"}
