"""Which dialect serves a path; and HTTP routes that plugins serve beside the API, through the hook `register_routes`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from lynkr_core.dialect import Dialect, Headers
from lynkr_core.exchange import Principal, Reply


class RouteRequest(Struct, frozen=True, kw_only=True):
    """What a route is given. `params` holds path and query parameters."""

    params: dict[str, str]
    headers: Headers
    body: bytes
    principal: Principal


class Route(Struct, frozen=True, kw_only=True):
    """`path` may have `{name}` parts. `admin` routes need the admin key and are off without one; `public` ones show nobody's data, and
    nobody is asked who they are.
    """

    method: str
    path: str
    endpoint: Callable[[RouteRequest], Awaitable[Reply]]
    admin: bool = False
    public: bool = False

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(f"the path of a route begins with a slash, not {self.path!r}")


class Fronts:
    """The dialects' own routes. Exact paths are found by one look-up; templates are tried after them.

    `beside`: what plugins serve beside the API; complete once the application stands.
    """

    def __init__(self, dialects: Iterable[Dialect]) -> None:
        self.beside: list[Route] = []
        self.paths = {path: dialect for dialect in dialects for path in dialect.routes}
        self._templates = [(template(path), dialect) for path, dialect in self.paths.items() if "{model}" in path]

    def find(self, path: str) -> Dialect | None:
        return self.paths.get(path) or next((dialect for pattern, dialect in self._templates if pattern.fullmatch(path)), None)


def template(path: str) -> re.Pattern[str]:
    """`/v1beta/models/{model}:generateContent` as a pattern that gives the model."""
    before, _, after = path.partition("{model}")
    return re.compile(f"{re.escape(before)}(?P<model>.+){re.escape(after)}")
