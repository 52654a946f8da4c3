"""A cheap local estimate of tokens: bytes are counted by class, each class has its weight.

The weights were fitted to o200k counts of real agent traffic: conversations, tool results and tool schemas of coding and API
agents, 4 MB. Over 1,816 texts of 20 tokens and more the median error is 6 %, the 95th percentile 23 %; over the sum of all 2 %.
Claude's own counts are higher, by about 1.18 (up to 4.6) and 1.57 (4.7 and later): whoever knows the model multiplies.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence

from lynkr_core.request import Blob, File, Generic, Part, Reasoning, Request, Text, Tool, ToolCall, ToolCallResponse, Uri

LETTER, SPACE, LINE, DIGIT, FOREIGN, OTHER = 0.205, 0.126, 0.75, 0.75, 0.325, 0.575
"""Tokens for each byte of a class; `FOREIGN` is a byte outside ASCII, `OTHER` mostly punctuation."""
CHARACTERS_PER_TOKEN = 3.7
"""For a length alone, where no text is kept."""
MEDIA = 1200
"""For an image or document."""
FRAME = 4
"""What marks the bounds of a message, tool or call."""

MOST_COUNTS = 65_536
"""Texts whose counts are remembered: in an agent's turn all but the last few have been there before."""

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_ASCII = bytes(range(128))
_SAMPLED = ((65536, 17), (32768, 11), (8192, 5))
"""Of a text over so many characters one in so many tells enough; primes, so that no column of a table is met each time."""


def estimate_text(text: str) -> int:
    """Tokens of a text, at least 1 unless it is empty. At most 3 µs for each KB."""
    for size, stride in _SAMPLED:
        if len(text) > size:
            return _weigh(text[::stride].encode("utf-8", "replace"), stride)
    return _weigh(text.encode("utf-8", "replace"), 1)


def _weigh(data: bytes, scale: int) -> int:
    rest = data.translate(None, _LETTERS)
    spaces, lines = rest.count(b" "), rest.count(b"\n")
    foreign = 0 if rest.isascii() else len(rest.translate(None, _ASCII))
    digits = len(rest) - len(rest.translate(None, _DIGITS))
    other = len(rest) - spaces - lines - foreign - digits
    letters = len(data) - len(rest)
    sum = letters * LETTER + spaces * SPACE + lines * LINE + digits * DIGIT + foreign * FOREIGN + other * OTHER
    return max(round(sum * scale), 1) if data else 0


def estimate(request: Request) -> int:
    """Input tokens of a request: texts, tool schemas, calls and results, a constant for each image or document."""
    texts: list[str] = []
    count = _gather(request.system, texts)
    for message in request.messages:
        count += FRAME + _gather(message.parts, texts)
    for tool in request.tools:
        count += FRAME
        texts.append(_schema(tool))
    return max(count + estimate_text("\n".join(texts)), 1)


def _gather(parts: Iterable[Part], texts: list[str]) -> int:
    """Adds the texts; the tokens of what is no text."""
    count = 0
    for part in parts:
        match part:
            case Text() | Reasoning():
                texts.append(part.text)
            case ToolCall():
                count += FRAME
                texts.append(part.name)
                texts.append(part.arguments)
            case ToolCallResponse():
                count += FRAME + _gather(part.content, texts)
            case Blob() | Uri() | File():
                count += MEDIA
            case Generic(native=native) if native is not None:
                texts.append(bytes(native).decode("utf-8", "replace"))
            case _:
                pass
    return count


def _schema(tool: Tool) -> str:
    parameters = b"" if tool.parameters is None else bytes(tool.parameters)
    return f"{tool.name}\n{tool.description or ''}\n{parameters.decode('utf-8', 'replace')}"


class Tokens:
    """Tokens of texts: counted by a plugin of the kind `tokens` where one is enabled (`use`), else estimated."""

    def __init__(self) -> None:
        self._count: Callable[[Sequence[str]], Sequence[int]] | None = None
        self._known: dict[tuple[int, int], int] = {}

    def use(self, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
        """`count` gives the tokens of each text. May be called at any time; what was counted otherwise is forgotten."""
        self._count, self._known = count, {}

    def count(self, *texts: str) -> int:
        """Of all these texts together. Those that are new are counted in one call."""
        known, keys = self._known, [(hash(text), len(text)) for text in texts]
        new = [place for place, key in enumerate(keys) if key not in known]
        if new:
            if len(known) + len(new) > MOST_COUNTS:
                known.clear()
                new = list(range(len(texts)))
            fresh = [texts[place] for place in new]
            counts = self._count(fresh) if self._count else [estimate_text(text) for text in fresh]
            known.update(zip([keys[place] for place in new], counts, strict=True))
        return sum([known[key] for key in keys])
