"""Plugins that count: two that have every hook and say nothing, and one behind them that answers or refuses where a test says so."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from lynkr_core.errors import Forbidden, RateLimited, Unauthenticated
from lynkr_core.exchange import Principal, Reject, Reply, Reservation
from lynkr_core.routes import Route

ASKS = b"x-gate"
"""The header by which a test tells the gate what to do."""


class Probe:
    """Every hook, as plain functions. `fired`: calls by hook; `held`: reservations that are not settled; `events`: what was observed."""

    def __init__(self):
        self.started = Counter()
        self.reset()

    def reset(self):
        self.fired, self.events, self.held, self.twice, self.outcomes = Counter(), [], [], [], []

    def authenticate(self, exchange):
        self.fired["authenticate"] += 1
        self.exchange = exchange

    def pre_route(self, exchange):
        self.fired["pre_route"] += 1

    def score(self, exchange, candidates):
        self.fired["score"] += 1

    def select_provider(self, exchange, candidates, scores):
        self.fired["select_provider"] += 1

    def revise_selection(self, exchange, selection):
        self.fired["revise_selection"] += 1

    def reserve(self, exchange, candidate):
        self.fired["reserve"] += 1
        made = Reservation(data=candidate.id)
        self.held.append(made)
        return made

    def transform_request(self, exchange, request, candidate):
        self.fired["transform_request"] += 1

    def attempt_failed(self, exchange, candidate, error):
        self.fired["attempt_failed"] += 1

    def transform_response(self, exchange, response):
        self.fired["transform_response"] += 1

    def transform_stream(self, exchange, events):
        self.fired["transform_stream"] += 1

    def observe_event(self, exchange, event):
        self.events.append(event)

    def settle(self, reservation, outcome):
        self.fired["settle"] += 1
        if reservation in self.held:
            self.held.remove(reservation)
        else:
            self.twice.append(reservation)

    def post_response(self, exchange, outcome):
        self.fired["post_response"] += 1
        self.outcomes.append(outcome)

    def register_routes(self, kernel):
        self.started["register_routes"] += 1

    def register_commands(self, cli):
        self.started["register_commands"] += 1


class Waiting(Probe):
    """The same, asynchronous where that may be: each lets others go first."""

    async def authenticate(self, exchange):
        await asyncio.sleep(0)
        super().authenticate(exchange)

    async def pre_route(self, exchange):
        await asyncio.sleep(0)
        super().pre_route(exchange)

    async def score(self, exchange, candidates):
        await asyncio.sleep(0)
        super().score(exchange, candidates)

    async def select_provider(self, exchange, candidates, scores):
        await asyncio.sleep(0)
        super().select_provider(exchange, candidates, scores)

    async def revise_selection(self, exchange, selection):
        await asyncio.sleep(0)
        super().revise_selection(exchange, selection)

    async def reserve(self, exchange, candidate):
        await asyncio.sleep(0)
        return super().reserve(exchange, candidate)

    async def transform_request(self, exchange, request, candidate):
        await asyncio.sleep(0)
        super().transform_request(exchange, request, candidate)

    async def attempt_failed(self, exchange, candidate, error):
        await asyncio.sleep(0)
        super().attempt_failed(exchange, candidate, error)

    async def transform_response(self, exchange, response):
        await asyncio.sleep(0)
        super().transform_response(exchange, response)

    def transform_stream(self, exchange, events):
        """Wraps the stream, which a plugin must see to its end."""
        super().transform_stream(exchange, events)

        async def wrapped() -> AsyncIterator:
            async for event in events:
                yield event

        return wrapped()

    async def settle(self, reservation, outcome):
        await asyncio.sleep(0)
        super().settle(reservation, outcome)

    async def post_response(self, exchange, outcome):
        await asyncio.sleep(0)
        super().post_response(exchange, outcome)


class Gate:
    """Stands behind the probes. The header `x-gate` of a request says what it does to it."""

    def authenticate(self, exchange):
        return Reject(Unauthenticated("not you")) if asks(exchange, b"unknown") else Principal(id="somebody")

    def pre_route(self, exchange):
        if asks(exchange, b"answer"):
            return Reply(body=b"{}", cache="hit")
        return Reject(Forbidden("not this")) if asks(exchange, b"denied") else None

    def reserve(self, exchange, candidate):
        if asks(exchange, b"downgrade") and not exchange.instead:
            exchange.instead = "up2/m"
            return Reject(RateLimited("used up"))
        full = asks(exchange, b"no-room") or (asks(exchange, b"room-elsewhere") and candidate.provider.name == "up1")
        return Reject(RateLimited("used up")) if full else None

    def register_routes(self, kernel):
        async def told(query):
            return Reply(body=b'"here"')

        return [
            Route(method="GET", path="/known", endpoint=told),
            Route(method="GET", path="/public", endpoint=told, public=True),
            Route(method="GET", path="/operators", endpoint=told, admin=True),
        ]


def asks(exchange, what: bytes) -> bool:
    return exchange.headers.get(ASKS) == what
