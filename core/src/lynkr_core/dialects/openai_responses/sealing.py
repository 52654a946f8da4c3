"""Reasoning that must go back unchanged, in the one field that callers of this API carry: `encrypted_content`.

OpenAI's own is passed on as it is. What another vendor wants back travels under a prefix of ours, and never goes to OpenAI, which
would refuse it: `lynkr:` and a signature, or `lynkr:encrypted:` and the vendor's encrypted text, or the prefix alone for
reasoning that is only text. OpenAI's reasoning is told from others' by its item id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Raw, Struct, json

from lynkr_core.dialect import Fields
from lynkr_core.dialects.openai_responses.wire import array, fragments, is_string
from lynkr_core.request import Reasoning

PREFIX = "lynkr:"
FOREIGN_REASONING = "reasoning: another vendor's cannot be sent"
_ENCRYPTED = "lynkr:encrypted:"
_MARK = re.compile(rb'"encrypted_content"\s*:\s*"lynkr:')


class _Sealed(Struct):
    type: str | None = None
    encrypted_content: str | None = None


_sealed = json.Decoder(_Sealed)


def seal(part: Reasoning) -> str | None:
    """The `encrypted_content` for the caller; None when the upstream speaks this API and gave none."""
    if part.encrypted is not None:
        return part.encrypted if part.id else _ENCRYPTED + part.encrypted
    if part.signature:
        return PREFIX + part.signature
    return None if part.id and part.id.startswith("rs_") else PREFIX


def unseal(content: str | None) -> tuple[str | None, str | None]:
    """Signature and encrypted text of an `encrypted_content`."""
    if content is None or not content.startswith(PREFIX):
        return None, content or None
    if content.startswith(_ENCRYPTED):
        return None, content.removeprefix(_ENCRYPTED)
    return content.removeprefix(PREFIX) or None, None


def reasoning(texts: Iterable[str], id: str | None, content: str | None, native: Raw) -> Reasoning:
    """The part of a reasoning item with this `encrypted_content`."""
    signature, encrypted = unseal(content)
    foreign = content is not None and encrypted != content
    text = "\n\n".join(texts)
    return Reasoning(text=text, id=None if foreign else id, signature=signature, encrypted=encrypted, native=native)


def is_foreign(item: Raw) -> bool:
    """Whether this is a reasoning item with the prefix."""
    if _MARK.search(item) is None:
        return False
    found = _sealed.decode(item)
    return found.type == "reasoning" and (found.encrypted_content or "").startswith(PREFIX)


def drop_foreign(fields: Fields) -> bool:
    """Takes reasoning of other vendors out of `input`. True when there was some; decodes only when the prefix is there."""
    raw = fields.get("input")
    if not isinstance(raw, Raw) or _MARK.search(raw) is None or is_string(raw):
        return False
    items = fragments.decode(raw)
    kept = [item for item in items if not is_foreign(item)]
    if len(kept) == len(items):
        return False
    fields["input"] = array(kept)
    return True
