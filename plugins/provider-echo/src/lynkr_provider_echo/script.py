"""What the echo is told to do: directives in the configuration, in a model's name, and in the text it answers."""

from __future__ import annotations

import json

from msgspec import Struct, field

from lynkr_core.errors import KINDS, InvalidRequest, Kind

OPEN, CLOSE = "[[echo:", "]]"
LONGEST = 3600.0
MOST = 100_000

_json = json.JSONDecoder()


class Script(Struct):
    """How one request is answered. `cut`, `end` and `fail` count pieces of a stream; times are in seconds."""

    status: int = 200
    kind: Kind | None = None
    retry_after: float | None = None
    delay: float = 0.0
    every: float = 0.0
    chunks: int | None = None
    cut: int | None = None
    end: int | None = None
    fail: int | None = None
    usage: tuple[int, int] | None = None
    reasoning: str = ""
    tools: list[tuple[str, str]] = field(default_factory=lambda: list[tuple[str, str]]())

    def add(self, directive: str) -> None:
        """Takes one directive. Raises `InvalidRequest` for one that cannot be read."""
        name, _, rest = directive.strip().partition(" ")
        try:
            known = self._add_text(name, rest.strip()) or self._add_numbers(name, rest.split())
        except ValueError as error:
            raise InvalidRequest(f"[[echo: {directive.strip()}]]: {error}") from None
        if not known:
            raise InvalidRequest(f"[[echo: {directive.strip()}]] is not a directive")

    def _add_text(self, name: str, rest: str) -> bool:
        if name == "reasoning":
            self.reasoning = rest
        elif name == "error" and rest in KINDS:
            self.kind = rest
            self.status = 401 if rest == "auth" else KINDS[rest].status
        elif name == "tool" and rest:
            tool, _, arguments = rest.partition(" ")
            self.tools.append((tool, arguments.strip() or "{}"))
        else:
            return False
        return True

    def _add_numbers(self, name: str, words: list[str]) -> bool:
        match [name, *words]:
            case ["status", status]:
                self.status = whole(status, 400, 599)
            case ["status", status, "after", seconds]:
                self.status, self.retry_after = whole(status, 400, 599), time(seconds)
            case ["delay", seconds]:
                self.delay = time(seconds)
            case ["chunks", count]:
                self.chunks = whole(count)
            case ["chunks", count, "every", seconds]:
                self.chunks, self.every = whole(count), time(seconds)
            case ["usage", taken, given]:
                self.usage = whole(taken), whole(given)
            case ["cut" | "end" | "fail", count]:
                setattr(self, name, whole(count))
            case _:
                return False
        return True


def whole(text: str, least: int = 0, most: int = MOST) -> int:
    """Raises `ValueError` for anything but a whole number in these bounds."""
    number = int(text)
    if not least <= number <= most:
        raise ValueError(f"{number} is not between {least} and {most}")
    return number


def time(text: str) -> float:
    """Raises `ValueError` for anything but 0 to 3600 seconds."""
    seconds = float(text)
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{text} is not between 0 and {LONGEST:g} seconds")
    return seconds


def split(text: str) -> tuple[str, list[str]]:
    """The text without its directives, and these."""
    kept = ""
    found: list[str] = []
    while True:
        before, opened, rest = text.partition(OPEN)
        kept += before
        if not opened:
            return kept.strip() if found else kept, found
        end = close(rest)
        if end < 0:
            return kept + opened + rest, found
        found.append(rest[:end].strip())
        text = rest[end + len(CLOSE) :]


def close(rest: str) -> int:
    """Where a directive ends. A tool's arguments may have the closing brackets in them."""
    first, brace = rest.find(CLOSE), rest.find("{")
    if not rest.lstrip().startswith("tool ") or not -1 < brace < first:
        return first
    try:
        return rest.find(CLOSE, _json.raw_decode(rest, brace)[1])
    except ValueError:
        return first


def suffix(model: str) -> list[str]:
    """The directives in a model's name: `echo:status=503,delay=0.5`."""
    name, _, rest = model.partition(":")
    return [directive.replace("=", " ") for directive in rest.split(",")] if name == "echo" and rest else []
