"""The OpenAPI document of a gateway: what `dialects/openapi.json` says, of the paths that this one serves."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


@cache
def whole() -> dict[str, Any]:
    """Of every path there could be."""
    return msgspec.json.decode((files("lynkr_core.dialects") / "openapi.json").read_bytes())


def document(served: Collection[str]) -> dict[str, Any]:
    """`served`: paths as `/v1/models/{id}`."""
    paths: dict[str, Any] = whole()["paths"]
    return {**whole(), "paths": {path: said for path, said in paths.items() if path in served}}
