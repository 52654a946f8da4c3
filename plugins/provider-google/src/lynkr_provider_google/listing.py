"""What a client of the Gemini API asks beside its conversations: which models there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from lynkr_core.exchange import Reply
from lynkr_core.routes import Route, RouteRequest

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

METHODS = ["generateContent", "streamGenerateContent", "countTokens"]


def routes(kernel: Kernel) -> Iterable[Route]:
    """`GET /v1beta/models`, one page with every name that callers may ask for."""

    async def models(query: RouteRequest) -> Reply:
        listed = [entry(name) for name in kernel.catalog.names()]
        return Reply(body=msgspec.json.encode({"models": listed}))

    yield Route(method="GET", path="/v1beta/models", endpoint=models)


def entry(name: str) -> dict[str, Any]:
    """As google-genai 3.4.0 reads a model."""
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": METHODS}
