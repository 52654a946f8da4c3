"""Ids in the form that callers of the Messages API expect."""

from __future__ import annotations

import re

from lynkr_core.dialects.names import safe_id, safe_name

__all__ = ["message_id", "safe_id", "safe_name"]
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def message_id(id: str) -> str:
    """An answer's id in the form callers expect, `msg_…`."""
    return id if id.startswith("msg_") else f"msg_{_FOREIGN.sub('_', id) or 'lynkr'}"
