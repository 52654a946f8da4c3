"""What the API of a provider is to the matrix: a module `column_*.py` has one with the name `COLUMN`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lynkr_core.testing.canned import Script

Body = dict[str, Any]
Finder = Callable[[Body], Any]
Key = str | tuple[str, str]
"""A feature, or a feature and the front that asks for it, which goes first."""


class Different(NamedTuple):
    """How a feature is expressed: in words, where it is found, and with what value."""

    how: str
    find: Finder
    value: Any


class Column(NamedTuple):
    """One API of providers. `table` is the provider's table in lynkr.toml, given the URL of the scripted provider.

    Requests: `sent` finds a feature that is carried, `differently` one that is expressed by other means, `lost` has the word by which
    the caller is told of one that is not, `refused` the one by which the request is refused. Answers: `answers` are scripts that
    say each feature, `untold` why this API cannot say some, `unheard` why a front does not hear some of them. `signed` finds what of
    the answer with thinking and calls has to come back unchanged in the next request; None when this API signs nothing;
    `kin` are the other columns whose models take the same signatures.
    """

    name: str
    title: str
    table: Callable[[str], str]
    sent: dict[Key, Finder]
    differently: dict[Key, Different]
    lost: dict[Key, str]
    refused: dict[Key, str]
    answers: dict[str, Script]
    untold: dict[str, str]
    unheard: dict[Key, str] = {}
    signed: Finder | None = None
    kin: tuple[str, ...] = ()


def compatible(dialect: str) -> Callable[[str], str]:
    """The table of a provider that speaks a known API at any URL."""

    def table(url: str) -> str:
        return f'use = "openai-compatible"\nbase_url = "{url}/v1"\ndialects = ["{dialect}"]\nmodels = ["m"]\n'

    return table


def texts(content: Any) -> str:
    """Of a string or a list of parts."""
    return content if isinstance(content, str) else " ".join(part["text"] for part in content if "text" in part)


def words(text: str) -> str:
    return " ".join(text.split())
