"""The model list, in a shape that OpenAI's and Anthropic's clients both read."""

from __future__ import annotations

from typing import Any

from lynkr_core.candidates import Catalog
from lynkr_core.errors import UnknownModel

CREATED = 1_700_000_000
"""Clients want a number; when a model was made is not known here."""
CREATED_TEXT = "2023-11-14T22:13:20Z"


def listing(catalog: Catalog) -> dict[str, Any]:
    data = [entry(catalog, name) for name in catalog.names()]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "has_more": False, "first_id": first, "last_id": last}


def one_model(catalog: Catalog, name: str) -> dict[str, Any]:
    """Raises `UnknownModel`."""
    if catalog.resolve(name) is None:
        raise UnknownModel(f"the model {name!r} is not served here; GET /v1/models lists those that are", code="model_not_found")
    return entry(catalog, name)


def entry(catalog: Catalog, name: str) -> dict[str, Any]:
    target = catalog.resolve(name)
    owner = target.candidates[0].provider.name if target and target.route == "exact" else "lynkr"
    served = target.candidates[0] if target and target.route == "exact" else None
    limits = {"context_window": served.context_window, "max_output_tokens": served.max_output} if served else {}
    return {
        "id": name, "object": "model", "created": CREATED, "owned_by": owner,
        "type": "model", "display_name": name, "created_at": CREATED_TEXT,
        **{key: value for key, value in limits.items() if value is not None},
    }  # fmt: skip
