"""`GET /v1/usage`: what a caller has used; with the admin key, what all have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from lynkr_core.candidates import Catalog
from lynkr_core.errors import Forbidden, InvalidRequest
from lynkr_core.exchange import Principal, Reply
from lynkr_core.process import ADMIN
from lynkr_core.routes import RouteRequest
from lynkr_core.stores import Journal
from lynkr_core.stores.report import end, groups, moment, named, report
from lynkr_core.stores.totals import COLUMNS

DEFAULT_SINCE = "7d"
KNOWN = {"by", "since", "until", "baseline", "limit", *COLUMNS}
MOST_ROWS = 10_000
T = TypeVar("T")
encode = msgspec.json.Encoder().encode


async def told(journal: Journal, catalog: Catalog, query: RouteRequest) -> Reply:
    """The report. Raises `InvalidRequest` and `Forbidden`."""
    params = query.params
    unknown = sorted(params.keys() - KNOWN)
    if unknown:
        raise InvalidRequest(
            f"unknown parameter {unknown[0][:50]!r}; there are {', '.join(sorted(KNOWN))}", param=unknown[0][:50]
        )
    by = valued(params, "by", "", groups)
    since, until = (valued(params, "since", DEFAULT_SINCE, moment), valued(params, "until", "", end))
    limit = valued(params, "limit", "1000", limited)
    model = valued(params, "baseline", "", named)
    baseline = (model, catalog.price(model)) if model else None
    where = seen(query.principal, {name: params[name] for name in COLUMNS if name in params})
    return Reply(body=encode(await report(journal, by, since=since, until=until, where=where, baseline=baseline, limit=limit)))


def seen(principal: Principal, where: Mapping[str, str]) -> dict[str, Any]:
    """What is asked for, of what this caller may see. Raises `Forbidden`."""
    if principal is ADMIN:
        return dict(where)
    if where.get("principal", principal.id) != principal.id:
        raise Forbidden("only the admin key shows what others have used", param="principal")
    return {**where, "principal": principal.id}


def limited(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:9]) <= MOST_ROWS:
        raise ValueError(f"say a number from 1 to {MOST_ROWS}")
    return int(text)


def valued(params: Mapping[str, str], name: str, default: str, read: Callable[[str], T]) -> T:
    try:
        return read(params.get(name, default))
    except ValueError as error:
        raise InvalidRequest(str(error), param=name) from None
