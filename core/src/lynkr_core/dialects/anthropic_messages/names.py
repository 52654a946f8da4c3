"""Tool names and call ids as the Messages API takes them: letters, digits, `_` and `-`, names of at most 64."""

from __future__ import annotations

import re
from hashlib import blake2b

_MAX_NAME = 64
_foreign = re.compile(r"[^a-zA-Z0-9_-]")


def safe_id(id: str) -> str:
    """The same id gives the same answer, so a call and its result still belong together."""
    clean = _foreign.sub("_", id)
    return clean if clean == id and id else f"{clean}_{_short(id)}"


def safe_name(name: str) -> str:
    clean = _foreign.sub("_", name)
    if clean == name and 0 < len(name) <= _MAX_NAME:
        return name
    return f"{clean[: _MAX_NAME - 9]}_{_short(name)}"


def message_id(id: str) -> str:
    """An answer's id in the form callers expect, `msg_…`."""
    return id if id.startswith("msg_") else f"msg_{_foreign.sub('_', id) or 'lynkr'}"


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
