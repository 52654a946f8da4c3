"""The model list, in a shape that OpenAI's and Anthropic's clients both read, and the providers' own lists that go into it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Self

from lynkr_core.candidates import Catalog
from lynkr_core.capabilities import permitted
from lynkr_core.errors import UnknownModel
from lynkr_core.exchange import Principal
from lynkr_core.provider import Provider
from lynkr_core.waiting import stopped

log = logging.getLogger("lynkr.models")
ASK_SECONDS = 10.0
"""How long a provider may take to list its models."""
FRESH_SECONDS, RETRY_SECONDS = 3600.0, 60.0
"""After how long it is asked again: when it answered, and when it failed."""
MAX_MODELS = 5000
"""Of one provider; more are left out."""

CREATED = 1_700_000_000
"""Clients want a number; when a model was made is not known here."""
CREATED_TEXT = "2023-11-14T22:13:20Z"


class Live:
    """Asks the providers which models they have: in the background at start, and when somebody looks and the answers are old."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._due: dict[str, float] = {}
        self._failed: set[str] = set()
        self._asking: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.refresh()
        return self

    async def __aexit__(self, *error: object) -> None:
        await stopped(*self._asking)

    def refresh(self) -> None:
        """Returns at once."""
        now = time.monotonic()
        for name, provider in self._catalog.providers.items():
            if now >= self._due.get(name, 0.0):
                self._due[name] = now + FRESH_SECONDS
                task = asyncio.ensure_future(self._ask(provider))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

    async def _ask(self, provider: Provider) -> None:
        """A failure is told once, until the provider has answered again."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                models = await provider.list_models()
        except Exception as error:
            self._due[provider.name] = time.monotonic() + RETRY_SECONDS
            if provider.name not in self._failed:
                self._failed.add(provider.name)
                log.warning("the provider %s does not list its models: %s", provider.name, str(error) or type(error).__name__)
        else:
            self._failed.discard(provider.name)
            self._catalog.add_models(provider, models[:MAX_MODELS])


def listing(catalog: Catalog, who: Principal) -> dict[str, Any]:
    """What this caller may use."""
    data = [entry(catalog, name) for name in catalog.names() if served(catalog, name, who)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "has_more": False, "first_id": first, "last_id": last}


def served(catalog: Catalog, name: str, who: Principal) -> bool:
    """Whether anybody serves this name to this caller."""
    target = catalog.resolve(name)
    found = [c for c in target.candidates if not who.local_only or c.provider.is_local(c.model)] if target else []
    return bool(permitted(who, catalog.tiers, [candidate.id for candidate in found]))


def one_model(catalog: Catalog, name: str, who: Principal) -> dict[str, Any]:
    """Raises `UnknownModel`."""
    if not served(catalog, name, who):
        raise UnknownModel(f"the model {name!r} is not served here; GET /v1/models lists those that are", code="model_not_found")
    return entry(catalog, name)


def entry(catalog: Catalog, name: str) -> dict[str, Any]:
    target = catalog.resolve(name)
    owner = target.candidates[0].provider.name if target and target.route == "exact" else "lynkr"
    exact = target.candidates[0] if target and target.route == "exact" else None
    limits = {"context_window": exact.context_window, "max_output_tokens": exact.max_output} if exact else {}
    return {
        "id": name, "object": "model", "created": CREATED, "owned_by": owner,
        "type": "model", "display_name": name, "created_at": CREATED_TEXT,
        **{key: value for key, value in limits.items() if value is not None},
    }  # fmt: skip
