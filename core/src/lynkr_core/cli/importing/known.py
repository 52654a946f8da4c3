"""`providers.toml`."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

_told: dict[str, Any] = tomllib.loads(files("lynkr_core.cli.importing").joinpath("providers.toml").read_text(encoding="utf-8"))
LITELLM: dict[str, str] = _told["litellm"]
KEYS: dict[str, str] = _told["keys"]
NODE: dict[str, dict[str, str]] = _told["node"]
