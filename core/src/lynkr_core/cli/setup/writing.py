"""A commented `lynkr.toml` for what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from lynkr_core.cli.setup.sources import PLACES, TIERS, Source
from lynkr_core.plugins import installed

ON = (
    ("policy", "breaker", "leaves models alone while they fail or their limits are used up"),
    ("extension", "bypass", "answers what tools ask without needing a model: warm-ups, quota probes"),
    ("compressor", "tool-results", "the same tool results in fewer tokens, every fact kept"),
    ("compressor", "json", "JSON results in the shortest notation that reads back the same"),
    ("compressor", "cache-guard", "makes providers' prompt caches pay, and keeps them warm"),
    ("catalog", "default", "what models can do, what they cost and when they end"),
    ("tokens", "default", "counts tokens instead of estimating them"),
    ("store", "sqlite", "what `lynkr explain` and `lynkr usage` read"),
    ("sink", "journal", "writes each request's decision and cost down; never its texts"),
    ("extension", "responses", "previous_response_id over every provider"),
    ("extension", "dashboard", "/dashboard: what goes where, what it costs and why"),
)
"""What is switched on where it is installed: kind, plugin, and what for."""
EXAMPLES = """\
# More, each a package of its own:
# [selector.latency]    # the fastest of the tier; or cost, hybrid, weighted: pip install lynkr-selector-latency
#
# [selector.rules]      # pip install lynkr-selector-rules
# [[selector.rules.rule]]
# when = { prompt_contains = ["code", "function", "debug", "algorithm", "sql"] }
# to = "complex"
#
# [policy.data]         # what must stay on your own machines: pip install lynkr-policy-data
# [[policy.data.local_only]]
# when = { tags = ["confidential"] }
#
# [auth.keys]           # keys of your own for callers, before lynkr listens on another address: pip install lynkr-auth-keys
# [policy.budget]       # and what each may spend: pip install lynkr-policy-budget
# [[policy.budget.limit]]
# scope = "everyone"
# usd = 5.0
# per = "day"
"""


def render(sources: Sequence[Source], port: int) -> str:
    """The file's text. Keys are named, never written."""
    lines = [
        "# lynkr.toml, written by `lynkr init`. `lynkr check` tells every mistake in it, `lynkr schema` helps an editor.",
        "", "[server]", 'host = "127.0.0.1"', f"port = {port}", "",
    ]  # fmt: skip
    for source in sources:
        lines += [*provider(source), ""]
    tiers = tier_lines(sources) or [
        "# nothing proposes models for these providers: say yours, as in",
        '# simple = ["provider/model"]',
    ]
    lines += ["[tiers]  # tried in order; a request's score from 0 to 100 picks the tier", *tiers, "bounds = [25, 50, 75]", ""]
    lines += ["[routing]", "remap = true  # names that nobody lists, such as a tool's own model names, are decided by score", ""]
    lines += ["[scorer.heuristic]", "", "[selector.tiers]", "", *switched_on(), EXAMPLES]
    return "\n".join(lines)


def provider(source: Source) -> Iterator[str]:
    yield f"[provider.{source.plugin}]"
    if source.key:
        yield f'api_key = "${{{source.key}}}"'
    usual = next((place.port for place in PLACES.local if place.plugin == source.plugin), None)
    if source.port and source.port != usual:
        yield f'base_url = "http://127.0.0.1:{source.port}/v1"'


def tier_lines(sources: Sequence[Source]) -> list[str]:
    ids = {tier: [f"{s.plugin}/{s.tiers[tier]}" for s in sources if tier in s.tiers] for tier in TIERS}
    return [f"{tier} = {json.dumps(chosen)}" for tier, chosen in ids.items() if chosen]


def switched_on() -> Iterator[str]:
    for kind, plugin, why in ON:
        if plugin in installed(kind):
            yield f"[{kind}.{plugin}]  # {why}"
            yield ""
