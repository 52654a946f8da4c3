"""What a client of Ollama asks beside its conversations: which models there are, what one of them is, and the server's version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from lynkr_core.candidates import Target
from lynkr_core.dialect import UNREADABLE
from lynkr_core.exchange import Reply
from lynkr_core.models import CREATED_TEXT
from lynkr_core.routes import Route, RouteRequest
from lynkr_provider_ollama.wire import encode, objects, texts

if TYPE_CHECKING:
    from lynkr_core.kernel import Kernel

VERSION = "0.13.3"
"""The release of Ollama whose API is served, for clients that ask for a least one: its documentation dates `/v1/responses` to it."""
DETAILS: dict[str, Any] = {
    "parent_model": "",
    "format": "",
    "family": "",
    "families": [],
    "parameter_size": "",
    "quantization_level": "",
}
"""What is not known of a model that may be anywhere; clients look for the keys."""


@runtime_checkable
class Telling(Protocol):
    """A provider that is an Ollama itself and tells of its models."""

    async def show(self, model: str) -> bytes | None:
        """The body that it answers; None when it does not."""
        ...


def routes(kernel: Kernel) -> Iterable[Route]:
    """`GET /api/tags`, `GET /api/version` and `POST /api/show` of this gateway."""
    served = Models(kernel)
    yield Route(method="GET", path="/api/tags", endpoint=served.tags)
    yield Route(method="GET", path="/api/version", endpoint=served.version)
    yield Route(method="POST", path="/api/show", endpoint=served.show)


class Models:
    """The models that callers may ask for, as Ollama tells of its own."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def tags(self, query: RouteRequest) -> Reply:
        fixed: dict[str, Any] = {"modified_at": CREATED_TEXT, "size": 0, "digest": "", "details": DETAILS}
        names = self._kernel.catalog.names()
        return Reply(body=encode({"models": [{"name": name, "model": name, **fixed} for name in names]}))

    async def version(self, query: RouteRequest) -> Reply:
        return Reply(body=encode({"version": VERSION}))

    async def show(self, query: RouteRequest) -> Reply:
        """404 for a model that is not served here, 400 for a body that names none."""
        name = asked(query.body)
        if not name:
            return Reply(body=encode({"error": "model is required"}), status=400)
        target = self._kernel.catalog.resolve(name)
        if target is None:
            return Reply(body=encode({"error": f"model '{name[:200]}' not found"}), status=404)
        first = target.candidates[0] if target.route == "exact" else None
        told = await first.provider.show(first.model) if first is not None and isinstance(first.provider, Telling) else None
        return Reply(body=told or encode(described(target)))


def asked(body: bytes) -> str:
    """The model's name; older clients call it `name`."""
    try:
        fields = objects.decode(body)
        return texts.decode(fields.get("model") or fields.get("name") or b'""')
    except UNREADABLE:
        return ""


def described(target: Target) -> dict[str, Any]:
    """What is known of a model: how much every one of its candidates can read. What lynkr carries is told as its capabilities."""
    windows = [candidate.context_window for candidate in target.candidates]
    known = [window for window in windows if window is not None]
    info: dict[str, Any] = {"general.architecture": "lynkr"}
    if known and len(known) == len(windows):
        info["lynkr.context_length"] = min(known)
    capabilities = ["completion", "tools"]
    return {"details": DETAILS, "model_info": info, "capabilities": capabilities, "modified_at": CREATED_TEXT}
