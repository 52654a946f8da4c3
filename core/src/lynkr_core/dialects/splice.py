"""Changes a JSON object's keys and leaves every other byte as it came."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw

_object = msgspec.json.Decoder(dict[str, Raw])


def splice(native: Raw | None, changes: dict[str, Any]) -> Raw:
    """The object `native` with these keys set; values may be `Raw`, and `UNSET` takes the key out."""
    fields: dict[str, Any] = {} if native is None else dict(_object.decode(native))
    fields.update(changes)
    return Raw(msgspec.json.encode({key: value for key, value in fields.items() if value is not UNSET}))
