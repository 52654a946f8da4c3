"""Tool names and call ids as most APIs take them: letters, digits, `_` and `-`, names of at most 64 (OpenAI's and Anthropic's references)."""

from __future__ import annotations

import re
from hashlib import blake2b

MAX_NAME = 64
_GOOD_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def safe_id(id: str) -> str:
    """The same id gives the same answer, so a call and its result still belong together."""
    if id.isascii() and id.isidentifier():
        return id  # as nearly all are, and this is told five times as fast as by a pattern
    clean = _FOREIGN.sub("_", id)
    return clean if clean == id and id else f"{clean}_{_short(id)}"


def safe_name(name: str) -> str:
    """The name, or its stand-in, always the same one. `calls.Calls` puts the caller's own back into the answer."""
    if (len(name) <= MAX_NAME and name.isascii() and name.isidentifier()) or _GOOD_NAME.fullmatch(name):
        return name
    return f"{_FOREIGN.sub('_', name)[: MAX_NAME - 9]}_{_short(name)}"


def _short(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
