"""What tools give: source, hits, tests, diffs, listings, JSON, and what nobody expects."""

from __future__ import annotations

import json

SOURCE = [f"def step_{n}(value: int) -> int:\n    return value + {n}  # carries {n * 7919 % 1000}\n" for n in range(40)]
FILE = "\n".join(SOURCE)
READ = "\n".join(f"{n:6}→{line}" for n, line in enumerate(FILE.split("\n"), 1))
HITS = "\n".join(
    f"src/pipeline/stages/{name}.py:{n * 13}:    total = step_{n}(total)" for name in ("load", "join") for n in range(25)
)
TESTED = (
    "\x1b[1m============ test session starts ============\x1b[0m\n"
    + "".join(f"\r\x1b[32mcollected {n} items\x1b[0m" for n in range(0, 60, 10))
    + "\n"
    + "".join(f"tests/test_steps.py::test_step_{n} \x1b[32mPASSED\x1b[0m   \n" for n in range(30))
    + "tests/test_steps.py::test_total \x1b[31mFAILED\x1b[0m\n"
    + "E   AssertionError: assert 1207 == 1208\ntests/test_steps.py:88: AssertionError\n"
    + "=========== 1 failed, 30 passed in 0.41s ===========\n"
)
DIFF = (
    "diff --git a/src/steps.py b/src/steps.py\nindex 3f1c2aa..9b0d411 100644\n--- a/src/steps.py\n+++ b/src/steps.py\n"
    "@@ -10,7 +10,7 @@ def step_3(value: int) -> int:\n     return value + 3\n-    total = 1207\n+    total = 1208\n     return total\n"
)
LISTING = "\n".join(f"/home/dev/project/src/pipeline/stages/part_{n:02}.py" for n in range(40))
ORDERS = json.dumps(
    [
        {"id": f"ord_{n:04}", "customer": {"id": "cus_7", "tier": "gold"}, "total": n * 1.5, "paid": n % 3 == 0, "note": None}
        for n in range(30)
    ],
    indent=2,
)
NESTED = json.dumps(
    {"user": {"id": 7, "name": "Ünal", "price": 12345678901234567890}, "flights": [{"no": f"LX{n}"} for n in range(9)]}
)

ODD: dict[str, str] = {
    "empty": "",
    "blanks": " \n\t\r\n ",
    "control characters": "\x00\x1b[\x1b]0;\x07\r\r\n\x1b[999999999m\b\b\ufffd\u2028 ⟦lynkr:1⟧",
    "broken JSON": '{"a": [1, 2, {"b": ',
    "deep JSON": "[" * 5000 + "]" * 5000,
    "odd JSON": '[{"a": 1.0, "a": -0.0}, {"b": 1e999, "": null}, {"a": "\\ud800"}, NaN, 9007199254740993.10]',
    "no line ends": "x" * 300_000,
    "1 MB": "".join(
        f"2026-11-21 10:{n // 60 % 60:02}:{n % 60:02} worker-{n % 7} finished job {n * 7919}\n" for n in range(19_000)
    ),
    "many blank lines": "\n" * 100_000,
    "one hit over and over": "a.py:1:x\n" * 20_000,
}
"""Results that somebody might send."""
