"""The settings."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from lynkr_core.secret import Secret
from lynkr_core.stores import OnFailure

Dollars = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


def zone(name: str) -> tzinfo:
    """Raises `ValueError`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone of this machine; names are as in Europe/Berlin") from None


class Limit(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[[policy.budget.limit]]`"""

    scope: Annotated[str, Meta(description="Whom it is about: `everyone`, `team:research`, `key:* + model:vendor/*`.")] = (
        "everyone"
    )
    per: Annotated[Literal["minute", "hour", "day", "week", "month", "total"], Meta(description="The time it is for.")] = "day"
    usd: Annotated[Dollars | None, Meta(description="Dollars.")] = None
    tokens: Annotated[Count | None, Meta(description="Tokens, in and out.")] = None
    requests: Annotated[Count | None, Meta(description="Requests that were answered.")] = None
    on_limit: Annotated[
        Literal["refuse", "downgrade"], Meta(description="Refuse with 429, or serve by something cheaper first.")
    ] = "refuse"
    downgrade_to: Annotated[
        str | None, Meta(description="A tier, alias or `provider/model`; left out, the next cheaper tier.")
    ] = None
    timezone: Annotated[str | None, Meta(description="Where its days turn, if not where all the others' do.")] = None

    def __post_init__(self) -> None:
        if self.usd is None and self.tokens is None and self.requests is None:
            raise ValueError("a limit needs usd, tokens or requests")
        if self.timezone is not None:
            zone(self.timezone)


class Run(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """`[policy.budget.run]`: what one session of an agent may take in all."""

    usd: Annotated[Dollars | None, Meta(description="Dollars.")] = None
    tokens: Annotated[Count | None, Meta(description="Tokens, in and out.")] = None
    calls: Annotated[Count | None, Meta(description="Requests that were answered.")] = None
    seconds: Annotated[Annotated[float, Meta(gt=0)] | None, Meta(description="From its first request to its last.")] = None


class Config(OnFailure, forbid_unknown_fields=True, kw_only=True):
    """`[policy.budget]`"""

    limit: Annotated[list[Limit], Meta(description="`[[policy.budget.limit]]`, all of which must have room.")] = []
    run: Annotated[Run, Meta(description="What one session may take in all: `usd`, `tokens`, `calls`, `seconds`.")] = Run()
    timezone: Annotated[str, Meta(description="Where days, weeks and months turn.")] = "UTC"
    warn: Annotated[float, Meta(gt=0, le=1, description="Share of a limit from which on answers and the log warn.")] = 0.9
    webhook: Annotated[str | None, Meta(description="URL that warnings are posted to; none are without one.")] = None
    webhook_key: Annotated[Secret | None, Meta(description="Sent there as a bearer token.")] = None
    allow_unpriced: Annotated[
        list[str],
        Meta(description="Patterns of `provider/model` that may serve under a limit in dollars though their price is unknown."),
    ] = []
    max_output: Annotated[
        int, Meta(gt=0, description="Tokens of an answer that are set aside when neither the request nor the model bounds it.")
    ] = 32_768
    doubt: Annotated[
        float, Meta(ge=1, description="How many times more tokens than the local count says are set aside for the input.")
    ] = 2.0
    sessions: Annotated[
        list[str], Meta(description="Headers that name a session, before those that clients are known to use.")
    ] = []
    store: Annotated[str | None, Meta(description="The store that keeps the budgets; left out, the first one.")] = None

    def __post_init__(self) -> None:
        zone(self.timezone)
