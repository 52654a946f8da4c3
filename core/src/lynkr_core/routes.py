"""HTTP routes that plugins serve beside the API, through the hook `register_routes`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from lynkr_core.dialect import Headers
from lynkr_core.exchange import Principal, Reply


class RouteRequest(Struct, frozen=True, kw_only=True):
    """What a route is given. `params` holds path and query parameters."""

    params: dict[str, str]
    headers: Headers
    body: bytes
    principal: Principal


class Route(Struct, frozen=True, kw_only=True):
    """`path` may have `{name}` parts. `admin` routes need the admin key and are off without one."""

    method: str
    path: str
    endpoint: Callable[[RouteRequest], Awaitable[Reply]]
    admin: bool = False
