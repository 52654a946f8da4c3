"""The ASGI application: the API's POST routes go straight to the kernel, Starlette serves everything else."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import msgspec

from lynkr_core.caller import EXTENSION, Receive, Scope, Send, read_body
from lynkr_core.decision import decision
from lynkr_core.dialect import Dialect, read_fields
from lynkr_core.errors import ClientGone, GatewayError, InvalidRequest
from lynkr_core.exchange import ANONYMOUS, Exchange, Principal
from lynkr_core.kernel import Kernel
from lynkr_core.models import Live, listing, one_model
from lynkr_core.passthrough import Passthrough
from lynkr_core.process import MAX_TOLD, Process, admin, is_admin
from lynkr_core.routes import Route, RouteRequest

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("lynkr.app")
encode = msgspec.json.Encoder().encode
Endpoint = Callable[["Request"], Awaitable["Response"]]

EXPOSED = [f"x-lynkr-{name}" for name in ("request-id", "provider", "model", "tier", "score", "reason", "cost-usd", "losses")]


class Application:
    """`Application(kernel)` is the whole gateway as an ASGI app; its lifespan starts and stops the kernel.

    Starlette is imported when the first request comes that is not the API's: it would be a good part of the time until lynkr listens.
    """

    def __init__(self, kernel: Kernel, process: Process | None = None) -> None:
        self.kernel = kernel
        self.process = process or Process()
        self._routes = self._collected()
        paths = [*[path for path, *_ in self._routes], *kernel.fronts.paths]
        self.passthrough = Passthrough(kernel, {path.split("/")[2] for path in paths if path.startswith("/v1/")})
        for name in kernel.catalog.providers.keys() - self.passthrough.providers.keys():
            log.info("the provider %s has no /v1/%s/ of its own: other routes have that path", name, name)
        self.dispatch = self.serve  # for our own server: a coroutine of its own would stand below every open stream
        if origins := kernel.config.server.cors_origins:
            from starlette.middleware.cors import CORSMiddleware

            self.cors = CORSMiddleware(self.serve, origins, ["*"], ["*"], expose_headers=EXPOSED)
            self.dispatch = self.crossing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.dispatch(scope, receive, send)

    def crossing(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Where pages of other origins may call."""
        if scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            scope["extensions"] = {name: value for name, value in scope.get("extensions", {}).items() if name != EXTENSION}
            return self.cors(scope, receive, send)  # it adds its headers in `send`, which the server's own caller would pass by
        return self.serve(scope, receive, send)

    def serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            if scope["method"] == "POST" and (dialect := self.kernel.fronts.find(scope["path"])):
                return self.kernel.take(dialect, scope, receive, send)
            if self.passthrough.finds(scope):
                return self.passthrough(scope, receive, send)
        return self.starlette(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncGenerator[None]:
        async with self.kernel:
            yield

    @cached_property
    def starlette(self) -> Starlette:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route as StarletteRoute

        routes = [StarletteRoute(path, endpoint, methods=[method]) for path, endpoint, method in self._routes]
        return Starlette(routes=routes, lifespan=self._lifespan, exception_handlers={HTTPException: self.not_served})

    def _collected(self) -> list[tuple[str, Endpoint, str]]:
        """Everything that is served beside the API: path, endpoint and method."""
        own = {"/": self.root, "/openapi.json": self.openapi, "/health/live": self.live, "/health/ready": self.ready}
        own |= {"/v1/models": self.models, "/v1/models/{id:path}": self.model}
        for call in self.kernel.hooks.register_routes.calls:
            self.kernel.fronts.beside += call.function(self.kernel) or ()
        others = (*self.process.routes(), *self.kernel.fronts.beside)
        more = [(route.path, self._adapted(route), route.method) for route in others]
        return [*[(path, endpoint, "GET") for path, endpoint in own.items()], ("/v1/route", self.route, "POST"), *more]

    def _adapted(self, route: Route) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            params = {**request.query_params, **cast("dict[str, str]", request.path_params)}
            headers = dict(request.headers.raw)
            try:
                key = self.kernel.config.server.admin_key
                is_open = route.public and not route.admin
                known = ANONYMOUS if is_open else admin(key, headers) if route.admin or is_admin(key, headers) else None
                principal = known or await self._principal(request)
                body = await read_body(request.receive, self.kernel.config.server.max_body)
                reply = await route.endpoint(RouteRequest(params=params, headers=headers, body=body, principal=principal))
            except GatewayError as error:
                return failure(error)
            except ClientGone:
                return raw(b"", 499)
            return raw(reply.body, reply.status, reply.headers)

        return endpoint

    async def _principal(self, request: Request) -> Principal:
        """Who calls a route that is not the API's. Raises `GatewayError` for who may not."""
        exchange = Exchange(self.kernel.dialects["raw"], request.url.path, dict(request.headers.raw), b"")
        exchange.query, exchange.client = request.scope["query_string"], request.scope.get("client")
        answer, _ = await self.kernel.hooks.authenticate.first(exchange)
        return self.kernel.known(answer)

    async def root(self, request: Request) -> Response:
        return reply({"name": "lynkr", "models": "/v1/models", "health": "/health/ready"})

    async def openapi(self, request: Request) -> Response:
        from lynkr_core.openapi import document

        return reply(document({*self.kernel.fronts.paths, *[path.replace(":path}", "}") for path, *_ in self._routes]}))

    async def live(self, request: Request) -> Response:
        return reply({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """503 once a stop was asked for. A file that could not be taken up is told; the configuration before it serves on.

        What hooks have done is for the operator, where there is an admin key.
        """
        off, key = sorted({call.plugin for call in self.kernel.hooks.all if call.off}), self.kernel.config.server.admin_key
        told = {"status": "stopping" if self.process.stopping else "ok", **self.kernel.status()}
        told |= {"providers": sorted(self.kernel.catalog.providers), "plugins_off": off, "plugins": self.kernel.statuses()}
        if not key or is_admin(key, dict(request.headers.raw)):
            told["hooks"] = self.kernel.hooks.told()
        if self.process.mistakes:
            told["config_mistakes"] = list(self.process.mistakes[:MAX_TOLD])
        return reply(told, 503 if self.process.stopping else 200)

    async def models(self, request: Request) -> Response:
        try:
            who = await self._principal(request)
        except GatewayError as error:
            return failure(error)
        for service in self.kernel.services:
            if isinstance(service, Live):
                service.refresh()
        return reply(listing(self.kernel.catalog, who))

    async def model(self, request: Request) -> Response:
        try:
            who = await self._principal(request)
            return reply(one_model(self.kernel.catalog, request.path_params["id"], who))
        except GatewayError as error:
            return failure(error)

    async def route(self, request: Request) -> Response:
        """A dry run: the body of any front, decided as it would be, and nobody called."""
        headers = dict(request.headers.raw)
        try:
            body = await read_body(request.receive, self.kernel.config.server.max_body)
            exchange = Exchange(self._claimed(body, headers), "/v1/route", headers, body)
            exchange.dry_run, exchange.query, exchange.client = True, request.scope["query_string"], request.scope.get("client")
            await self.kernel.decide(exchange)
        except GatewayError as error:
            return failure(error)
        except ClientGone:
            return raw(b"", 499)
        return reply(decision(exchange, texts=True))

    def _claimed(self, body: bytes, headers: dict[bytes, bytes]) -> Dialect:
        fields = read_fields(body)
        dialect = max(self.kernel.dialects.values(), key=lambda dialect: dialect.claims(fields, headers))
        if not dialect.claims(fields, headers):
            raise InvalidRequest("the body is no request of any API served here; send what you would send to a front route")
        return dialect

    async def not_served(self, request: Request, error: Exception) -> Response:
        """Where a provider may serve it, the path for that is told."""
        status, path = getattr(error, "status_code", 500), request.url.path
        message = f"{'method not allowed' if status == 405 else 'nothing is served'} at {request.method} {path}"
        if status == 404 and path.startswith("/v1/") and self.passthrough.providers:
            names = ", ".join(self.passthrough.providers)
            message += f"; a provider's own API is at /v1/{{provider}}/{path[4:]}, where provider is one of: {names}"
        told = {"message": message, "type": "not_found_error", "param": None, "code": None}
        return reply({"type": "error", "error": told}, status)


def reply(value: Any, status: int = 200) -> Response:
    return raw(encode(value), status, ((b"content-type", b"application/json"),))


def raw(body: bytes, status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    from starlette.responses import Response

    response = Response(body, status)
    response.raw_headers = [(name, value) for name, value in headers] + [(b"content-length", b"%d" % len(body))]
    return response


def failure(error: GatewayError) -> Response:
    """An error of a route that belongs to no dialect, in an envelope that OpenAI's and Anthropic's clients both read."""
    told = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    return reply({"type": "error", "error": told}, error.http_status)
