"""Nothing takes time out of proportion, whatever is written to make it, and nothing grows without an end."""

import time

import pytest

from lynkr_policy_guardrails.checks import entropy
from lynkr_policy_guardrails.injection import Injections
from lynkr_policy_guardrails.masking import OVERHEAD, Values, Vault, key_of
from lynkr_policy_guardrails.rules import built_in, opening, ready
from lynkr_policy_guardrails.scanning import Budget, Exhausted, Scanner, flattened

SIZE = 10_000_000
PATIENT = 30.0
"""Seconds of the processor for 10 MB, ten times what the slowest takes; a pattern that goes back and forth needs hours."""
EVIL = ["a", "1 ", "4111 1111 1111 1112 ", "key=", "-----BEGIN PRIVATE KEY-----A", "://a:b", "+49 30 901820 ",
        "\\n\\u003c\\"]  # fmt: skip


@pytest.mark.parametrize("piece", EVIL)
def test_ten_megabytes_of_evil(piece):
    text = piece * (SIZE // len(piece))
    scanner = Scanner(ready(built_in()), (), ("US", "GB", "DE"))
    began = time.process_time()
    try:
        scanner.find(text.encode(), Budget(400_000))
    except Exhausted:
        pass
    Injections(10).score(text)
    assert time.process_time() - began < PATIENT


def test_how_an_answer_ends_is_looked_up_in_time_too():
    pattern = opening([rule for rule in built_in() if rule.group != "network"])
    began = time.process_time()
    for piece in EVIL:
        pattern.search((piece * 16_384)[:16_384].encode())
    assert time.process_time() - began < PATIENT


@pytest.mark.anyio
@pytest.mark.parametrize(("piece", "status"), [("harmless prose, line by line\n", 200), ("a@b.io ", 400)])
async def test_ten_megabytes_through_the_gateway(guarded, piece, status):
    async with guarded() as gateway:
        answer = await gateway.ask(piece * (SIZE // len(piece)))
        small = await gateway.ask("Still there?")
    assert (answer.status, small.status) == (status, 200)
    if status == 400:
        assert answer.json()["error"]["code"] == "guardrail_blocked"
        assert len(gateway.provider.requests) == 1


def test_the_vault_forgets():
    now = [0.0]
    vault = Vault(10, 4 * (OVERHEAD + 100), lambda: now[0])
    values = Values(key_of(b"k", "a"))
    for number in range(6):
        mask = values.name("x", b"%0100d" % number)
        vault.keep(("a", str(number)), {mask[-12:]: b"%0100d" % number})
    assert (len(vault), vault.size) == (4, 4 * (OVERHEAD + 100))
    assert vault.find(("a", "0"), values.name("x", b"%0100d" % 0)[-12:]) is None
    digest = values.name("x", b"%0100d" % 5)[-12:]
    assert vault.find(("a", "5"), digest) == b"%0100d" % 5
    now[0] = 11
    assert vault.find(("a", "5"), digest) is None
    vault.keep(("a", "6"), {b"0" * 12: b"z"})
    assert len(vault) == 1


def test_flattening_moves_nothing():
    text = b'{"a":"x\\nfoo@corp.io\\t\\u003cbar@corp.io\\u003E \\" \\\\server"}'
    flat = flattened(text)
    assert len(flat) == len(text)
    assert flat.index(b"foo@") == text.index(b"foo@")
    assert b" <bar@corp.io" in flat


def test_entropy_is_in_bits():
    assert entropy(b"aaaa") == 0
    assert entropy(b"abcd") == 2
