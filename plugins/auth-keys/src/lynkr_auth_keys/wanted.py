"""What is asked of a new key, on the command line or over HTTP."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from lynkr_core.candidates import TIERS
from lynkr_core.errors import InvalidRequest

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw]?)")
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Words = Annotated[tuple[Word, ...], Meta(max_length=100)]


class Wanted(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new key. `expires_in`: seconds, or `30d`, `12h`, `90m`, `2w`."""

    name: Annotated[str, Meta(max_length=100)] = ""
    note: Annotated[str, Meta(max_length=1000)] = ""
    user: Word | None = None
    team: Word | None = None
    agent: Word | None = None
    principal_class: Word | None = msgspec.field(default=None, name="class")
    tags: Words = ()
    models: Words = ()
    tiers: Words = ()
    local_only: bool = False
    expires_in: str | float | None = None

    def fields(self) -> dict[str, Any]:
        """As the record has them. Raises `InvalidRequest`."""
        if odd := next((tier for tier in self.tiers if tier not in TIERS), None):
            raise InvalidRequest(f"there is no tier {odd!r}; there are {', '.join(TIERS)}", param="tiers")
        told = structs.asdict(self)
        told["class"] = told.pop("principal_class")
        expires_in = told.pop("expires_in")
        return told if expires_in is None else told | {"expires": time.time() + seconds(expires_in, "expires_in")}


class Rotation(Struct, forbid_unknown_fields=True):
    """`grace`: for how long the old key is still good."""

    grace: str | float = "24h"


def seconds(text: str | float, what: str) -> float:
    """Raises `InvalidRequest`."""
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if isinstance(text, str) and found is None:
        raise InvalidRequest(f"{what}: {text[:20]!r} is no time such as 30d, 12h, 90m or 3600", param=what)
    value = float(found.group(1)) * UNITS[found.group(2) or "s"] if found else float(text)
    if not 0 <= value <= 100 * 366 * 86_400:
        raise InvalidRequest(f"{what}: must be from 0 seconds to 100 years", param=what)
    return value


def read(body: bytes, shape: type[Any]) -> Any:
    """Raises `InvalidRequest` with the path of the mistake."""
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not what is asked for: {error}") from None
