"""Results of tools as hypothesis makes them up: `results` is a strategy for a list of texts."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

LINES = (
    "src/a/b.py:12:    return x", "src/a/b.py:13:    return y", "src/c.py-7-import os", "    12→def f():", "    13→    pass  ", "",
    "\x1b[31mFAILED\x1b[0m tests/test_x.py::test_y", "10 %\r20 %\r100 %", "Compiling core v0.1.0",
    "<system-reminder>be brief</system-reminder>",
    "diff --git a/x b/x", "index 1a2b3c..4d5e6f 100644", "--- a/x", "+++ b/x", "@@ -1,2 +1,2 @@", "-old", "+new", '{"a": 1, "b": [1.0, 2]}',
    "/usr/lib/python3/a.py", "/usr/lib/python3/b.py", "[41 lines from 120 same as in result ab12cd above]", "⟦lynkr:ab12 3 lines⟧",
    "\ttab", "…",
)  # fmt: skip


def _repeated(some: list[str], times: int) -> str:
    return "\n".join(some * times)


def _laid_out(value: object, indent: int) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=indent).decode("utf-8", "replace")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
row = st.fixed_dictionaries({"id": st.integers(0, 99), "name": st.sampled_from(("a", "b b", "c,d")), "ok": st.booleans()})
lines = st.lists(st.sampled_from(LINES) | st.text(max_size=20), max_size=12)
texts = st.builds(_repeated, lines, st.integers(1, 4))
documents = st.builds(_laid_out, plain | st.lists(row), st.sampled_from((-1, 0, 2)))
results = st.lists(texts | documents, min_size=1, max_size=4)
