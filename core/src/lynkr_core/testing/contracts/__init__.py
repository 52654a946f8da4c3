"""One suite for each kind of plugin: subclass it, say what the plugin is, and its standard tests run.

    from lynkr_core.testing.contracts.scorer import ScorerContract
    from lynkr_scorer_mine import plugin

    class TestMine(ScorerContract):
        plugin = plugin
        table = {"threshold": 10}

What a plugin cannot do is said by class attributes, and its tests are skipped. A standard test may only be overridden with
`@pytest.mark.xfail(reason="…", strict=True)`, so that an exception to the contract is written down and noticed when it is gone.
"""

SUITES = (
    "auth",
    "base",
    "cache",
    "cachestage",
    "catalog",
    "compressor",
    "dialect",
    "extension",
    "fuzz",
    "governed",
    "interleaving",
    "journal",
    "killing",
    "ledger",
    "offline",
    "package",
    "policy",
    "provider",
    "recorded",
    "scorer",
    "selector",
    "serving",
    "sink",
    "store",
    "streams",
    "tokens",
    "wire",
)
try:
    import pytest
except ImportError:  # `lynkr record` uses the samples where there is no pytest
    pass
else:
    pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in SUITES), "lynkr_core.testing.calls")
