from __future__ import annotations

import pytest

from lynkr_core.testing.waiting import quickest
from lynkr_sink_journal.redaction import LONGEST_TEXT, redacted


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("use sk-proj-abcdefghijklmnop1234 now", "use [key] now"),
        ("lk_0123456789abcdef0123", "[key]"),
        ("github_pat_11ABCDEFG0abcdefghij and ghp_abcdefghijklmnopqrst", "[key] and [key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("Authorization: Bearer abc.def-ghi_jkl", "Authorization: [token]"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "jwt [token]!"),
        ('{"password": "hunter22", "user": "x"}', '{"[secret]", "user": "x"}'),
        ("api_key=abcdefgh; next", "[secret]; next"),
        ("write to jo.han+x@mail.example.co.uk, please", "write to [e-mail], please"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[key]"),
        ("a risk-averse task-list at 3 @ 5, user@host", "a risk-averse task-list at 3 @ 5, user@host"),
    ],
)
def test_what_looks_like_a_key_or_an_address_goes_and_the_rest_stays(text: str, left: str) -> None:
    assert redacted(text) == left


def test_a_text_is_kept_up_to_its_bound() -> None:
    assert redacted("x " * LONGEST_TEXT) == "x " * (LONGEST_TEXT // 2)


@pytest.mark.parametrize(
    "piece", ["a", "a.", "a@", "a@b.", "eyJ", "eyJaaaaaaaa.", "password", "-----BEGIN PRIVATE KEY-----", "bearer ", "sk-"]
)
def test_no_text_takes_long(piece: str) -> None:
    hostile = (piece * LONGEST_TEXT)[: 10 * LONGEST_TEXT]
    assert quickest(lambda: redacted(hostile), 3) < 1.0
