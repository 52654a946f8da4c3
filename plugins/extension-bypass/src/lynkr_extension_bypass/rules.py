"""Which requests are answered here, as data: `rules.toml`, and whatever an operator adds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from lynkr_core.errors import PluginError

MOST = 65_536
"""Bytes of a body beyond which it is no small request of a tool's own, unless its rule says so."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Said = Annotated[str, Meta(min_length=1, max_length=2_000)]


class When(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it must hold. What is left out of `system`, `text`, `first` and `prefill` must not be there, but for texts of the user."""

    dialects: Annotated[list[str], Meta(description="Fronts; none: any.")] = []
    agents: Annotated[list[Said], Meta(description="How the user agent begins, one of them; none: any.")] = []
    headers: Annotated[dict[str, str], Meta(description="Headers with exactly these values.")] = {}
    max_tokens: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="The request allows at most so many tokens.")] = (
        None
    )
    tools: Annotated[bool, Meta(description="Whether the request brings tools.")] = False
    system: Annotated[
        list[Said], Meta(description="Texts that all stand in the system prompt; none: it has no system prompt.")
    ] = []
    text: Annotated[Said | None, Meta(description="The conversation is one message of the user's with exactly this text.")] = None
    first: Annotated[Said | None, Meta(description="The first message is the user's with exactly this text.")] = None
    prefill: Annotated[Said | None, Meta(description="The conversation ends with the beginning of an answer, exactly this.")] = (
        None
    )
    quoted: Annotated[Name | None, Meta(description="The title is made of what stands in this element of the user's text.")] = (
        None
    )
    account: Annotated[bool, Meta(description="It is about the key: not answered who brings a provider's own.")] = False
    most: Annotated[int, Meta(ge=1, le=4_194_304, description="Bytes of the body, at most.")] = MOST


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of request and its answer, where `$title` is made of `words` words of the user's text, `$json_title` is that in JSON."""

    name: Name
    answer: Annotated[str, Meta(min_length=1, max_length=4_000)]
    when: When
    what: Annotated[str, Meta(max_length=200)] = ""
    seen: Annotated[str, Meta(max_length=200)] = ""
    on: bool = True
    finish: Literal["stop", "length"] = "stop"
    words: Annotated[int, Meta(ge=1, le=50)] = 8

    @property
    def titled(self) -> bool:
        return "$title" in self.answer or "$json_title" in self.answer


class Shipped(Struct, frozen=True, forbid_unknown_fields=True):
    """`rules.toml`."""

    rule: list[Rule]


def shipped() -> list[Rule]:
    text = files("lynkr_extension_bypass").joinpath("rules.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Shipped).rule


def chosen(own: Sequence[Rule], on: Sequence[str], off: Sequence[str]) -> list[Rule]:
    """The rules in force, the operator's first. Raises `PluginError` for a name that is there twice or not at all, and for one too wide."""
    rules = [*own, *shipped()]
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise PluginError(f"$.rule: there is more than one rule {name!r}")
    for name in (*on, *off):
        if name not in names:
            raise PluginError(f"there is no rule {name!r}; there are {', '.join(names)}")
    for rule in own:
        if not (rule.when.text or rule.when.system):
            raise PluginError(f"$.rule: {rule.name!r} would answer what users ask: it needs `text` or `system`")
    return [rule for rule in rules if rule.name not in off and (rule.on or rule.name in on)]
