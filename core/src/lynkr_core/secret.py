"""Values that must not be seen."""

from __future__ import annotations


class Secret:
    """A key or password. Printing, formatting and comparing by accident show nothing; `reveal` gives the text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__
