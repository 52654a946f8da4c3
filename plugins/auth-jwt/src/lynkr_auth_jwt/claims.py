"""From a token's claims to a principal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from lynkr_core.exchange import Principal

LONGEST, MOST = 200, 200
"""Characters of a value, and values of a list."""
Name = Annotated[str, Meta(min_length=1)] | None


class Unfit(Exception):
    """Why this token lets nobody in."""


class Claims(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`[auth.jwt.claims]`: the claim of each field; `realm_access.roles` is `roles` inside `realm_access`."""

    user: Annotated[Name, Meta(description="Whose requests they are.")] = "sub"
    team: Annotated[Name, Meta(description="Of the user.")] = None
    agent: Annotated[Name, Meta(description="Which program asks.")] = None
    principal_class: Annotated[Name, Meta(description="Class of the caller.")] = msgspec.field(default=None, name="class")
    tags: Annotated[Name, Meta(description="A list, or words with spaces between them.")] = None
    models: Annotated[Name, Meta(description="The only models, as `provider/model`; a token without this claim is refused.")] = (
        None
    )
    tiers: Annotated[Name, Meta(description="The only tiers; a token without this claim is refused.")] = None
    local_only: Annotated[Name, Meta(description="Only models of one's own, unless the claim says `false`.")] = None

    def principal(self, name: str, claims: Mapping[str, Any]) -> Principal:
        """`name`: of the plugin's instance; it goes before the subject. Raises `Unfit`."""
        subject = word(claims, "sub")
        if subject is None:
            raise Unfit("it has no subject")
        return Principal(
            id=f"{name}:{subject}", user=word(claims, self.user), team=word(claims, self.team), agent=word(claims, self.agent),
            principal_class=word(claims, self.principal_class), tags=words(claims, self.tags), models=only(claims, self.models),
            tiers=only(claims, self.tiers), local_only=self.local_only is not None and found(claims, self.local_only) is not False,
        )  # fmt: skip


def found(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its whole name, else by its path; None when it is not there."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = cast("Mapping[str, Any]", value).get(part) if isinstance(value, dict) else None
    return value


def word(claims: Mapping[str, Any], name: str | None) -> str | None:
    """Raises `Unfit` for what is no text."""
    value = found(claims, name) if name else None
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise Unfit(f"its claim {name} is no short text")
    return value


def words(claims: Mapping[str, Any], name: str | None) -> tuple[str, ...]:
    """Raises `Unfit` for what is no list of texts."""
    value = found(claims, name) if name else None
    listed = value.split() if isinstance(value, str) else cast("list[Any]", value) if isinstance(value, list) else []
    if (value is not None and not isinstance(value, str | list)) or len(listed) > MOST:
        raise Unfit(f"its claim {name} is no list of texts")
    if not all(isinstance(one, str) and 0 < len(one) <= LONGEST for one in listed):
        raise Unfit(f"its claim {name} is no list of texts")
    return tuple(listed)


def only(claims: Mapping[str, Any], name: str | None) -> tuple[str, ...]:
    """What limits must not let everything through where it is missing. Raises `Unfit`."""
    listed = words(claims, name)
    if name and not listed:
        raise Unfit(f"its claim {name} allows nothing")
    return listed


def holds(claims: Mapping[str, Any], required: Mapping[str, str]) -> bool:
    """Whether each of these claims has this value, or has it among others."""
    return all(
        value == (told := found(claims, name)) or (isinstance(told, list) and value in told) for name, value in required.items()
    )
