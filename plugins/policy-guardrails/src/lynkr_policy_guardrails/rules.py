"""What is looked for, as data: the rules of `rules.toml` and those of the operator's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lynkr_core.errors import PluginError
from lynkr_policy_guardrails.checks import Check, check_of, nearby
from lynkr_policy_guardrails.engine import Pattern, any_of, compiled

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of `rules.toml`, which says what each key means."""

    name: Name
    group: Name
    pattern: str
    starts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    digits: int = 0
    reach: int = 1024
    check: str = ""
    near: Mapping[str, tuple[str, ...]] = {}
    body: str = r"[A-Za-z0-9_\-]"
    opens: str = ""


class OwnRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[policy.guardrails.rule]]`"""

    name: Annotated[Name, Meta(description="How it is called in actions, headers and masks; small letters, digits and `_`.")]
    pattern: Annotated[str, Meta(description="RE2; its group is the value, where it has one.")]
    group: Annotated[Name, Meta(description="Of which it is one, for actions: `secret`, `personal`, or any other name.")] = "own"
    near: Annotated[list[str], Meta(description="Words of which one must stand within 64 bytes before it, or 24 behind.")] = []
    check: Annotated[
        str, Meta(description="`luhn`-like checks of built-in rules: `card`, `iban`, `mixed`, `number:nl.bsn`, …")
    ] = ""
    longest: Annotated[int, Meta(ge=1, le=1000, description="Bytes of a value; so much of an answer may be held back.")] = 200


class Ready(Struct, frozen=True, eq=False):
    """A rule, compiled. `order`: those in front win where two say the same. `needs`: a word must stand by."""

    rule: Rule
    order: int
    pattern: Pattern
    check: Check | None
    near: Pattern | None
    needs: bool

    @property
    def name(self) -> str:
        return self.rule.name


BY_LOOKS = frozenset({"phone", "card", "iban", "formatted:br.cpf", "formatted:in_.aadhaar"})
"""Checks that decide themselves what the words near a value mean."""


@cache
def built_in() -> tuple[Rule, ...]:
    table: Any = tomllib.loads(files("lynkr_policy_guardrails").joinpath("rules.toml").read_text("utf-8"))
    return msgspec.convert(table["rule"], tuple[Rule, ...])


def own(rule: OwnRule) -> Rule:
    return Rule(
        name=rule.name, group=rule.group, pattern=rule.pattern, check=rule.check, near={"own": tuple(rule.near)} if rule.near else {},
        opens=rf"\S{{1,{rule.longest}}}",
    )  # fmt: skip


def ready(rules: Sequence[Rule], languages: Sequence[str] = ()) -> list[Ready]:
    """Compiled. `languages`: of whose words the near ones are taken; none: all. Raises `PluginError`."""
    return [_ready(rule, order, languages) for order, rule in enumerate(rules)]


def _ready(rule: Rule, order: int, languages: Sequence[str]) -> Ready:
    spoken = [words for language, words in rule.near.items() if not languages or language in (*languages, "own")]
    words = tuple([word for some in spoken for word in some])
    try:
        check = check_of(rule.check)
        pattern = compiled(rule.pattern)
    except (ValueError, KeyError, ImportError) as error:
        raise PluginError(f"$.rule: {rule.name}: {error}") from None
    return Ready(
        rule=rule, order=order, pattern=pattern, check=check, near=nearby(words) if words else None,
        needs=bool(rule.near) and rule.check not in BY_LOOKS,
    )  # fmt: skip


def opening(rules: Sequence[Rule]) -> Pattern | None:
    """What the end of a text looks like when a value may have begun there; None for no rules."""
    kinds = [rule.opens or _begun(rule) for rule in rules]
    return compiled(rf"(?:{'|'.join(dict.fromkeys(kinds))})\z") if kinds else None


def _begun(rule: Rule) -> str:
    """Of a literal any beginning, or all of it and what a value consists of."""
    if rule.digits:
        return r"[+(]?[0-9][0-9 ().\-/]{0,30}"
    if not rule.starts:
        return r"\b[A-Z0-9][A-Z0-9\- ]{0,30}"
    whole = rf"(?:{any_of(rule.starts)}){rule.body}*"
    begun = {start[:size] for start in rule.starts for size in range(1, len(start) + 1)}
    return rf"\b(?:{whole}|{any_of(begun)})" if rule.starts[0][:1].isalnum() else rf"(?:{whole}|{any_of(begun)})"
