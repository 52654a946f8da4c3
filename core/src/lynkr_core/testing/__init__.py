"""The kit for those who write plugins: an ASGI client that streams, a scripted provider, builders, and a contract suite per kind.

Opt in with `pytest_plugins = ["lynkr_core.testing.plugin"]`, then subclass a suite of `lynkr_core.testing.contracts`.
"""
