"""The modules of this folder, each in a process of its own."""

from collections.abc import Callable, Iterator

import pytest

from tests.javascript.node import Module, install


@pytest.fixture(scope="session")
def node() -> Iterator[Callable[[str], Module]]:
    """`node("openai.js")` starts it."""
    install()
    started: list[Module] = []

    def start(name: str) -> Module:
        started.append(Module(name))
        return started[-1]

    yield start
    for module in started:
        module.close()


@pytest.fixture(scope="session")
def openai(node: Callable[[str], Module]) -> Module:
    return node("openai.js")


@pytest.fixture(scope="session")
def anthropic(node: Callable[[str], Module]) -> Module:
    return node("anthropic.js")


@pytest.fixture(scope="session")
def vercel(node: Callable[[str], Module]) -> Module:
    return node("vercel.js")
