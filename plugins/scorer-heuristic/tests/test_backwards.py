"""Reading an array from its end gives what reading it from the front gives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkr_scorer_heuristic import backwards
from lynkr_scorer_heuristic.backwards import elements, guessed, opening

NASTY = st.text(alphabet='"\\{}[],: \n/aé', max_size=12)
KEYS = NASTY | st.just("role")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NASTY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
ARRAYS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4) | VALUES, max_size=8)


@given(ARRAYS, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 40), st.integers(1, 60))
def test_backwards_equals_forwards(array, indent, ascii_only, quotes, near):
    data = json.dumps(array, indent=indent, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backwards, "MIN_BYTES", 1)
        patch.setattr(backwards, "BYTES_PER_QUOTE", 1)
        patch.setattr(backwards, "MAX_QUOTES", quotes)
        patch.setattr(backwards, "NEAR", near)
        found = [json.loads(bytes(element)) for element in elements(data)]
    assert found == array[::-1]


@given(st.dictionaries(NASTY, VALUES, min_size=1, max_size=4), st.integers(1, 60))
def test_a_small_window_never_gives_a_wrong_beginning(item, window):
    data = b"[{}," + json.dumps(item).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backwards, "WINDOW", window)
        assert opening(data, len(data), 100) in (-1, 4)


def test_the_last_element_of_a_long_array_is_found_without_the_front():
    data = b"[" + b'{"role":"user","content":"x"},' * 5_000 + b'{"role":"user","content":"a \\"{\\\\"}]'
    assert next(iter(elements(data))) == b'{"role":"user","content":"a \\"{\\\\"}'
    assert opening(data, len(data) - 1, 200) == 150_001


def test_the_role_of_an_inner_object_does_not_mislead():
    inner = {"role": "user", "content": [{"role": "x"}]}
    for item, start in ((inner, -1), ({"role": "a", "text": '{"role":'}, 1), ({"a": inner}, -1), ("x", -1)):
        data = json.dumps([item], separators=(",", ":")).encode()
        assert guessed(data, len(data) - 1) == start


def test_too_many_quotes_are_left_to_the_front():
    data = json.dumps([{"content": '"' * 1_000}]).encode()
    assert opening(data, len(data) - 1, 200) == -1
