"""What the API of a caller is to the matrix: a module `front_*.py` has one with the name `FRONT`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Body = dict[str, Any]
Heard = dict[str, Any]


class Front(NamedTuple):
    """One API of callers.

    `asked` says each feature in its words; a feature that is not there cannot be said. `hear` reads an answer, whole or streamed,
    and checks its form. `expects` are values of answers in this API's own words, `differs` how it says some by other means, `unheard`
    why it cannot say some at all.
    `replay` is the next request after an answer with two calls, as SDKs make it; `keeps`: it brings signatures of thinking back.
    `custom` is a free-text tool in its words, None when it has none.
    """

    name: str
    title: str
    path: str
    base: Body
    asked: dict[str, Body]
    hear: Callable[[bytes, bool], Heard]
    tools: Callable[[str], Body]
    custom: Body | None
    expects: dict[str, Any]
    differs: dict[str, str]
    unheard: dict[str, str]
    replay: Callable[[Body], Body]
    keeps: bool
