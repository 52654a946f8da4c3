"""The tools: each asks a route of this gateway, or its kernel, as the one who is calling. What a route refuses, its tool refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from lynkr_core.candidates import TIERS
from lynkr_core.capabilities import permitted
from lynkr_core.decision import Decision, decision
from lynkr_core.dialect import Headers
from lynkr_core.errors import Forbidden, InvalidRequest, Unauthenticated
from lynkr_core.exchange import Exchange, Principal
from lynkr_core.models import listing
from lynkr_core.process import ADMIN
from lynkr_core.routes import RouteRequest

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

USAGE, DECISION, BUDGETS = "/v1/usage", "/v1/decisions/{id}", "/v1/admin/budgets"
FRONT = "openai.chat"
"""In whose shape a dry run is asked; how a request is decided depends on what is said."""
MOST = 500
"""Rows of a list that are told."""
Word = Annotated[str, Meta(max_length=200)]


class Usage(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What was used and what it cost: requests, tokens, USD, what was saved. With a key of one's own only what that caller has used."""

    by: Annotated[
        str,
        Meta(
            max_length=200,
            description="Grouped by these, with commas: model, provider, key, user, team, agent, tier, session, day.",
        ),
    ] = ""
    since: Annotated[str, Meta(max_length=40, description="From then on: 24h, 7d, 2026-11-21 or a time.")] = "7d"
    until: Annotated[str, Meta(max_length=40, description="Up to then.")] = ""
    baseline: Annotated[
        str, Meta(max_length=200, description="provider/model to compare with: what it all would have cost there.")
    ] = ""
    limit: Annotated[int, Meta(ge=1, le=MOST, description="Rows, the dearest first.")] = 50
    where: Annotated[
        dict[
            Literal["model", "provider", "key", "user", "team", "agent", "tier", "session", "task", "status", "principal"], Word
        ],
        Meta(description="Only those with these values."),
    ] = {}


class Routes(Struct, forbid_unknown_fields=True, kw_only=True):
    """Where requests go. With a prompt: the decision about it, and why, without calling a model. Without: the tiers and models there are."""

    prompt: Annotated[str, Meta(max_length=100_000, description="What a user would say.")] = ""
    model: Annotated[str, Meta(max_length=200, description="The model that would be asked for.")] = "auto"


class Budgets(Struct, forbid_unknown_fields=True, kw_only=True):
    """What budgets stand at, the fullest first. Amounts are billionths of a USD, tokens or requests."""

    subject: Annotated[str, Meta(max_length=200, description="Only those that begin so: `team:`, `key:ci`.")] = ""


class Explain(Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a request of the past went where it went, what it took and what it cost."""

    id: Annotated[
        str, Meta(max_length=100, pattern="^req_[0-9a-f]+$", description="From the answer's header x-lynkr-request-id.")
    ]


class Asking(Struct, frozen=True):
    """Who asks, with the headers that say so."""

    principal: Principal
    headers: Headers


class Tools:
    """Those that this gateway has an answer to."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def of(self, principal: Principal) -> Mapping[str, tuple[type[Struct], Callable[[Any, Asking], Awaitable[Any]]]]:
        """Parameters and answer of each tool that this caller may use."""
        paths = {route.path for route in self._kernel.fronts.beside if route.method == "GET"}
        found: dict[str, Any] = {"routes": (Routes, self.routes)}
        if USAGE in paths:
            found["usage"] = (Usage, self.usage)
        if DECISION in paths:
            found["explain"] = (Explain, self.explain)
        if BUDGETS in paths and principal is ADMIN:
            found["budgets"] = (Budgets, self.budgets)
        return dict(sorted(found.items()))

    async def usage(self, asked: Usage, asking: Asking) -> Any:
        said = {"by": asked.by, "since": asked.since, "until": asked.until, "baseline": asked.baseline, "limit": str(asked.limit)}
        return await self._route(USAGE, {**asked.where, **{name: value for name, value in said.items() if value}}, asking)

    async def explain(self, asked: Explain, asking: Asking) -> Any:
        return await self._route(DECISION, {"id": asked.id}, asking)

    async def budgets(self, asked: Budgets, asking: Asking) -> Any:
        rows = (await self._route(BUDGETS, {"subject": asked.subject}, asking))["data"]
        return {"budgets": rows[:MOST], "left_out": max(len(rows) - MOST, 0)}

    async def routes(self, asked: Routes, asking: Asking) -> Any:
        if asked.prompt:
            return await self._decided(asked, asking)
        catalog, who = self._kernel.catalog, asking.principal
        names = [model["id"] for model in listing(catalog, who)["data"]]
        tiers: dict[str, list[str]] = {}
        for tier in TIERS:
            ids = [candidate.id for candidate in catalog.tiers.candidates(tier)]
            allowed = permitted(who, catalog.tiers, ids)
            tiers[tier] = [id for id in ids if id in allowed]
        return {"tiers": tiers, "models": names[:MOST], "left_out": max(len(names) - MOST, 0)}

    async def _decided(self, asked: Routes, asking: Asking) -> Decision:
        """As a dry run decides. Raises `GatewayError`."""
        body = msgspec.json.encode({"model": asked.model, "messages": [{"role": "user", "content": asked.prompt}]})
        headers: Headers = {} if asking.principal is ADMIN else asking.headers
        exchange = Exchange(self._kernel.dialects[FRONT], "/v1/route", headers, body)
        exchange.dry_run = True
        try:
            await self._kernel.decide(exchange)
        except Unauthenticated:
            if asking.principal is not ADMIN:
                raise
            raise InvalidRequest("nobody is served here without a key: ask with the key of whoever would say this") from None
        return decision(exchange)

    async def _route(self, path: str, params: Mapping[str, str], asking: Asking) -> Any:
        """The JSON that a route answers with. Raises `GatewayError`."""
        route = next((route for route in self._kernel.fronts.beside if route.path == path and route.method == "GET"), None)
        if route is None or (route.admin and asking.principal is not ADMIN):
            raise Forbidden("this gateway has no such tool for this caller")
        query = RouteRequest(params=dict(params), headers=asking.headers, body=b"", principal=asking.principal)
        reply = await route.endpoint(query)
        told = msgspec.json.decode(reply.body)
        if reply.status != 200:
            raise InvalidRequest(told["error"]["message"])
        return told
